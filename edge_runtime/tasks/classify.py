"""Text classification: one label a text, with the probability of each label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.tasks import FloatArray, IntArray, OutputTensor

TOP = 5  # labels in a short answer; the tensor form gives all


class ClassifyTask:
    """Softmax over the logits of the first output."""

    def __init__(self, spec: TaskSpec) -> None:
        if not spec.labels:
            raise UnsupportedModel("a classify bundle must list its labels: convert again")
        self._labels = spec.labels

    def values(self, outputs: Sequence[FloatArray], attention_mask: IntArray) -> FloatArray:
        """Probabilities (texts, labels); each row sums to 1."""
        logits = outputs[0]
        if logits.ndim != 2 or logits.shape[1] != len(self._labels):
            raise UnsupportedModel(f"logits have shape {logits.shape}, the manifest lists {len(self._labels)} labels")
        return softmax(logits)

    def plain(self, row: FloatArray) -> dict[str, object]:
        """`{"label": ..., "score": ..., "top": [{"label": ..., "score": ...}, ...]}`, best first."""
        best = np.argsort(-row, kind="stable")[:TOP]
        scores = row[best].tolist()
        top = [{"label": self._labels[i], "score": round(s, 6)} for i, s in zip(best.tolist(), scores, strict=True)]
        return {**top[0], "top": top}

    def tensors(self, values: FloatArray) -> list[OutputTensor]:
        """BYTES `label` and FP32 `score` (texts), FP32 `probabilities` (texts, labels)."""
        best = values.argmax(axis=1)
        return [
            OutputTensor("label", "BYTES", best.shape, [self._labels[i] for i in best]),
            OutputTensor("score", "FP32", best.shape, values.max(axis=1).tolist()),
            OutputTensor("probabilities", "FP32", values.shape, values.ravel().tolist()),
        ]


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities of each row, (texts, labels) -> (texts, labels); large logits do not overflow."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
