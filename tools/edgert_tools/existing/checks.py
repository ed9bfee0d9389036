"""Can a board run this graph? Looked at before any time is spent; what is in the way is named with its node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec, sha256_of
from edge_runtime.engine.onnx import open_onnx
from edge_runtime.errors import UnsupportedModel
from edgert_tools.graph import MS_DOMAIN, opset_of, save_graph
from edgert_tools.planning.onnx_model import operator_blockers
from edgert_tools.quiet import quiet

Kind = Literal["conv", "matmul", "other", "quantized"]

STANDARD = ("", "ai.onnx", "ai.onnx.ml")
MOST_BYTES = (2 << 30) - 1  # of one protobuf message
# What the oldest onnxruntime that a board may have (1.23) loads; the newest one here would not tell.
NEWEST_OPSETS = {"ai.onnx": 23, "ai.onnx.ml": 5}
NEWEST_IR = 11
_CONV = ("Conv", "ConvTranspose")
_PRODUCTS = ("MatMul", "Gemm", "FusedMatMul", "Attention")
_INT8 = (
    "QuantizeLinear", "DequantizeLinear", "QLinearConv", "QLinearMatMul", "QGemm", "MatMulInteger", "ConvInteger",
    "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "QLinearAdd", "MatMulNBits",
    "GatherBlockQuantized", "QEmbedLayerNormalization",
)  # fmt: skip
_DYNAMIC = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention")


@dataclass(frozen=True)
class GraphFacts:
    """A graph that a board can run.

    Attributes:
        file: one file with everything inside, made from the one that was given if need be.
        sha256: of the file as it was given.
        kind: where its weights are; "quantized": it is int8 already.
        scales_at_run: it takes scales from its input at each run, so that an answer depends on its neighbours.
        notes: what was changed to get here, for people.
    """

    file: Path
    sha256: str
    size_bytes: int
    opset: int
    kind: Kind
    scales_at_run: bool
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    notes: tuple[str, ...] = ()


def check_graph(file: Path, work: Path) -> GraphFacts:
    """Read a graph and everything that is to be known of it.

    Args:
        file: as it was given; weights beside it are read only from its own folder.
        work: a folder for the one file that is made of it if it is not one.

    Raises:
        UnsupportedModel: it is damaged, has operators that no board runs, or inputs that no request can bring.
    """
    model, notes = _load(file)
    _check_whole(model, file)
    _check_domains(model, file)
    _check_opset(model, file)
    blockers = operator_blockers(model, opset_of(model))
    if blockers:
        raise UnsupportedModel(f"{file.name}: {blockers[0]}")
    if model.ir_version > NEWEST_IR:
        notes.append(f"format version {model.ir_version} written as {NEWEST_IR}, which every board's onnxruntime reads")
        model.ir_version = NEWEST_IR
    made = file if not notes else save_graph(model, work / "whole.onnx")
    with quiet():
        open_onnx(made, 1)  # says what no table knows; raises UnsupportedModel
    weights = _weights(model.graph)
    return GraphFacts(
        file=made,
        sha256=sha256_of(file),
        size_bytes=made.stat().st_size,
        opset=opset_of(model),
        kind=_kind(model.graph, weights),
        scales_at_run=any(node.op_type in _DYNAMIC for node in nodes_of(model.graph)),
        inputs=tuple(_specs(model, "input")),
        outputs=tuple(_specs(model, "output")),
        notes=tuple(notes),
    )


def schemes_for(kind: Kind) -> tuple[str, ...]:
    """int8 forms worth trying: static for convolutions, which dynamic makes slow; weights for products."""
    return {
        "conv": ("qdq-s8s8-minmax-all", "qdq-u8s8-minmax-all", "qdq-s8s8-percentile-all"),
        "matmul": ("dynamic-s8", "nbits8-b32"),
        "other": ("dynamic-s8",),
        "quantized": (),
    }[kind]


def nodes_of(graph: Any) -> Iterator[Any]:
    """All nodes, those of inner graphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from nodes_of(inner)


def _load(file: Path) -> tuple[Any, list[str]]:
    import onnx

    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        raise UnsupportedModel(f"{file} is no file of at most 2 GB: give the path of an ONNX file")
    try:
        model = onnx.load(str(file), load_external_data=False)
    except Exception as error:  # protobuf's own, which onnx has no name for
        raise UnsupportedModel(f"{file.name} is no ONNX file, or is cut short: {str(error)[:120]}") from error
    if not model.graph.node or not model.opset_import:
        raise UnsupportedModel(f"{file.name} has no graph with operators and an operator set: it is no ONNX model")
    beside = [tensor for tensor in _tensors(model.graph) if tensor.data_location == onnx.TensorProto.EXTERNAL]
    for tensor in beside:
        _check_beside(tensor, file)
    if not beside:
        return model, []
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise UnsupportedModel(f"{file.name}: weights beside it cannot be read: {str(error)[:200]}") from error
    if model.ByteSize() > MOST_BYTES:
        raise UnsupportedModel(f"{file.name} with its weights is over 2 GB, which no board here has room for")
    return model, [f"{len(beside)} weights that lay beside the file are inside now"]


