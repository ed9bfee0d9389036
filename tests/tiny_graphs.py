"""Tiny graphs of numbers, and bundles of them, for tasks that read no texts: answers can be worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, write_questions
from edge_runtime.bundle.manifest import (
    Limits,
    Manifest,
    ModelSpec,
    Role,
    Source,
    TaskSpec,
    TensorSpec,
    VoiceSpec,
    seal_bundle,
)

Value = tuple[str, str, Sequence[int | str]]  # name, dtype, shape
LIMITS = Limits(max_tokens=16, max_texts=8)
VOICE = VoiceSpec(16000, 4, 2, "audio", "loud", {"before": "after"}, {"rate": 16000})


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    tensors: Mapping[str, Any] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    """A model of these nodes; `opset`, `ir_version` and further `domains` may be given."""
    initializers = [numpy_helper.from_array(np.asarray(values), name) for name, values in (tensors or {}).items()]
    graph = helper.make_graph(nodes, "tiny", _values(inputs), _values(outputs), initializers)
    domains = [helper.make_opsetid(domain, 1) for domain in options.get("domains", ())]
    opsets = [helper.make_opsetid("", options.get("opset", 17)), *domains]
    return helper.make_model(graph, opset_imports=opsets, ir_version=options.get("ir_version", 9))


def sums() -> onnx.ModelProto:
    """`x` (rows, 3) -> `double` (rows, 3), twice its values, and `most` (rows) int64, where the largest is."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["double"], name="twice"),
        helper.make_node("ArgMax", ["x"], ["most"], name="largest", axis=1, keepdims=0),
    ]
    return model(
        nodes, [("x", "float32", ["rows", 3])], [("double", "float32", ["rows", 3]), ("most", "int64", ["rows"])]
    )


def loudness() -> onnx.ModelProto:
    """`audio` (1, 6), `before` (1, 1), `rate` -> `loud` (1, 1), the largest, or half of before; `after` too."""
    nodes = [
        helper.make_node("Abs", ["audio"], ["size"]),
        helper.make_node("ReduceMax", ["size"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["before", "fading"], ["faded"]),
        helper.make_node("Max", ["largest", "faded"], ["loud"]),
        helper.make_node("Cast", ["rate"], ["hertz"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["hertz", "nothing"], ["zero"]),
        helper.make_node("Add", ["loud", "zero"], ["after"]),
    ]
    inputs = [("audio", "float32", ["n", 6]), ("before", "float32", ["n", 1]), ("rate", "int64", [])]
    outputs = [("loud", "float32", ["n", 1]), ("after", "float32", ["n", 1])]
    constants = {"fading": np.float32(0.5), "nothing": np.float32(0)}
    return model(nodes, inputs, outputs, constants)


def write_bundle(
    folder: Path,
    made: onnx.ModelProto,
    task: TaskSpec,
    *,
    name: str = "tiny",
    batch_invariant: bool = False,
    limits: Limits = LIMITS,
    questions: Sequence[GoldenQuestion] = (),
) -> Path:
    """A sealed bundle of the graph; returns its folder."""
    folder.mkdir(parents=True)
    onnx.save(made, folder / "model.onnx")
    roles: dict[str, Role] = {"model.onnx": "model"}
    if questions:
        write_questions(folder / "golden.json", questions)
        roles["golden.json"] = "golden"
    inputs, outputs = _specs(made.graph.input), _specs(made.graph.output)
    manifest = Manifest(
        name=name,
        version="1.2.3",
        counter=1,
        task=task,
        model=ModelSpec("model.onnx", "onnx", "float32", batch_invariant, inputs, outputs),
        tokenizer=None,
        limits=limits,
        source=Source("tiny", "made in tests/tiny_graphs.py", "none", "0" * 64, "Apache-2.0"),
        targets=("cpu",),
        lock={},
        measured={},
    )
    seal_bundle(folder, manifest, roles)
    return folder


def sums_bundle(folder: Path, **options: Any) -> Path:
    """A bundle of `sums` with a golden question."""
    question = GoldenQuestion(
        inputs=(GoldenTensor("x", "FP32", (1, 3), (1.0, 5.0, 2.0)),),
        outputs=(GoldenTensor("double", "FP32", (1, 3), (2.0, 10.0, 4.0)), GoldenTensor("most", "INT64", (1,), (1,))),
    )
    return write_bundle(folder, sums(), TaskSpec("tensors"), batch_invariant=True, questions=[question], **options)


def voice_bundle(folder: Path, **options: Any) -> Path:
    """A bundle of `loudness` for voice activity: frames of 4 samples, 2 of the frame before."""
    return write_bundle(folder, loudness(), TaskSpec("voice-activity", voice=VOICE), **options)


def wake_bundle(folder: Path, **options: Any) -> Path:
    """A bundle of `loudness` for wake words, fed as that for voice activity: what is loud are the words."""
    return write_bundle(folder, loudness(), TaskSpec("wake-word", ("hey you",), voice=VOICE), **options)


def _values(values: Sequence[Value]) -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
        for name, dtype, shape in values
    ]


def _specs(values: Sequence[onnx.ValueInfoProto]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            value.name,
            np.dtype(helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)).name,
            tuple(dim.dim_param or int(dim.dim_value) for dim in value.type.tensor_type.shape.dim),
        )
        for value in values
    )
