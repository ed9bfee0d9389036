"""An ONNX file's graph, without its weights -> `Model`: what its operators do with which tensor."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgert_tools.planning.folder_model import Asked, card_license, tokenizer_facts
from edgert_tools.planning.model import Dimensions, Family, Model
from edgert_tools.planning.onnx_skeleton import read_skeleton
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.tensors import MOST_VALUES
from edgert_tools.planning.weights import Role, Weight
from edgert_tools.recipe import SCHEMES

_DEFAULT_TOKENS = 128
# onnx.TensorProto types -> bytes a value
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2, 21: 0.5, 22: 0.5}
_FLOATS, _SMALL_INTEGERS = (1, 10, 11, 16), (2, 3, 21, 22)
# Operator -> which inputs are weights, and what they are.
_WEIGHTS: dict[str, tuple[int, Role]] = {
    "MatMul": (1, "matrix"),
    "Gemm": (1, "matrix"),
    "Attention": (1, "matrix"),
    "Gather": (0, "table"),
    "Conv": (1, "convolution"),
    "ConvTranspose": (1, "convolution"),
    "LSTM": (1, "convolution"),
    "GRU": (1, "convolution"),
}


def model_of_onnx(file: Path, source: str, asked: Asked) -> Model:
    """Describe an ONNX file.

    Raises:
        BadSource: it is no whole ONNX file.
    """
    graph = parse_onnx(file)
    tensors = _tensors(graph.graph)
    stored = sum(_stored(tensor) for tensor in tensors.values())
    small = sum(_stored(tensor) for tensor in tensors.values() if tensor.data_type in _SMALL_INTEGERS)
    inputs = [value.name for value in graph.graph.input if value.name not in tensors]
    weights = _weights(graph.graph, tensors)
    opset = next((int(entry.version) for entry in graph.opset_import if entry.domain in ("", "ai.onnx")), 0)
    family = _family(inputs)
    return Model(
        source=source,
        origin="ONNX file",
        architecture=f"ONNX graph by {graph.producer_name[:40] or 'unknown'}",
        task="tensors",
        family=family,
        weights=weights,
        stored_bytes=stored,
        max_tokens=_tokens(asked, family, graph.graph),
        dimensions=_dimensions(graph.graph, weights),
        tokenizer=tokenizer_facts(file.parent),
        license=card_license(file.parent),
        blockers=tuple(operator_blockers(graph, opset)),
        notes=_notes(graph.graph, family),
        made_for=("float32", *SCHEMES),  # a graph of which int8 is no gain is packed as it is
        quantized=small * 2 > stored,
        opset=opset,
        operators=dict(Counter(_operator(node) for node in _nodes(graph.graph)).most_common()),
    )


def parse_onnx(file: Path) -> Any:
    """The file's `ModelProto` without the values of its tensors.

    Raises:
        BadSource: it is no whole ONNX file.
    """
    skeleton = read_skeleton(file)
    import onnx

    graph = onnx.ModelProto()
    try:
        graph.ParseFromString(skeleton)
    except Exception as error:  # protobuf's DecodeError has no other base
        raise BadSource(f"{file.name} is not ONNX: {str(error)[:120]}") from error
    if not graph.graph.node or not graph.opset_import:
        raise BadSource(f"{file.name} has no graph with operators and an operator set: it is no ONNX model")
    if not all(isinstance(text, str) for text in _texts(graph)):
        raise BadSource(f"{file.name} has a name that is not UTF-8: it is damaged")
    return graph


def _texts(model: Any) -> Iterator[object]:
    """Every name that is read here; protobuf gives bytes for one that is not UTF-8."""
    yield model.producer_name
    for entry in (*model.opset_import, *model.functions):
        yield entry.domain
    for value in (*model.functions, *model.graph.input, *model.graph.initializer):
        yield value.name
    for node in _nodes(model.graph):
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def operator_blockers(model: Any, opset: int) -> list[str]:
    """Operators that the onnxruntime which is installed here has no kernel for on the CPU, with the first such node."""
    kernels = _kernels()
    versions = {entry.domain: int(entry.version) for entry in model.opset_import} | {"": opset}
    own = {(function.domain, function.name) for function in model.functions}
    found: dict[str, str] = {}
    for node in _nodes(model.graph):
        domain = "" if node.domain == "ai.onnx" else node.domain
        version = versions.get(domain, 1)
        ranges = kernels.get((domain, node.op_type), ())
        known = any(first <= version <= last for first, last in ranges) or (node.domain, node.op_type) in own
        if not known and not _is_function(domain, node.op_type, version):
            found.setdefault(_operator(node), node.name or node.output[0] if node.output else node.name)
    return [
        f"onnxruntime has no CPU kernel for {name} (opset {opset}), as at node {node[:80]!r}: export with another opset"
        for name, node in found.items()
    ]


def _is_function(domain: str, name: str, version: int) -> bool:
    """Whether the operator is defined by others, which onnxruntime then uses."""
    import onnx

    if not onnx.defs.has(name, domain):
        return False
    try:
        schema = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def _kernels() -> dict[tuple[str, str], list[tuple[int, int]]]:
    """(domain, operator) -> ranges of opsets."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for kernel in state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            found.setdefault((kernel.domain, kernel.op_name), []).append(tuple(kernel.version_range))
    # Handled by the session itself, without a kernel.
    return found | {("", "Constant"): [(1, 1 << 31)]}


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes, those of inner graphs too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _tensors(graph: Any) -> dict[str, Any]:
    """Name -> initializer or constant, its shape checked."""
    found = {tensor.name: tensor for tensor in graph.initializer}
    for node in _nodes(graph):
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.name == "value":
                    found[node.output[0]] = attribute.t
    for name, tensor in found.items():
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > MOST_VALUES:
            raise BadSource(f"tensor {name[:80]!r} has the shape {list(tensor.dims)[:8]}: the file is damaged")
    return found


