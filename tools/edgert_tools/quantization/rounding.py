"""int8 activations in NumPy: what the kernels do to a tensor, for measuring what it costs before a graph is made."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edgert_tools.quantization.products import quantize_columns
from edgert_tools.quantization.scheme import Activations

FloatArray = npt.NDArray[np.float32]
Range = tuple[float, float]  # lowest and highest value of a tensor

_LEVELS = 255  # of unsigned 8 bits, less one
_ROW_LEVELS = 127  # each side of zero: a row is scaled to -1 to 1
_TINY = np.float32(1e-9)


def scale_and_zero(span: Range) -> tuple[np.float32, np.uint8]:
    """Scale and zero point of unsigned 8 bits for a range, widened to hold 0 as DynamicQuantizeLinear does."""
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    scale = np.float32(max((high - low) / _LEVELS, float(_TINY)))
    return scale, np.uint8(np.clip(np.rint(-low / scale), 0, _LEVELS))


def rounded(values: FloatArray, activations: Activations, span: Range) -> FloatArray:
    """Values (tokens, width) after int8 and back.

    Args:
        activations: "rows" has a scale for each token; "static" has that of `span`; "dynamic" that of these values.
    """
    if activations == "rows":
        largest = np.maximum(np.abs(values).max(axis=-1, keepdims=True), _TINY)
        back: FloatArray = np.rint(values / largest * _ROW_LEVELS) * (largest / _ROW_LEVELS)
        return back
    own = span if activations == "static" else (float(values.min()), float(values.max()))
    scale, zero = scale_and_zero(own)
    codes = np.clip(np.rint(values / scale) + zero, 0, _LEVELS)
    restored: FloatArray = ((codes - zero) * scale).astype(np.float32)
    return restored


class Int8Weights:
    """A product's weights (inputs, outputs) as int8, smoothed by `factors` (inputs) if there are any."""

    def __init__(self, weights: FloatArray, factors: FloatArray | None) -> None:
        self._factors = factors
        codes, self._scales = quantize_columns(weights if factors is None else weights * factors[:, None])
        self._codes = codes.astype(np.float32)

    def product(self, values: FloatArray, activations: Activations, span: Range) -> FloatArray:
        """What int8 gives for values (tokens, inputs) times the weights, up to float rounding."""
        smoothed = values if self._factors is None else values / self._factors
        result: FloatArray = (rounded(smoothed, activations, span) @ self._codes) * self._scales
        return result