def _check_beside(tensor: Any, file: Path) -> None:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    place = entries.get("location", "")
    target = file.parent / place
    inside = place and not Path(place).is_absolute() and ".." not in Path(place).parts and not target.is_symlink()
    if not inside or not target.resolve().is_relative_to(file.parent.resolve()):
        raise UnsupportedModel(
            f"{file.name}: weight {tensor.name[:80]!r} is said to be in {place[:120]!r}: "
            "only plain files in the graph's own folder are read"
        )
    if not target.is_file():
        raise UnsupportedModel(f"{file.name}: weight {tensor.name[:80]!r} is in {place[:120]!r}, which is not there")


def _check_whole(model: Any, file: Path) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UnsupportedModel(f"{file.name} is no valid ONNX model: {reason}: export it again") from error


def _check_domains(model: Any, file: Path) -> None:
    known = {*STANDARD, MS_DOMAIN, *(function.domain for function in model.functions)}
    for node in nodes_of(model.graph):
        if node.domain not in known:
            raise UnsupportedModel(
                f"{file.name}: node {_name(node)} is {node.domain[:60]}.{node.op_type[:60]}, an operator that "
                "onnxruntime has only with an add-on: export it with standard operators, or as a function of them"
            )


def _check_opset(model: Any, file: Path) -> None:
    versions = {entry.domain or "ai.onnx": int(entry.version) for entry in model.opset_import}
    for domain, newest in NEWEST_OPSETS.items():
        if versions.get(domain, 0) > newest:
            raise UnsupportedModel(
                f"{file.name} has operator set {versions[domain]} of {domain}, boards run up to {newest}: export it "
                f"with opset {newest} or lower, or try `onnx.version_converter`"
            )


def _specs(model: Any, side: Literal["input", "output"]) -> Iterator[TensorSpec]:
    """Inputs that are no weights, or outputs; a free dimension without a name gets one."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for value in getattr(model.graph, side):
        if value.name not in weights or side == "output":
            yield _spec(value, side)


def _spec(value: Any, side: str) -> TensorSpec:
    import onnx
    from onnx import helper

    what = f"{side} {value.name[:80]!r}"
    if value.type.WhichOneof("value") != "tensor_type":
        raise UnsupportedModel(
            f"{what} is a {value.type.WhichOneof('value') or 'thing without a type'}, not a tensor: cut it off the "
            "graph (skl2onnx: export with options={'zipmap': False})"
        )
    tensor = value.type.tensor_type
    if tensor.elem_type == onnx.TensorProto.STRING:
        raise UnsupportedModel(f"{what} is of strings: cut that part off the graph and do it before or after")
    if not tensor.HasField("shape"):
        if side == "input":
            raise UnsupportedModel(f"{what} has no shape: export it with shapes, free dimensions by name")
        return TensorSpec(value.name, _dtype(tensor.elem_type, helper), (f"{value.name}_values",))
    shape = tuple(
        int(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or f"{value.name}_{axis}"
        for axis, dim in enumerate(tensor.shape.dim)
    )
    return TensorSpec(value.name, _dtype(tensor.elem_type, helper), shape)


def _dtype(element: int, helper: Any) -> str:
    return str(np.dtype(helper.tensor_dtype_to_np_dtype(element)).name)


def _kind(graph: Any, weights: dict[str, int]) -> Kind:
    if any(node.op_type in _INT8 for node in nodes_of(graph)):
        return "quantized"
    sums = {"conv": 0, "matmul": 0, "other": 0}
    for node in nodes_of(graph):
        group = "conv" if node.op_type in _CONV else "matmul" if node.op_type in _PRODUCTS else "other"
        sums[group] += sum(weights.get(name, 0) for name in node.input)
    if not sums["conv"] + sums["matmul"]:
        return "other"
    return "conv" if sums["conv"] >= sums["matmul"] else "matmul"


def _weights(graph: Any) -> dict[str, int]:
    """Name -> values of each constant tensor."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in graph.initializer}
    for node in nodes_of(graph):
        if node.op_type == "Constant" and node.output:
            sizes[node.output[0]] = sum(int(np.prod(one.t.dims)) for one in node.attribute if one.name == "value")
    return sizes


def _tensors(graph: Any) -> Iterator[Any]:
    """Every tensor with values, in inner graphs and attributes too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (attribute.g, *attribute.graphs):
                yield from _tensors(inner)


def _name(node: Any) -> str:
    return repr((node.name or (node.output[0] if node.output else ""))[:80])
