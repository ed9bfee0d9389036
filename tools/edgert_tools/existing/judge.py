"""How far int8 answers lie from float ones, output by output, and what of that is outside the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import Answer
from edge_runtime.tasks import NUMPY_TYPES, OutputTensor
from edgert_tools.evaluate import Share, wilson
from edgert_tools.existing.recipe import GraphBudget

SCORE_WORDS = ("logit", "prob", "score", "softmax", "class")
_MOST_CLASSES = 100_000


@dataclass(frozen=True)
class OutputQuality:
    """One output on all rows; what does not make sense for it is None.

    Attributes:
        cosine_mean, cosine_min: of the rows' values, for two values or more.
        gap: the largest difference, as a share of the output's range on all float rows.
        top1: rows with the same largest value along the last axis (each position of it), for class scores.
        same: rows that are equal, for whole numbers and texts.
    """

    name: str
    rows: int
    cosine_mean: float | None = None
    cosine_min: float | None = None
    gap: float | None = None
    top1: Share | None = None
    same: Share | None = None


Quality = tuple[OutputQuality, ...]


def compare(original: Sequence[Answer], found: Sequence[Answer], scores: Sequence[str] = ()) -> Quality:
    """Compare the answers to the same questions.

    Args:
        original, found: of the float and the int8 model.
        scores: outputs that are class scores; without any, those whose name says so.

    Raises:
        UnsupportedModel: a float answer has a number that is none.
    """
    theirs, ours = ([answer.tensors() for answer in answers] for answers in (original, found))
    return tuple(
        _output([row[place] for row in theirs], [row[place] for row in ours], scores) for place in range(len(theirs[0]))
    )


def misses(quality: Quality, budget: GraphBudget) -> tuple[str, ...]:
    """Each bound that does not hold, with what was found and what was asked."""
    found: list[str] = []
    for output in quality:
        bounds = (
            ("cosine mean", output.cosine_mean, budget.cosine_mean),
            ("cosine min", output.cosine_min, budget.cosine_min),
            ("same first class", output.top1.value if output.top1 else None, budget.top1_min),
            ("same", output.same.value if output.same else None, budget.same_min),
        )
        for what, value, least in bounds:
            if value is not None and not value >= least:  # also catches NaN
                found.append(f"{output.name}: {what} {value:.5f}, at least {least}")
        if output.gap is not None and output.top1 is None and not output.gap <= budget.gap_max:
            found.append(f"{output.name}: gap {output.gap:.4f} of its range, at most {budget.gap_max}")
    return tuple(found)


def in_short(quality: Quality) -> str:
    """The figures that decide, on one line."""
    return "; ".join(_words(output) for output in quality)


def _words(output: OutputQuality) -> str:
    parts = []
    if output.cosine_mean is not None and output.cosine_min is not None:
        parts.append(f"cosine {output.cosine_mean:.5f} mean, {output.cosine_min:.5f} min")
    if output.top1 is not None:
        parts.append(f"same first class {output.top1.value:.2%}")
    if output.gap is not None:
        parts.append(f"gap {output.gap:.4f} of its range")
    if output.same is not None:
        parts.append(f"same {output.same.value:.2%}")
    return f"{output.name} {', '.join(parts) or 'empty'}"


def _output(theirs: Sequence[OutputTensor], ours: Sequence[OutputTensor], scores: Sequence[str]) -> OutputQuality:
    name, datatype = theirs[0].name, theirs[0].datatype
    if not datatype.startswith("FP"):
        equal = [list(a.data) == list(b.data) for a, b in zip(theirs, ours, strict=True)]
        return OutputQuality(name, len(equal), same=wilson(sum(equal), len(equal)))
    pairs = [(_array(a), _array(b)) for a, b in zip(theirs, ours, strict=True)]
    if not all(np.isfinite(a).all() for a, _ in pairs):
        raise UnsupportedModel(f"output {name!r} of the float graph is infinite or no number on a row: check the data")
    matching = [(a, b) for a, b in pairs if a.shape == b.shape and a.size]
    lost = len([1 for a, b in pairs if a.shape != b.shape])
    cosines = [_cosine(a.reshape(-1), b.reshape(-1)) for a, b in matching if a.size > 1]
    cosines += [0.0] * lost if cosines or not matching else []  # single values have no direction, lost or not
    low, high = (function([function(a) for a, _ in matching], initial=0.0) for function in (np.min, np.max))
    span = float(high - low) or 1.0
    gaps = [float(np.abs(a - b).max()) / span for a, b in matching] + [1.0] * lost
    top1 = _top1(matching, lost) if matching and _is_scores(name, matching[0][0].shape, scores) else None
    return OutputQuality(
        name,
        len(pairs),
        float(np.mean(cosines)) if cosines else None,
        float(np.min(cosines)) if cosines else None,
        max(gaps) if gaps else None,
        top1,
    )


def _is_scores(name: str, shape: tuple[int, ...], scores: Sequence[str]) -> bool:
    named = name in scores or (not scores and any(word in name.lower() for word in SCORE_WORDS))
    return named and len(shape) > 1 and 1 < shape[-1] < _MOST_CLASSES


def _array(tensor: OutputTensor) -> np.ndarray[Any, Any]:
    return np.asarray(tensor.data, NUMPY_TYPES[tensor.datatype]).astype(np.float64).reshape(tensor.shape)


def _top1(pairs: Sequence[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]], lost: int) -> Share:
    equal = [(a.argmax(axis=-1) == b.argmax(axis=-1)).reshape(-1) for a, b in pairs]
    together = np.concatenate(equal)
    return wilson(int(together.sum()), len(together) + lost)


def _cosine(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else float(not (a.any() or b.any()))
