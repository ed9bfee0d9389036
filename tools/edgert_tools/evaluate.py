"""float32 against int8, on texts, through the very pipeline that the board runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.pipeline import Pipeline

FloatArray = npt.NDArray[np.float32]

_CONFUSIONS = 12  # most frequent ones in the report
_RESAMPLES = 1000
_SHORTEST = 4  # doublings: texts of up to 16 characters are one group
_Z95 = 1.959964  # standard deviations of a two-sided 95 % interval


@dataclass(frozen=True)
class Share:
    """A share of texts with its 95 % Wilson interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Interval:
    """Where a mean lies with 95 % confidence."""

    low: float
    high: float


@dataclass(frozen=True)
class LengthScore:
    """How like float int8 is on the `texts` of up to `characters`, and more than the next shorter: 0 to 1."""

    characters: int
    texts: int
    score: float


@dataclass(frozen=True)
class EmbedQuality:
    """Cosines between float and int8 vectors of the same text, and how often the nearest other text is the same."""

    texts: int
    truncated: int
    cosine_mean: float
    cosine_min: float
    cosine_p1: float
    cosine_p10: float
    cosine_p50: float
    same_neighbour: Share
    cosine_mean_interval: Interval
    by_length: tuple[LengthScore, ...] = ()


@dataclass(frozen=True)
class Confusion:
    """`count` texts of `label` were taken for `taken_for`."""

    label: str
    taken_for: str
    count: int


@dataclass(frozen=True)
class LabelAccuracy:
    """The share of one label's `count` texts that each model gets right."""

    label: str
    count: int
    float_accuracy: float
    int8_accuracy: float


@dataclass(frozen=True)
class ClassifyQuality:
    """Agreement of the two models' labels and, on labelled texts, the accuracy of both and what int8 confuses."""

    texts: int
    truncated: int
    agreement: Share
    float_accuracy: Share | None
    int8_accuracy: Share | None
    accuracy_drop_points: float | None
    mean_label_accuracy: float | None
    confusions: tuple[Confusion, ...]
    by_label: tuple[LabelAccuracy, ...] = ()
    by_length: tuple[LengthScore, ...] = ()


@dataclass(frozen=True)
class LabelScore:
    """F1 of one label that `count` entities have: of both models."""

    label: str
    count: int
    float_f1: float
    int8_f1: float


@dataclass(frozen=True)
class AnswerQuality:
    """How often both models say the `same` (entities, answer, order, label), and how often each is right.

    `measure` is what the accuracies are: F1, exact match, ...; None where nobody knows what is right.
    """

    texts: int
    truncated: int
    same: str
    agreement: Share
    measure: str | None = None
    float_accuracy: Share | None = None
    int8_accuracy: Share | None = None
    accuracy_drop_points: float | None = None
    by_label: tuple[LabelScore, ...] = ()
    by_length: tuple[LengthScore, ...] = ()


Quality = EmbedQuality | ClassifyQuality | AnswerQuality


def values_of(pipeline: Pipeline, texts: Sequence[str], label: str) -> tuple[FloatArray, int]:
    """The pipeline's values for all texts, (texts, width) in their order, and how many were cut to fit.

    Texts of similar length go together: little padding. A model that is not batch invariant gets one text a run
    from the pipeline itself.

    Args:
        label: for the progress bar, which shows on a terminal only.
    """
    from tqdm import tqdm

    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    size = pipeline.manifest.limits.max_texts
    parts, truncated = [], 0
    with tqdm(total=len(texts), desc=label, unit="text", leave=False, disable=None) as bar:
        for start in range(0, len(order), size):
            result = pipeline.run([texts[index] for index in order[start : start + size]], truncate=True)
            parts.append(result.values)
            truncated += sum(result.truncated)
            bar.update(len(result.truncated))
    values = np.concatenate(parts)
    return values[np.argsort(order)], truncated


