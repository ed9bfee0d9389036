"""Of many candidates: which are not beaten in everything by another, and which one is taken."""

from __future__ import annotations

from collections.abc import Sequence

from edgert_tools.budget import Candidate
from edgert_tools.evaluate import EmbedQuality, Quality
from edgert_tools.quantization.scheme import facts_of

AS_FAST = 0.95  # of the fastest one's speed: nearer than this, timing noise decides
AS_SMALL = 1.02  # of the smallest one's size
SLOWER = 0.98  # of float's speed: below, a scheme is slower and not just measured so


def loss_of(quality: Quality) -> float:
    """How much is lost against float, 0 for nothing: of the cosine, else of the accuracy, else of the agreement."""
    if isinstance(quality, EmbedQuality):
        return max(0.0, 1 - quality.cosine_mean)
    drop = getattr(quality, "accuracy_drop_points", None)
    if drop is not None:
        return max(0.0, float(drop) / 100)
    return max(0.0, 1 - quality.agreement.value)


def slower_than_float(candidate: Candidate) -> tuple[str, ...]:
    """What to hold against a candidate that is slower than fused float on this machine, if it is."""
    ratio = candidate.speed.ratio
    return (f"{ratio:.2f}x float's speed on this machine, at least 1x",) if ratio < SLOWER else ()


def pareto(candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Schemes that no other one equals in quality, speed and size while beating it in one of them."""
    return tuple(one.scheme for one in candidates if not any(_beats(other, one) for other in candidates))


def choose(candidates: Sequence[Candidate]) -> Candidate | None:
    """The fastest candidate that misses nothing, then the smallest; None if all miss something.

    What is within 5 % of the fastest is as fast, what is then within 2 % of the smallest is as small; of those one
    whose answers do not depend on the batch comes first, then the better one, then the name decides.
    """
    fitting = [one for one in candidates if not one.misses]
    if not fitting:
        return None
    fastest = max(one.speed.ratio for one in fitting)
    fast = [one for one in fitting if one.speed.ratio >= AS_FAST * fastest]
    smallest = min(one.size_bytes for one in fast)
    small = [one for one in fast if one.size_bytes <= AS_SMALL * smallest]
    return min(small, key=lambda one: (not facts_of(one.scheme).batch_invariant, loss_of(one.quality), one.scheme))


def _beats(other: Candidate, one: Candidate) -> bool:
    better, worse = _merits(other), _merits(one)
    return all(a >= b for a, b in zip(better, worse, strict=True)) and better != worse


def _merits(one: Candidate) -> tuple[float, float, float]:
    return -loss_of(one.quality), one.speed.ratio, -float(one.size_bytes)
