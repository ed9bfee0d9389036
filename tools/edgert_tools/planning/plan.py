"""A plan: one model, its sizes, its licence, and what holds on each board."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from edge_runtime.bundle.policy import LicenceVerdict, Policy, judge
from edgert_tools.planning.alternatives import alternatives, offers_for
from edgert_tools.planning.boards import Board, boards
from edgert_tools.planning.model import Model
from edgert_tools.planning.sizes import Size, sizes_of
from edgert_tools.planning.verdict import BoardVerdict, judge_board


@dataclass(frozen=True)
class BoardPlan:
    """A board's verdict and what is nearest if it is no."""

    verdict: BoardVerdict
    alternatives: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The answer to "does it run on this board?"."""

    model: Model
    sizes: tuple[Size, ...]
    licence: LicenceVerdict
    boards: tuple[BoardPlan, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the answer is no; none: yes, on one of the boards at least."""
        found = [*self.model.blockers]
        if self.licence.answer == "denied":
            found.append(f"licence {self.licence.license} is denied: {self.licence.reason}")
        if not any(board.verdict.fits for board in self.boards):
            name = "any board" if len(self.boards) > 1 else self.boards[0].verdict.board.name
            found.append(f"it does not fit on {name}")
        return tuple(found)


def make_plan(model: Model, asked: Sequence[Board] = (), policy: Policy | None = None) -> Plan:
    """Plan for these boards, or for all that are known."""
    sizes, offers = sizes_of(model), cache(lambda: tuple(offers_for(model)))
    plans = []
    for board in asked or boards():
        verdict = judge_board(model, sizes, board)
        plans.append(BoardPlan(verdict, alternatives(model, sizes, verdict, _every_memory(), offers)))
    return Plan(model, sizes, judge(model.license, policy), tuple(plans))


def _every_memory() -> list[Board]:
    """Each board once for each memory that it is sold with."""
    return [
        dataclasses.replace(board, memory_mb=(size,), name=board.name if number == 0 else f"{board.name}-{size >> 10}g")
        for board in boards()
        for number, size in enumerate(board.memory_mb)
    ]
