"""ONNX graphs: what is in a file, and small edits that several steps share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec

MS_DOMAIN = "com.microsoft"  # ONNX Runtime's own operators


def load_graph(file: Path) -> Any:
    """The file's `ModelProto`."""
    import onnx

    return onnx.load(str(file))


def save_graph(model: Any, file: Path) -> Path:
    """Write the model, the same bytes for the same model: tables in protobuf maps would else come in any order."""
    file.write_bytes(model.SerializeToString(deterministic=True))
    return file


def inputs_of(model: Any) -> tuple[TensorSpec, ...]:
    """Name, dtype and shape of each input, in order."""
    return tuple(_spec(value) for value in model.graph.input)


def outputs_of(model: Any) -> tuple[TensorSpec, ...]:
    """Name, dtype and shape of each output, in order."""
    return tuple(_spec(value) for value in model.graph.output)


def opset_of(model: Any) -> int:
    """Version of the standard operator set."""
    return next(int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx"))


def needs_opset(model: Any, domain: str, version: int = 1) -> None:
    """Declare an operator set, if the model does not yet."""
    from onnx import helper

    if not any(opset.domain == domain for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(domain, version))


def keep_outputs(model: Any, count: int = 1) -> None:
    """Drop all outputs but the first ones, which are those the board reads, and the nodes that only served the rest."""
    graph = model.graph
    del graph.output[count:]
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # nodes are sorted: every use comes after its source
        if wanted.intersection(node.output):
            wanted.update(name for name in node.input if name)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    used = [tensor for tensor in graph.initializer if tensor.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _spec(value: Any) -> TensorSpec:
    from onnx import helper

    tensor = value.type.tensor_type
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    shape = tuple(dim.dim_param or int(dim.dim_value) for dim in tensor.shape.dim)
    return TensorSpec(value.name, dtype, shape)
