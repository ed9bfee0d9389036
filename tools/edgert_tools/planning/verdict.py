"""Fits or not: one scheme on one board, and the best of the schemes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert_tools.planning.boards import Board
from edgert_tools.planning.instructions import SHORT_TOKENS, Estimate, estimate
from edgert_tools.planning.memory import Memory, memory_of
from edgert_tools.planning.model import Model
from edgert_tools.planning.sizes import SchemeName, Size
from edgert_tools.quantization.scheme import SEARCHED, parse_scheme


@dataclass(frozen=True)
class Fit:
    """One scheme on one board.

    `made`: a conversion tries this scheme, or one that it stands for. `short` and `longest`: instructions for 16 tokens
    and for the longest input; None where nothing comparable was counted. `float_ratio`: `short` against float's.
    """

    scheme: SchemeName
    size_bytes: int
    memory: Memory
    left_mb: float
    made: bool
    short: Estimate | None
    longest: Estimate | None
    float_ratio: float | None

    @property
    def fits(self) -> bool:
        """Whether its memory is there."""
        return self.memory.sum_mb <= self.left_mb

    @property
    def slow(self) -> bool:
        """Whether it takes more instructions than float would."""
        return self.float_ratio is not None and self.float_ratio > 1


@dataclass(frozen=True)
class BoardVerdict:
    """All schemes on one board; `best` is the one to take, or the nearest one if none fits."""

    board: Board
    fits: bool
    best: Fit
    schemes: tuple[Fit, ...]


def judge_board(model: Model, sizes: Sequence[Size], board: Board) -> BoardVerdict:
    """Every scheme on this board, and the best that is made: not slower than float, then the fewest instructions."""
    schemes = tuple(_fit(model, size, board, model.max_tokens) for size in sizes)
    made = [fit for fit in schemes if fit.made] or list(schemes)
    fitting = [fit for fit in made if fit.fits]
    best = min(fitting, key=_preference) if fitting else min(made, key=lambda fit: fit.memory.sum_mb)
    return BoardVerdict(board, bool(fitting), best, schemes)


def schemes_made(model: Model) -> frozenset[SchemeName]:
    """Which of the schemes of a plan stand for what a conversion tries: each form has the size of one of them."""
    found = {_stands_for(name) for name in model.made_for or SEARCHED}
    return frozenset({"as stored", *(name for name in found if name is not None)})


def _stands_for(name: str) -> SchemeName | None:
    """The scheme with the size (of a mixture: of its larger part) and the kernels of a form.

    None for static int8 in QDQ form, whose tables stay float: it is for graphs of convolutions.
    """
    scheme = parse_scheme(name)
    if scheme is None or scheme.family == "qdq":
        return None
    if scheme.family == "float32":
        return "float32"
    if scheme.family == "nbits":
        return "nbits4-b32" if scheme.bits == 4 else "nbits8-b32"
    return "nbits8-b32" if scheme.share and scheme.kept == "nbits" else "dynamic-s8"


def _fit(model: Model, size: Size, board: Board, max_tokens: int) -> Fit:
    scheme = size.scheme
    short, float_short = (
        estimate(model, name, board.core_class, min(SHORT_TOKENS, max_tokens) or 1) for name in (scheme, "float32")
    )
    return Fit(
        scheme=scheme,
        size_bytes=size.size_bytes,
        memory=memory_of(model, size, max_tokens),
        left_mb=board.left_mb,
        made=scheme in schemes_made(model),
        short=short,
        longest=estimate(model, scheme, board.core_class, max(max_tokens, 1)),
        float_ratio=short.millions / float_short.millions if short and float_short else None,
    )


def _preference(fit: Fit) -> tuple[bool, float, float]:
    return fit.slow, fit.short.millions if fit.short else 0.0, fit.memory.sum_mb
