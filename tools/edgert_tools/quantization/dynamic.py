"""ONNX Runtime's own dynamic int8: weights with one scale a column, activations with one scale a tensor at each run."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from edgert_tools.graph import load_graph


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
    return load_graph(scratch)
