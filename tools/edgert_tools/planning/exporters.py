"""Which model types `edgert convert` knows, without importing an exporter (which takes seconds and PyTorch).

The lists are in `exporters.toml`. What is in them may still fail in the export: encoders of text and llama-like
decoders are what is tested.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from edgert_tools.fuse import BERT_LIKE
from edgert_tools.text_tasks import FACTS

WRITES = "generate"  # the task of a model that answers token by token


@cache
def model_types() -> dict[str, frozenset[str]]:
    """Optimum's word for a task -> model types, as config.json names them."""
    return {task: frozenset(names) for task, names in _lists()["optimum"].items()}


@cache
def torch_types() -> frozenset[str]:
    """Model types that PyTorch's own exporter takes, for every task of a text encoder."""
    return frozenset(_lists()["torch"]["types"])


@cache
def decoder_types() -> Mapping[str, str]:
    """Architecture that the builder of decoders knows -> model type, both as config.json names them."""
    found: Mapping[str, str] = _lists()["genai"]["architectures"]
    return found


@cache
def gguf_types() -> frozenset[str]:
    """Architectures of GGUF files that become such decoders."""
    return frozenset(_lists()["genai"]["gguf"])


def export_blocker(model_type: str, task: str) -> str:
    """Why there is no export for this type and task; "" if there is one."""
    if task == WRITES:
        types = sorted(set(decoder_types().values()))
        return (
            "" if model_type in types else f"model type {model_type[:64]!r} for generate: there are {', '.join(types)}"
        )
    known = next((facts for name, facts in FACTS.items() if name == task), None)
    if known is None:
        return f"task {task}: a conversion of a checkpoint is for {', '.join((*FACTS, WRITES))} today"
    if model_type in model_types()[known.export] or model_type in torch_types():
        return ""
    return f"model type {model_type[:64]!r}: the exporter does not know it for {task}"


def export_note(model_type: str) -> str:
    """What to expect of an export that is possible."""
    if model_type in BERT_LIKE:
        return ""
    return f"model type {model_type!r} is not fused: the graph stays as exported, so int8 gains less"


@cache
def _lists() -> Mapping[str, Any]:
    text = files("edgert_tools.planning").joinpath("exporters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
