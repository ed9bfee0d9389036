"""Is an int8 candidate good enough? What it misses, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert_tools.evaluate import AnswerQuality, ClassifyQuality, EmbedQuality, Quality
from edgert_tools.recipe import Budget
from edgert_tools.timing import Speed


@dataclass(frozen=True)
class Candidate:
    """One scheme as it was tried: size, quality, speed, and what it misses of the budget (nothing: it may ship).

    `peak_bytes` is the most memory of a process that answers a few texts with it, None if nobody looked.
    """

    scheme: str
    size_bytes: int
    size_ratio: float
    quality: Quality
    speed: Speed
    misses: tuple[str, ...]
    peak_bytes: int | None = None


def misses(quality: Quality, size_ratio: float, budget: Budget) -> tuple[str, ...]:
    """Each bound that does not hold, with what was found and what was asked."""
    checks: dict[str, bool] = {
        f"size {size_ratio:.1%} of float, at most {budget.size_ratio:.0%}": size_ratio <= budget.size_ratio
    }
    if isinstance(quality, EmbedQuality):
        checks[f"cosine mean {quality.cosine_mean:.5f}, at least {budget.cosine_mean}"] = (
            quality.cosine_mean >= budget.cosine_mean
        )
        checks[f"cosine min {quality.cosine_min:.5f}, at least {budget.cosine_min}"] = (
            quality.cosine_min >= budget.cosine_min
        )
    elif quality.accuracy_drop_points is not None:
        drop = quality.accuracy_drop_points
        # A whole text is the smallest step; rounding noise of the percentage must not decide.
        measure = quality.measure if isinstance(quality, AnswerQuality) else "accuracy"
        checks[f"{measure} drop {drop:.2f} points, at most {budget.accuracy_drop_points}"] = (
            drop <= budget.accuracy_drop_points + 1e-9
        )
    else:
        share = quality.agreement.value
        of = "pairs" if isinstance(quality, AnswerQuality) and quality.same == "order" else "texts"
        checks[f"{_sameness(quality)} on {share:.2%} of {of}, at least {budget.agreement_min:.1%}"] = (
            share >= budget.agreement_min
        )
    return tuple(text for text, holds in checks.items() if not holds)


def table(candidates: Sequence[Candidate]) -> str:
    """What was tried, a line each, for a terminal."""
    lines = []
    for candidate in candidates:
        verdict = "; ".join(candidate.misses) if candidate.misses else "within the budget"
        lines.append(
            f"  {candidate.scheme:12} {candidate.size_bytes / 1e6:7.2f} MB ({candidate.size_ratio:.1%})  "
            f"{in_short(candidate.quality)}  {candidate.speed.ratio:.2f}x float's speed  {verdict}"
        )
    return "\n".join(lines)


def in_short(quality: Quality) -> str:
    """The figures that decide, on one line."""
    if isinstance(quality, EmbedQuality):
        return f"cosine {quality.cosine_mean:.5f} mean, {quality.cosine_min:.5f} min"
    if quality.int8_accuracy is None or quality.float_accuracy is None:
        return f"{_sameness(quality)} on {quality.agreement.value:.2%}"
    measure = quality.measure if isinstance(quality, AnswerQuality) else "accuracy"
    return f"{measure} {quality.int8_accuracy.value:.2%} (float {quality.float_accuracy.value:.2%})"


def _sameness(quality: ClassifyQuality | AnswerQuality) -> str:
    return f"same {quality.same if isinstance(quality, AnswerQuality) else 'label'}"
