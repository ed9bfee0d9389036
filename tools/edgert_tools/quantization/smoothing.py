"""Outlier channels: activations divided and weights multiplied by one factor a channel, so that int8 holds both.

In BERT-like models a few channels are ten times larger than all others; they set the scale of the whole tensor and the
others are left with a handful of levels. MiniLM, 500 reviews: cosine 0.992 without, 0.998 with, for one Mul a tensor.
Source: Xiao et al. 2023, "SmoothQuant", arXiv:2211.10438, equation 4; there the strength is given, here it is measured.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgert_tools.quantization.calibration import Seen
from edgert_tools.quantization.products import Product
from edgert_tools.quantization.rounding import Int8Weights, Range
from edgert_tools.quantization.scheme import Activations

FloatArray = npt.NDArray[np.float32]

STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9)  # how much of the trouble is moved from activations to weights
_STEPS = 4  # factors are powers of 2 to a quarter: last bits of a calibration must not change a bundle's bytes
_LARGEST = 2.0**10
_TINY = 1e-6
_SILENT = 1e-4  # of the loudest channel


def smooth(source: Sequence[Product], seen: Seen, activations: Activations) -> FloatArray | None:
    """The factors (width) to divide a tensor by before the products that share it; None if it is best left alone.

    Args:
        source: products of one tensor.
        seen: that tensor on calibration rows.
        activations: how it will be quantized: the factors with the least error of all products' results are taken.
    """
    largest = _as_if_heard(np.maximum(np.abs(seen.lowest), np.abs(seen.highest)).astype(np.float64))
    heaviest = np.max([np.abs(item.weights).max(axis=1) for item in source], axis=0).astype(np.float64)
    tried = [None, *(_factors(largest, heaviest, strength) for strength in STRENGTHS)]
    errors = [_error(source, seen, activations, factors) for factors in tried]
    return tried[int(np.argmin(errors))]  # the first of equals, so the weaker one


def span_of(seen: Seen, factors: FloatArray | None) -> Range:
    """The tensor's range on the calibration rows, after smoothing; three figures, for the same bytes everywhere."""
    low, high = seen.lowest, seen.highest
    if factors is not None:
        low, high = low / factors, high / factors
    return float(f"{low.min():.2e}"), float(f"{high.max():.2e}")


def _as_if_heard(largest: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The largest values of each channel; those that were silent on the calibration rows taken for ordinary ones.

    What is silent there may speak later, and the factor of silence would blow it up beyond any range.
    """
    heard = largest > _SILENT * largest.max()
    return np.where(heard, largest, np.median(largest[heard]) if heard.any() else 1.0)


def _factors(largest: npt.NDArray[np.float64], heaviest: npt.NDArray[np.float64], strength: float) -> FloatArray:
    raw = np.maximum(largest, _TINY) ** strength / np.maximum(heaviest, _TINY) ** (1 - strength)
    raw /= np.exp(np.log(raw).mean())
    stepped = 2.0 ** (np.rint(_STEPS * np.log2(raw)) / _STEPS)
    factors: FloatArray = np.clip(stepped, 1 / _LARGEST, _LARGEST).astype(np.float32)
    return factors


def _error(source: Sequence[Product], seen: Seen, activations: Activations, factors: FloatArray | None) -> float:
    """Summed squared error of the results on the samples, each product's relative to its results."""
    span, total = span_of(seen, factors), 0.0
    for item in source:
        weights = Int8Weights(item.weights, factors)
        off = whole = 0.0
        for values in seen.samples:
            exact = values @ item.weights
            off += _squares(weights.product(values, activations, span) - exact)
            whole += _squares(exact)
        total += off / max(whole, _TINY)
    return total


def _squares(values: FloatArray) -> float:
    return float(np.vdot(values, values))
