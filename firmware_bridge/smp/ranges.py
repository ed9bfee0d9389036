"""Which bytes of something have come: sorted ranges that do not touch. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

MOST_RANGES = 256  # a sender that leaves more gaps than that must close some first: memory stays bounded


class Ranges:
    """A set of bytes, as ranges of first and past-the-last byte."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._starts, self._ends, strict=True))

    def __len__(self) -> int:
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ranges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def prefix(self) -> int:
        """Everything before this byte is there."""
        return self._ends[0] if self._starts and self._starts[0] == 0 else 0

    @property
    def total(self) -> int:
        """How many bytes are there."""
        return sum(self._ends) - sum(self._starts)

    def room_for(self, start: int, end: int) -> bool:
        """Whether these bytes can be added without keeping account of too many gaps."""
        first, last = self._touched(start, end)
        return last > first or len(self) < MOST_RANGES

    def covers(self, start: int, end: int) -> bool:
        """Whether all of these bytes are there."""
        at = bisect_right(self._starts, start) - 1
        return start >= end or (at >= 0 and self._ends[at] >= end)

    def add(self, start: int, end: int) -> int:
        """Add these bytes; how many of them were not there before."""
        if start >= end:
            return 0
        first, last = self._touched(start, end)
        before = sum(self._ends[first:last]) - sum(self._starts[first:last])
        if last > first:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last], self._ends[first:last] = [start], [end]
        return end - start - before

    def after_prefix(self, most: int) -> tuple[int, ...]:
        """The first `most` ranges that do not begin at 0, flat: first, past-the-last, first, ..."""
        rest = [pair for pair in self if pair[0] > 0][:most]
        return tuple(place for pair in rest for place in pair)

    def _touched(self, start: int, end: int) -> tuple[int, int]:
        """Which ranges overlap or touch this one."""
        return bisect_left(self._ends, start), bisect_right(self._starts, end)
