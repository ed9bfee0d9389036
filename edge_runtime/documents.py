"""The documents by which others learn what a device is and can do (docs/mqtt.md)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

from edge_runtime import __version__
from edge_runtime.bundle.manifest import Manifest, TensorSpec
from edge_runtime.config import Config
from edge_runtime.model import takes_of
from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.takes import INPUTS
from edge_runtime.tasks import DATATYPES

CONTRACT_VERSION = 1
LOAD_EXPIRY_S = 30
# Outputs of tasks that give as many of each as they find.
_FOUND: dict[str, dict[str, str]] = {
    "question-answer": {"answer": "BYTES", "score": "FP32", "start": "INT64", "end": "INT64"},
    "rerank": {"index": "INT64", "score": "FP32"},
    "token-classify": {
        "text_index": "INT64", "label": "BYTES", "score": "FP32", "start": "INT64", "end": "INT64", "text": "BYTES",
    },
    "transcribe": {"text": "BYTES", "seconds": "FP32"},
    "wake-word": {"label": "BYTES", "score": "FP32", "time_s": "FP32", "probability": "FP32"},
    "zero-shot": {"label": "BYTES", "score": "FP32"},
}  # fmt: skip
# Tasks that find things in pictures: what is said of each, and the shape of its box.
_BOXES: dict[str, tuple[str, tuple[int, ...]]] = {"detect": ("label", (4,)), "ocr": ("text", (4, 2))}


def info_document(config: Config, models: list[str], formats: list[str]) -> dict[str, object]:
    """What clients can know of the daemon."""
    return {
        "device": config.device,
        "edgert": __version__,
        "contract": CONTRACT_VERSION,
        "groups": [config.group] if config.group else [],
        "models": models,
        "formats": formats,
        "limits": dataclasses.asdict(config.limits),
    }


def model_document(manifest: Manifest, *, ready: bool = True) -> dict[str, object]:
    """What clients can know of a model: KServe v2 metadata plus edgert's own keys.

    Args:
        ready: it is loaded; else the first request loads it.
    """
    return {
        "name": manifest.name,
        "versions": [manifest.version],
        "platform": f"edgert_{manifest.model.engine}",
        "ready": ready,
        "inputs": _inputs(manifest),
        "takes": sorted(takes_of(manifest).media),
        "outputs": _outputs(manifest),
        "task": manifest.task.name,
        "labels": list(manifest.task.labels),
        "limits": dataclasses.asdict(manifest.limits),
        "scheme": manifest.model.scheme,
        "license": manifest.source.license,
    }


def _inputs(manifest: Manifest) -> list[dict[str, object]]:
    takes = takes_of(manifest)
    inputs: list[dict[str, object]] = [
        {"name": name, "datatype": "BYTES", "shape": [-1]} for name in INPUTS[takes.words]
    ]
    return inputs + [_described(one) for one in (manifest.model.inputs if takes.tensors else ())]


def _described(one: TensorSpec) -> dict[str, object]:
    """A tensor of the graph; a free dimension is -1."""
    shape = [size if isinstance(size, int) else -1 for size in one.shape]
    return {"name": one.name, "datatype": DATATYPES.get(one.dtype, one.dtype), "shape": shape}


def _outputs(manifest: Manifest) -> list[dict[str, object]]:
    found = _FOUND.get(manifest.task.name)
    if found is not None:
        return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in found.items()]
    if manifest.task.name in _BOXES:
        text, box = _BOXES[manifest.task.name]
        scored: list[dict[str, object]] = [
            {"name": text, "datatype": "BYTES", "shape": [-1]},
            {"name": "score", "datatype": "FP32", "shape": [-1]},
        ]
        return [*scored, {"name": "box", "datatype": "FP32", "shape": [-1, *box]}]
    if manifest.task.name == "tensors":
        return [_described(one) for one in manifest.model.outputs]
    if manifest.task.name == "voice-activity":
        return [
            {"name": "probability", "datatype": "FP32", "shape": [-1]},
            {"name": "speech", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "share", "datatype": "FP32", "shape": [1]},
        ]
    width = manifest.model.outputs[0].shape[-1]
    vector = {"datatype": "FP32", "shape": [-1, width if isinstance(width, int) else -1]}
    if manifest.task.name == "embed":
        return [{"name": "embedding", **vector}]
    label, score = {"name": "label", "datatype": "BYTES"}, {"name": "score", "datatype": "FP32"}
    return [{**label, "shape": [-1]}, {**score, "shape": [-1]}, {"name": "probabilities", **vector}]


def document_message(
    topic: str, document: Mapping[str, object], *, retain: bool = True, expiry_s: int | None = None
) -> Message:
    """A JSON document as a message, retained if not said otherwise."""
    payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(topic, payload, qos=1 if retain else 0, retain=retain, content_type=JSON, expiry_s=expiry_s)
