"""Text embedding: one vector a text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.tasks import FloatArray, IntArray, OutputTensor


class EmbedTask:
    """Pools the token vectors of the first output and scales them to length 1, as the manifest says."""

    def __init__(self, spec: TaskSpec) -> None:
        self._spec = spec

    def values(self, outputs: Sequence[FloatArray], attention_mask: IntArray) -> FloatArray:
        """Vectors (texts, width) from the first output, (texts, tokens, width) or already pooled."""
        hidden = outputs[0]
        if hidden.ndim != (2 if self._spec.pooling == "none" else 3):
            raise UnsupportedModel(f"output has shape {hidden.shape}, which pooling {self._spec.pooling!r} cannot take")
        if self._spec.pooling == "mean":
            hidden = mean_pool(hidden, attention_mask)
        elif self._spec.pooling == "cls":
            hidden = hidden[:, 0]
        return unit_length(hidden) if self._spec.normalize else hidden

    def plain(self, row: FloatArray) -> dict[str, object]:
        """`{"embedding": [...]}`"""
        return {"embedding": row.tolist()}

    def tensors(self, values: FloatArray) -> list[OutputTensor]:
        """One FP32 tensor `embedding` (texts, width)."""
        return [OutputTensor("embedding", "FP32", values.shape, values.ravel().tolist())]


def mean_pool(hidden: FloatArray, mask: IntArray) -> FloatArray:
    """Average each text's token vectors, ignoring padding.

    Args:
        hidden: (texts, tokens, width), the model's last hidden state.
        mask: (texts, tokens), 1 for a token, 0 for padding.

    Returns:
        (texts, width). A text with no token at all gives zeros, never NaN.

    Source: Reimers & Gurevych 2019, arXiv:1908.10084, section 3 (MEAN).
    """
    weights = mask[:, :, None].astype(hidden.dtype)
    counts = np.maximum(weights.sum(axis=1), 1)
    pooled: FloatArray = (hidden * weights).sum(axis=1) / counts
    return pooled


def unit_length(vectors: FloatArray) -> FloatArray:
    """Scale each row to Euclidean length 1; a row of zeros stays zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = vectors / np.maximum(lengths, np.float32(1e-12))
    return scaled
