"""ONNX Runtime's own dynamic int8: weights with one scale a column, activations with one scale a tensor at each run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgert_tools.graph import load_graph
from edgert_tools.quantization.int8_graph import drop_unused

_WEIGHTS_ZERO = 3  # which input of MatMulInteger


def quantize_dynamically(model: Any, scratch: Path, keep_float: Collection[str]) -> Any:
    """The quantized model; `scratch` is a file that is written on the way."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # MatMulConstBOnly: products of two activations stay float. DefaultTensorType: fused operators have no inferred
    # type, without it the quantizer stops with "Unable to find data type".
    options = {"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(
        model,  # given a path, it writes a second file beside it
        str(scratch),
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=list(keep_float),
        extra_options=options,
    )
    made = load_graph(scratch)
    _drop_zeros(made)
    return made


def _drop_zeros(model: Any) -> None:
    """Weights are symmetric: zero points of 0 say nothing, but cost a pass over the other factor at each run."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        zero = tensors.get(node.input[_WEIGHTS_ZERO]) if node.op_type == "MatMulInteger" else None
        if zero is not None and not numpy_helper.to_array(zero).any():
            del node.input[_WEIGHTS_ZERO:]
    drop_unused(model)
