"""Figures of emulated boards that a test makes up, for what is decided by figures alone."""

from __future__ import annotations

from collections.abc import Mapping

from edgert_tools.arm.boards import emulated_board
from edgert_tools.arm.figures import OnBoard

FLOAT = 100_000_000


def on_board(board: str, ratio: float, cosine: float = 0.9999) -> OnBoard:
    """`ratio` in times float's instructions."""
    emulator = f"QEMU 7.2.22, {emulated_board(board).core}"
    return OnBoard(board, round(ratio * FLOAT), FLOAT, 16, cosine, False, emulator)


def on_boards(**ratios: float) -> tuple[OnBoard, ...]:
    """Of several boards."""
    return tuple(on_board(name, ratio) for name, ratio in ratios.items())


def figures(table: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[OnBoard, ...]]:
    """By scheme and board, in times float's instructions."""
    return {scheme: on_boards(**ratios) for scheme, ratios in table.items()}
