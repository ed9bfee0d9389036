from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from edgert_tools.quantization.calibration import Seen
from edgert_tools.quantization.products import Product
from edgert_tools.quantization.rounding import Int8Weights
from edgert_tools.quantization.scheme import Activations
from edgert_tools.quantization.smoothing import smooth, span_of

WIDTH, SILENT, LOUD = 16, 3, 5


def seen_of(values: np.ndarray) -> Seen:
    return Seen(values.min(axis=0), values.max(axis=0), (values,))


@pytest.fixture
def calibrated() -> np.ndarray:
    """Activations with a loud channel, and one that is silent but could speak."""
    values = np.random.default_rng(0).normal(size=(200, WIDTH)).astype(np.float32)
    values[:, LOUD] *= 50
    values[:, SILENT] = 0
    return values


@pytest.fixture
def product() -> Product:
    weights = np.random.default_rng(1).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    return Product("product", "source", "result", weights)


@pytest.mark.parametrize("activations", get_args(Activations))
def test_a_channel_that_was_silent_may_speak_later(
    calibrated: np.ndarray, product: Product, activations: Activations
) -> None:
    seen = seen_of(calibrated)
    factors = smooth([product], seen, activations)
    assert factors is not None
    others = np.delete(factors, [SILENT, LOUD])
    assert others.min() / 2 <= factors[SILENT] <= others.max() * 2
    later = calibrated.copy()
    later[:, SILENT] = np.random.default_rng(2).normal(size=len(later))
    found = Int8Weights(product.weights, factors).product(later, activations, span_of(seen, factors))
    exact = later @ product.weights
    assert np.linalg.norm(found - exact) < 0.05 * np.linalg.norm(exact)


def test_a_tensor_that_is_always_zero_is_left_alone(product: Product) -> None:
    silent = seen_of(np.zeros((4, WIDTH), np.float32))
    factors = smooth([product], silent, "rows")
    assert factors is None or np.isfinite(factors).all()
