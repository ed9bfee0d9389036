"""Sets of code points and tables of characters."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

LAST = 0x10FFFF
ALL = LAST + 1

# Half of a surrogate pair: Python strings may hold one, texts may not.
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_SPECIAL_IN_CLASS = frozenset(map(ord, r"\]^-[&~|"))


class CodePoints:
    """A set of code points, kept as sorted inclusive ranges that never touch; never changed in place."""

    __slots__ = ("_firsts", "ranges")

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self.ranges = tuple(ranges)
        self._firsts = [first for first, _ in self.ranges]

    @classmethod
    def of(cls, code_points: Iterable[int]) -> CodePoints:
        """Make the set from single code points in any order."""
        return cls.joined((code, code) for code in set(code_points))

    @classmethod
    def joined(cls, ranges: Iterable[tuple[int, int]]) -> CodePoints:
        """Make the set from ranges in any order, which may overlap."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(merged)

    def __contains__(self, code: int) -> bool:
        at = bisect_right(self._firsts, code) - 1
        return at >= 0 and code <= self.ranges[at][1]

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CodePoints) and self.ranges == other.ranges

    def __hash__(self) -> int:
        return hash(self.ranges)

    def __repr__(self) -> str:
        return f"CodePoints({', '.join(f'{first:X}-{last:X}' for first, last in self.ranges)})"

    def __or__(self, other: CodePoints) -> CodePoints:
        return CodePoints.joined(self.ranges + other.ranges)

    def __and__(self, other: CodePoints) -> CodePoints:
        return (self.complement() | other.complement()).complement()

    def __sub__(self, other: CodePoints) -> CodePoints:
        return (self.complement() | other).complement()

    def complement(self) -> CodePoints:
        """Give all other code points, surrogates among them."""
        borders = [-1, *(border for span in self.ranges for border in span), ALL]
        gaps = zip(borders[::2], borders[1::2], strict=True)
        return CodePoints((last + 1, first - 1) for last, first in gaps if last + 1 < first)

    def pattern(self) -> str:
        """Write the set as it stands between the brackets of a class of the standard library's `re`; not if empty."""
        assert self.ranges, "a class of `re` holds something"
        return "".join(
            _class_character(first) + (f"-{_class_character(last)}" if last > first else "")
            for first, last in self.ranges
        )


class CharacterMap(dict[int, str]):
    """A table for `str.translate` that works out a character when it is first met.

    It forgets everything when it holds `LIMIT` characters, so that no stream of texts can fill the memory.
    """

    LIMIT = 16_384

    def __init__(self, rule: Callable[[int], str]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str:
        if len(self) >= self.LIMIT:
            self.clear()
        self[code] = replacement = self._rule(code)
        return replacement


def _class_character(code: int) -> str:
    return f"\\{chr(code)}" if code in _SPECIAL_IN_CLASS else chr(code)
