"""A measured row: ours against a peer's, and what the project promises about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

NEWEST = "tokenizers"  # the peer that every goal is about unless it names another


@dataclass(frozen=True)
class Goal:
    """What a row must reach; None where nothing is promised.

    Attributes:
        warm: times better than the peer on the second pass.
        cold: times better than the peer when only the shipped table is there.
        limit: the most that our own figure may be, in the row's unit.
    """

    warm: float | None = None
    cold: float | None = None
    limit: float | None = None

    def __str__(self) -> str:
        parts = [f"warm >= {self.warm:g}x"] if self.warm else []
        parts += [f"cold >= {self.cold:.3g}x"] if self.cold else []
        parts += [f"<= {self.limit:g}"] if self.limit else []
        return ", ".join(parts)


NO_GOAL = Goal()


@dataclass(frozen=True)
class Row:
    """One task with one tokenizer file.

    Attributes:
        unit: of the three figures. More MB/s is better; of everything else, less.
        peer: who is compared with, and its version.
        theirs, warm, cold: medians; None where there is no such case.
        differing: documents whose result is not the one of `tokenizers`; ours must be 0.
        peer_differing: the same for a native peer.
    """

    tokenizer: str
    task: str
    unit: str
    peer: str
    theirs: float | None
    warm: float
    cold: float | None = None
    goal: Goal = NO_GOAL
    differing: int | None = None
    peer_differing: int | None = None

    def ratio(self, ours: float | None) -> float | None:
        """How many times better than the peer, above 1 where we win."""
        if ours is None or not self.theirs:
            return None
        return ours / self.theirs if self.unit == "MB/s" else self.theirs / max(ours, 1e-12)

    @property
    def verdict(self) -> str:
        """`met`, `missed`, `WRONG` where a result differs, or nothing where nothing is promised."""
        if self.differing:
            return "WRONG"
        goal = self.goal
        wanted = [
            (self.ratio(self.warm), goal.warm),
            (self.ratio(self.cold), goal.cold),
            (None if goal.limit is None else goal.limit / max(self.warm, 1e-12), goal.limit and 1.0),
        ]
        asked = [(reached, floor) for reached, floor in wanted if floor is not None and reached is not None]
        if not asked:
            return ""
        return "met" if all(reached >= floor for reached, floor in asked) else "missed"

    def cells(self) -> dict[str, object]:
        """The row as it is printed and kept: ratios and the verdict beside the figures."""
        return {
            "tokenizer": self.tokenizer,
            "task": self.task,
            "peer": self.peer,
            "unit": self.unit,
            "theirs": _rounded(self.theirs),
            "ours warm": _rounded(self.warm),
            "ours cold": _rounded(self.cold),
            "warm x": _rounded(self.ratio(self.warm)),
            "cold x": _rounded(self.ratio(self.cold)),
            "goal": str(self.goal) or "-",
            "verdict": self.verdict or "-",
            "differ": _dash(self.differing),
            "peer differs": _dash(self.peer_differing),
        }

    def to_json(self) -> dict[str, object]:
        """For the parent process; `from_json` reads it."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, object]) -> Row:
        """A row as a child process wrote it."""
        goal = data["goal"]
        assert isinstance(goal, dict)
        return Row(**{**data, "goal": Goal(**goal)})  # type: ignore[arg-type]


def _rounded(value: float | None) -> object:
    """Three figures are more than a shared machine gives."""
    return "-" if value is None else float(f"{value:.3g}")


def _dash(value: int | None) -> object:
    return "-" if value is None else value
