"""Sets of characters that are asked, never listed: a pattern may combine large ones, and texts use few of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class CharacterSet(Protocol):
    """A set of code points, such as `CodePoints`; equal sets may be asked as one."""

    def __contains__(self, code: int) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Union:
    """What is in one of the sets."""

    parts: tuple[CharacterSet, ...]

    def __contains__(self, code: int) -> bool:
        return any(code in part for part in self.parts)


@dataclass(frozen=True)
class Intersection:
    """What is in all of the sets."""

    parts: tuple[CharacterSet, ...]

    def __contains__(self, code: int) -> bool:
        return all(code in part for part in self.parts)


@dataclass(frozen=True)
class Complement:
    """What is not in the set."""

    part: CharacterSet

    def __contains__(self, code: int) -> bool:
        return code not in self.part


# Gives the source of a class in the syntax of `re`.
Writer = Callable[[CharacterSet], str]
