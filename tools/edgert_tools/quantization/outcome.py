"""What came of trying schemes: every candidate's figures and verdict, and which one was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgert_tools.arm.figures import OnBoard, millions, times
from edgert_tools.budget import Candidate, in_short
from edgert_tools.quantization.targets import Form

_HEAD = ("", "scheme", "size", "quality", "speed", "memory")


@dataclass(frozen=True)
class Outcome:
    """All candidates in the order they were tried, and the scheme that was taken.

    Args:
        candidates: those that could be made.
        chosen: scheme of the one taken; of several, of the one for boards that no other is for. Empty: none is.
        folder: its bundle.
        pareto: schemes that no other one beats.
        failed: schemes that could not be made, with the reason.
        figures: by scheme what was counted on each target, of those within the budget; empty without targets.
        forms: which target gets which scheme, the chosen one last; empty without targets.
        folders: the bundles of the forms, by scheme.
    """

    candidates: tuple[Candidate, ...]
    chosen: str
    folder: Path
    pareto: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    figures: Mapping[str, tuple[OnBoard, ...]] = field(default_factory=dict)
    forms: tuple[Form, ...] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)

    @property
    def taken(self) -> Candidate:
        """The candidate in the bundle."""
        return self.of(self.chosen)

    @property
    def boards(self) -> tuple[str, ...]:
        """The targets, in the order they were given."""
        return tuple(one.board for one in next(iter(self.figures.values()), ()))

    def of(self, scheme: str) -> Candidate:
        """The candidate of this scheme."""
        return next(one for one in self.candidates if one.scheme == scheme)

    def on(self, scheme: str, board: str) -> OnBoard | None:
        """What was counted of a scheme on a target; None if nothing was."""
        return next((one for one in self.figures.get(scheme, ()) if one.board == board), None)

    def scheme_for(self, board: str) -> str | None:
        """What a target gets."""
        return next((form.scheme for form in self.forms if board in form.boards), None)


def verdict(candidate: Candidate, outcome: Outcome) -> str:
    """One candidate's fate in words."""
    if candidate.misses:
        return "; ".join(candidate.misses)
    scheme = candidate.scheme
    boards = next((form.boards for form in outcome.forms if form.scheme == scheme), ())
    taken = [f"taken for {', '.join(boards)}"] if boards else ["taken"] if scheme == outcome.chosen else []
    reasons = [reason for one in outcome.figures.get(scheme, ()) for reason in one.misses]
    return "; ".join(taken + reasons) or "within the budget"


def refused(candidate: Candidate, outcome: Outcome) -> bool:
    """Whether it is for nobody: it misses something, or is above float on every target."""
    figures = outcome.figures.get(candidate.scheme, ())
    return bool(candidate.misses) or (bool(figures) and all(one.misses for one in figures))


def verdicts_table(outcome: Outcome) -> str:
    """Every scheme a line, for a terminal; a star marks the Pareto set."""
    boards = outcome.boards
    rows = [(*_HEAD, *boards, "verdict"), *(_row(one, outcome) for one in outcome.candidates)]
    gap = [""] * (4 + len(boards))
    rows += [("", scheme, *gap, f"cannot be made: {why}") for scheme, why in outcome.failed.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def on_board_in_short(found: OnBoard | None) -> str:
    """Instructions, and how they compare with float's; empty if nothing was counted."""
    return "" if found is None else f"{millions(found.instructions)} ({times(found.ratio)})"


def targets_note(outcome: Outcome) -> str:
    """What the figures of the targets are."""
    emulators = {one.board: one.emulator for figures in outcome.figures.values() for one in figures}
    tokens = next((one.tokens for figures in outcome.figures.values() for one in figures), 0)
    played = "; ".join(f"{board}: {emulator}" for board, emulator in emulators.items())
    return (
        f"Instructions of one run of the graph, on a text of {tokens} tokens, one thread, in brackets against fused "
        f"float32. Emulated ({played}): instructions, not time"
    )


def _row(one: Candidate, outcome: Outcome) -> Sequence[str]:
    size = f"{one.size_bytes / 1e6:.1f} MB ({one.size_ratio:.0%})"
    memory = "?" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} MB"
    counted = (on_board_in_short(outcome.on(one.scheme, board)) for board in outcome.boards)
    star, words = "*" if one.scheme in outcome.pareto else "", verdict(one, outcome)
    return star, one.scheme, size, in_short(one.quality), f"{one.speed.ratio:.2f}x", memory, *counted, words
