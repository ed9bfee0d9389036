"""Board profiles: `boards.toml`, and how much of a board's memory is left for edgert."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from edge_runtime.errors import UsageError
from edge_runtime.strict import StrictError, decode

CoreClass = Literal["no-dot", "dot", "i8mm", "x86"]
# The daemon's own rule (edge_runtime.engine.memory): the rest is the page cache's and everybody else's.
SHARE = 0.75
_SIZED = re.compile(r"(?P<name>[a-z0-9-]+)-(?P<gigabytes>\d{1,3})g")


@dataclass(frozen=True)
class Board:
    """One profile; see `boards.toml`. The first of `memory_mb` is the one that is planned with."""

    title: str
    cores: str
    core_class: CoreClass
    features: tuple[str, ...]
    memory_mb: tuple[int, ...]
    visible: float
    os_mb: int
    page_bytes: int
    sources: tuple[str, ...]
    name: str = ""

    @property
    def left_mb(self) -> float:
        """MiB that edgert may take."""
        return max(0.0, (self.memory_mb[0] * self.visible - self.os_mb) * SHARE)

    @property
    def left_sum(self) -> str:
        """How `left_mb` comes about."""
        return (
            f"({self.memory_mb[0]} MB x {self.visible:.2f} that Linux sees - {self.os_mb} system) "
            f"x {SHARE:.2f} = {self.left_mb:.0f} MB"
        )


@cache
def boards() -> tuple[Board, ...]:
    """All profiles, each with its smallest memory."""
    text = files("edgert_tools.planning").joinpath("boards.toml").read_text(encoding="utf-8")
    return tuple(read_boards(text))


def read_boards(text: str) -> list[Board]:
    """Profiles out of TOML.

    Raises:
        StrictError: an unknown or missing key or a value that cannot be, with its place.
    """
    found = [dataclasses.replace(decode(Board, table, name), name=name) for name, table in tomllib.loads(text).items()]
    for board in found:
        sizes = board.memory_mb
        if not sizes or list(sizes) != sorted(set(sizes)) or sizes[0] <= 0:
            raise StrictError(f"{board.name}.memory_mb: expected sizes, smallest first, found {sizes}")
        if not 0 < board.visible <= 1 or board.os_mb < 0 or not board.sources:
            raise StrictError(f"{board.name}: expected 0 < visible <= 1, os_mb >= 0 and sources")
    return found


def find_board(name: str) -> Board:
    """The board of this name; `pi4-4g` is the pi4 with 4 GB.

    Raises:
        UsageError: there is no such board, or it is not sold with so much memory.
    """
    known = {board.name: board for board in boards()}
    if name in known:
        return known[name]
    sized = _SIZED.fullmatch(name)
    board = known.get(sized["name"]) if sized else None
    if sized is None or board is None:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"boards are {', '.join(known)}"
        raise UsageError(f"no board {name[:64]!r}: {hint}")
    memory_mb = int(sized["gigabytes"]) * 1024
    if memory_mb not in board.memory_mb:
        sold = ", ".join(str(size // 1024) for size in board.memory_mb)
        raise UsageError(f"{board.name} is not known with {sized['gigabytes']} GB: {sold}")
    return dataclasses.replace(board, name=name, memory_mb=(memory_mb,))
