"""The products of a graph that int8 is about: MatMul of something computed with constant weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
ByteArray = npt.NDArray[np.int8]

_LARGEST = 127  # weights are within -127 to 127: with -128 some kernels overflow


@dataclass(frozen=True)
class Product:
    """One MatMul: its node's name, the tensor that comes in, the one that goes out, and weights (inputs, outputs)."""

    name: str
    source: str
    result: str
    weights: FloatArray


def products_of(model: Any, keep_float: Collection[str] = ()) -> tuple[Product, ...]:
    """All MatMul nodes with a constant matrix, in the graph's order, but for those named in `keep_float`."""
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    found = []
    for node in model.graph.node:
        if node.op_type != "MatMul" or node.name in keep_float or node.input[1] not in tensors:
            continue
        weights = numpy_helper.to_array(tensors[node.input[1]])
        if weights.ndim == 2 and weights.dtype == np.float32:
            found.append(Product(node.name, node.input[0], node.output[0], weights))
    return tuple(found)


def quantize_columns(weights: FloatArray) -> tuple[ByteArray, FloatArray]:
    """Weights (inputs, outputs) as int8, and the scale of each output, so that codes * scales is about the weights."""
    scales = (np.abs(weights).max(axis=0) / np.float32(_LARGEST)).astype(np.float32)
    scales[scales == 0] = 1
    codes = np.clip(np.rint(weights / scales), -_LARGEST, _LARGEST).astype(np.int8)
    return codes, scales
