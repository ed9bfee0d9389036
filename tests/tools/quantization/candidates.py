"""Candidates with made-up figures, for what is decided by figures alone."""

from __future__ import annotations

import dataclasses

import numpy as np

from edgert_tools.budget import Candidate
from edgert_tools.evaluate import ClassifyQuality, EmbedQuality, compare_embeddings, compare_labels
from edgert_tools.timing import Speed


def embed_quality(mean: float, worst: float | None = None) -> EmbedQuality:
    """Of real vectors, but with the cosines that are wanted."""
    vectors = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
    exact = compare_embeddings(vectors, vectors)
    return dataclasses.replace(exact, cosine_mean=mean, cosine_min=mean if worst is None else worst)


def label_quality(right: int, total: int = 100) -> ClassifyQuality:
    """Float is right on all of `total` texts, int8 on `right`."""
    original = np.eye(2, dtype=np.float32)[[0] * total]
    quantized = np.eye(2, dtype=np.float32)[[0] * right + [1] * (total - right)]
    return compare_labels(original, quantized, ("a", "b"), ["a"] * total)


def candidate(
    scheme: str, mean: float = 0.999, ratio: float = 2.0, size: int = 250, misses: tuple[str, ...] = ()
) -> Candidate:
    """`size` in thousandths of float's."""
    speed = Speed(threads=1, pairs=9, float_ms=10.0, int8_ms=10.0 / ratio, ratio=ratio)
    return Candidate(scheme, size * 1000, size / 1000, embed_quality(mean), speed, misses)
