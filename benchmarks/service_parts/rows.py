"""Lines of the table of `benchmarks.service`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Rows = list[dict[str, object]]


def row(what: str, value: float, unit: str, goal: str, met: bool) -> dict[str, object]:
    """One line of the table."""
    return {"what": what, "value": value, "unit": unit, "goal": goal, "met": "yes" if met else "no"}


def not_measured(what: str, why: str, goal: str = "") -> dict[str, object]:
    """The line of something that could not be had here."""
    return {"what": what, "value": f"not measured: {why}", "unit": "", "goal": goal, "met": "no" if goal else ""}


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over the rounds of ours over theirs, which were measured right after each other."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
