"""A float and an int8 Whisper on the same speech, by turns, through the board's own model."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.model import Model
from edgert_tools.evaluate import Share, wilson
from edgert_tools.existing.examples import Row
from edgert_tools.speech.recipe import SpeechBudget
from edgert_tools.speech.spoken import Spoken
from edgert_tools.speech.words import Points, edits, error_rate, loss, words_of
from edgert_tools.timing import Speed


@dataclass(frozen=True)
class SpeechQuality:
    """Word error rates in percent, by how many points the int8 one is higher, and how many transcripts are the same."""

    sounds: int
    words: int
    float_wer: Points
    int8_wer: Points
    loss_points: Points
    agreement: Share


@dataclass(frozen=True)
class Compared:
    """What came of a comparison; `texts` is what float and int8 made of each sound."""

    quality: SpeechQuality
    speed: Speed
    texts: tuple[tuple[str, str], ...]


def compare(original: Model, other: Model, speech: Sequence[Spoken], threads: int) -> Compared:
    """Ask both models, opened with so many threads, for each sound in turn."""
    pairs: list[tuple[float, float]] = []
    texts: list[tuple[str, str]] = []
    for model in (original, other):
        model.warm_up()
    for spoken in speech:
        (first, before), (second, after) = (_asked(model, spoken) for model in (original, other))
        texts.append((first, second))
        pairs.append((before, after))
    speed = Speed(
        threads=threads,
        pairs=len(pairs),
        float_ms=1000 * statistics.median(before for before, _ in pairs),
        int8_ms=1000 * statistics.median(after for _, after in pairs),
        ratio=statistics.median(before / after for before, after in pairs),
    )
    return Compared(quality_of([spoken.words for spoken in speech], texts), speed, tuple(texts))


def quality_of(truths: Sequence[str], texts: Sequence[tuple[str, str]]) -> SpeechQuality:
    """The figures.

    Args:
        truths: what was said.
        texts: for each, what float and int8 made of it.
    """
    known = [words_of(truth) for truth in truths]
    found = [(words_of(first), words_of(second)) for first, second in texts]
    counts = [len(words) for words in known]
    before, after = ([edits(words, pair[side]) for words, pair in zip(known, found, strict=True)] for side in (0, 1))
    return SpeechQuality(
        sounds=len(known),
        words=sum(counts),
        float_wer=error_rate(before, counts),
        int8_wer=error_rate(after, counts),
        loss_points=loss(before, after, counts),
        agreement=wilson(sum(first == second for first, second in found), len(found)),
    )


def misses(quality: SpeechQuality, size_ratio: float, speed: Speed, budget: SpeechBudget) -> tuple[str, ...]:
    """Each bound that does not hold, with what was found and what was asked; a bound on words holds in either way."""
    found = []
    lost, same = quality.loss_points.value, quality.agreement.value
    if not (lost <= budget.loss_points or same >= budget.agreement_min):
        found.append(
            f"{lost:.2f} points more words wrong, at most {budget.loss_points}; "
            f"same transcript on {same:.1%}, at least {budget.agreement_min:.0%}"
        )
    if not size_ratio <= budget.size_ratio:
        found.append(f"size {size_ratio:.1%} of float, at most {budget.size_ratio:.0%}")
    if not speed.ratio >= budget.speed_min:
        found.append(f"{speed.ratio:.2f}x float's speed, at least {budget.speed_min:g}x")
    return tuple(found)


def in_short(quality: SpeechQuality) -> str:
    """The figures that decide, on one line."""
    points = quality.loss_points
    return (
        f"words wrong {quality.float_wer.value:.2f} % float32, {quality.int8_wer.value:.2f} % int8 "
        f"({points.value:+.2f} points, {points.low:+.2f} to {points.high:+.2f}), "
        f"same transcript on {quality.agreement.value:.1%}"
    )


def _asked(model: Model, spoken: Spoken) -> tuple[str, float]:
    start = time.perf_counter()
    (answer,) = model.answer([Row(raw=spoken.wav, media_type="audio/wav")]).answers
    return str(answer.rows()[0]["text"]), time.perf_counter() - start