def compare_embeddings(
    original: FloatArray, quantized: FloatArray, truncated: int = 0, lengths: Sequence[int] = ()
) -> EmbedQuality:
    """Both (texts, width), row by row of the same texts; any scale. `lengths`: characters of each text, if known."""
    first, second = _unit(original), _unit(quantized)
    cosines = (first * second).sum(axis=1, dtype=np.float64)
    p1, p10, p50 = np.percentile(cosines, [1, 10, 50])
    same = int((_nearest(first) == _nearest(second)).sum()) if len(first) > 2 else len(first)
    return EmbedQuality(
        texts=len(first),
        truncated=truncated,
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        cosine_p1=float(p1),
        cosine_p10=float(p10),
        cosine_p50=float(p50),
        same_neighbour=wilson(same, len(first)),
        cosine_mean_interval=interval_of_mean(cosines),
        by_length=by_length(cosines, lengths),
    )


def compare_labels(
    original: FloatArray,
    quantized: FloatArray,
    names: Sequence[str],
    truth: Sequence[str] | None,
    truncated: int = 0,
    lengths: Sequence[int] = (),
) -> ClassifyQuality:
    """Both (texts, labels) probabilities; `truth` is each text's right label and `lengths` its characters, if known."""
    first, second, total = original.argmax(axis=1), quantized.argmax(axis=1), len(original)
    agreement = wilson(int((first == second).sum()), total)
    alike = by_length((first == second).astype(np.float64), lengths)
    if truth is None:
        return ClassifyQuality(total, truncated, agreement, None, None, None, None, (), by_length=alike)
    right = np.array([names.index(label) if label in names else -1 for label in truth])
    hits = second == right
    before, after = wilson(int((first == right).sum()), total), wilson(int(hits.sum()), total)
    pairs = Counter((truth[i], names[second[i]]) for i in map(int, np.flatnonzero(~hits)))
    confusions = tuple(Confusion(*pair, count) for pair, count in pairs.most_common(_CONFUSIONS))
    by_label = _by_label(names, truth, first == right, hits)
    mean = sum(one.int8_accuracy for one in by_label) / len(by_label)
    drop = 100 * (before.value - after.value)
    return ClassifyQuality(total, truncated, agreement, before, after, drop, mean, confusions, by_label, alike)


def _by_label(
    names: Sequence[str], truth: Sequence[str], before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]
) -> tuple[LabelAccuracy, ...]:
    found = []
    for label in sorted(set(truth), key=lambda name: (name not in names, name)):
        own = np.array([one == label for one in truth])
        found.append(LabelAccuracy(label, int(own.sum()), float(before[own].mean()), float(after[own].mean())))
    return tuple(found)


def by_length(scores: npt.NDArray[np.float64], lengths: Sequence[int]) -> tuple[LengthScore, ...]:
    """The mean score of texts by their length, which doubles from group to group; nothing if no lengths are known."""
    groups: dict[int, list[float]] = {}
    for score, length in zip(scores.tolist(), lengths, strict=bool(lengths)):
        groups.setdefault(1 << max(_SHORTEST, (length - 1).bit_length()), []).append(score)
    return tuple(LengthScore(longest, len(own), sum(own) / len(own)) for longest, own in sorted(groups.items()))


def wilson(hits: int, total: int) -> Share:
    """The share `hits / total` with its 95 % interval.

    Source: E. B. Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    if total < 1:
        raise ValueError(f"a share of {total} texts is not defined")
    z, p = _Z95, hits / total
    center = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return Share(p, max(0.0, center - half), min(1.0, center + half))


def interval_of_mean(values: npt.NDArray[np.float64]) -> Interval:
    """The 95 % interval of the mean by resampling: cosines crowd below 1, so no symmetric formula fits.

    Source: Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile interval).
    """
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def _unit(vectors: FloatArray) -> npt.NDArray[np.float64]:
    exact = vectors.astype(np.float64)
    scaled: npt.NDArray[np.float64] = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12)
    return scaled


def _nearest(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    similarities = vectors @ vectors.T
    np.fill_diagonal(similarities, -np.inf)
    nearest: npt.NDArray[np.intp] = similarities.argmax(axis=1)
    return nearest