def _weights(graph: Any, tensors: dict[str, Any]) -> tuple[Weight, ...]:
    uses: dict[str, tuple[Role, bool]] = {}
    for node in _nodes(graph):
        place, role = _WEIGHTS.get(node.op_type, (-1, "float"))
        if 0 <= place < len(node.input) and node.input[place] in tensors:
            turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            uses.setdefault(node.input[place], (role, turned))
    return tuple(_weight(name, tensor, *uses.get(name, ("float", False))) for name, tensor in tensors.items())


def _weight(name: str, tensor: Any, role: Role, outputs_first: bool) -> Weight:
    dims, values = list(tensor.dims), math.prod(tensor.dims)
    if tensor.data_type in _SMALL_INTEGERS:
        return Weight(name, "codes", 1, values)
    if tensor.data_type not in _FLOATS:
        return Weight(name, "left_out", 1, values)
    if role in ("matrix", "table") and len(dims) == 2 and values:
        if role == "matrix" and not outputs_first:
            dims.reverse()  # MatMul has (inputs, outputs)
        return Weight(name, role, dims[0], dims[1])
    return Weight(name, role if role == "convolution" else "float", 1, values)


def _family(inputs: list[str]) -> Family:
    if any("past" in name for name in inputs):
        return "decoder"
    return "encoder" if "input_ids" in inputs else "other"


def _tokens(asked: Asked, family: Family, graph: Any) -> int:
    if family == "other":
        return 0
    shapes = [value.type.tensor_type.shape.dim for value in graph.input if value.name == "input_ids"]
    fixed = int(shapes[0][1].dim_value) if shapes and len(shapes[0]) == 2 else 0
    return fixed or asked.max_tokens or _DEFAULT_TOKENS


def _dimensions(graph: Any, weights: tuple[Weight, ...]) -> Dimensions:
    """Width from the largest table, the widest layer, heads from fused attention: what a graph shows."""
    table = max((weight for weight in weights if weight.role == "table"), key=lambda w: w.values, default=None)
    inner = max((min(weight.rows, 1 << 20) for weight in weights if weight.role == "matrix"), default=0)
    heads = [attribute.i for node in _nodes(graph) for attribute in node.attribute if attribute.name == "num_heads"]
    width, count = (table.columns if table else 0), int(max(heads, default=0))
    return Dimensions(len(heads), width, inner, count, count, width // count if count > 0 else 0)


def _notes(graph: Any, family: Family) -> tuple[str, ...]:
    notes = []
    if family == "other":
        notes.append("how large its inputs are is not known: memory is without activations")
    if family != "other" and not any(attribute.name == "num_heads" for n in graph.node for attribute in n.attribute):
        notes.append("attention is not fused: the number of heads cannot be seen, memory is for the rest")
    if any(node.op_type in ("Conv", "ConvTranspose") for node in _nodes(graph)):
        notes.append("convolutions: static int8 suits them, no instructions were counted for them")
    return tuple(notes)


def _operator(node: Any) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else str(node.op_type)


def _stored(tensor: Any) -> int:
    return math.ceil(float(math.prod(tensor.dims)) * _BYTES.get(tensor.data_type, 0))
