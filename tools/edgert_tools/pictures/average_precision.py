"""How good a detector is: the mean of its labels' average precision, boxes counting from half an overlap on.

Everingham et al. 2010, "The Pascal Visual Object Classes Challenge", section 4.2: precision is made monotonous and
integrated over recall, at all points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.models.pictures.box_layouts import overlaps
from edgert_tools.evaluate import Share

OVERLAP = 0.5
_RESAMPLES = 200

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Objects:
    """What is in one picture, or was found in it: numbers of labels, scores (1 for what is), boxes as corners."""

    labels: npt.NDArray[np.int64]
    scores: Floats
    boxes: Floats


def mean_average_precision(found: Sequence[Objects], there: Sequence[Objects], labels: int) -> Share:
    """Of the pictures in their order, with the 95 % interval of pictures drawn anew.

    Source of the interval: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    matched = [_matched(one, truth) for one, truth in zip(found, there, strict=True)]
    whole = _mean(matched, found, there, range(len(found)), labels)
    rng = np.random.default_rng(0)
    drawn = [rng.integers(0, len(found), len(found)).tolist() for _ in range(_RESAMPLES)]
    low, high = np.percentile([_mean(matched, found, there, rows, labels) for rows in drawn], [2.5, 97.5])
    return Share(whole, float(low), float(high))


def _matched(found: Objects, there: Objects) -> npt.NDArray[np.bool_]:
    """Which of what was found is there: each that is there counts once, for the surest."""
    right, left = np.zeros(len(found.labels), np.bool_), np.ones(len(there.labels), np.bool_)
    for place in np.argsort(-found.scores, kind="stable").tolist():
        alike = overlaps(found.boxes[place], there.boxes) * (there.labels == found.labels[place])
        if not len(alike):
            continue
        best = int(alike.argmax())
        right[place] = alike[best] >= OVERLAP and left[best]
        left[best] &= not right[place]
    return right


def _mean(
    matched: Sequence[npt.NDArray[np.bool_]],
    found: Sequence[Objects],
    there: Sequence[Objects],
    rows: Sequence[int],
    labels: int,
) -> float:
    kinds, scores, right = (
        np.concatenate(parts)
        for parts in (
            [found[row].labels for row in rows], [found[row].scores for row in rows], [matched[row] for row in rows]
        )
    )  # fmt: skip
    counts = np.bincount(np.concatenate([there[row].labels for row in rows]), minlength=labels)
    each = [_precision(scores[kinds == kind], right[kinds == kind], int(counts[kind])) for kind in range(labels)]
    return float(np.mean([one for one, count in zip(each, counts, strict=True) if count]))


def _precision(scores: Floats, right: npt.NDArray[np.bool_], there: int) -> float:
    """The average precision of one label."""
    if not len(scores) or not there:
        return 0.0
    hits = np.cumsum(right[np.argsort(-scores, kind="stable")])
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    return float((np.diff(hits, prepend=0) * precision).sum() / there)
