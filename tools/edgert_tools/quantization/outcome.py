"""What came of trying schemes: every candidate's figures and verdict, and which one was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgert_tools.budget import Candidate, in_short

_HEAD = ("", "scheme", "size", "quality", "speed", "memory", "verdict")


@dataclass(frozen=True)
class Outcome:
    """All candidates in the order they were tried, and the scheme that was taken.

    Args:
        candidates: those that could be made.
        chosen: scheme of the one taken.
        folder: its bundle.
        pareto: schemes that no other one beats.
        failed: schemes that could not be made, with the reason.
    """

    candidates: tuple[Candidate, ...]
    chosen: str
    folder: Path
    pareto: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def taken(self) -> Candidate:
        """The candidate in the bundle."""
        return next(one for one in self.candidates if one.scheme == self.chosen)


def verdict(candidate: Candidate, chosen: str) -> str:
    """One candidate's fate in words."""
    if candidate.misses:
        return "; ".join(candidate.misses)
    return "taken" if candidate.scheme == chosen else "within the budget"


def verdicts_table(
    candidates: Sequence[Candidate], failed: Mapping[str, str], chosen: str = "", pareto: Sequence[str] = ()
) -> str:
    """Every scheme a line, for a terminal; a star marks the Pareto set."""
    rows = [_HEAD, *(_row(one, "*" if one.scheme in pareto else "", verdict(one, chosen)) for one in candidates)]
    rows += [("", scheme, "", "", "", "", f"cannot be made: {why}") for scheme, why in failed.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def _row(one: Candidate, star: str, words: str) -> tuple[str, ...]:
    size = f"{one.size_bytes / 1e6:.1f} MB ({one.size_ratio:.0%})"
    memory = "?" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} MB"
    return star, one.scheme, size, in_short(one.quality), f"{one.speed.ratio:.2f}x", memory, words
