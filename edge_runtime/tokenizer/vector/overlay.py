"""What a process remembers of the segments it has met: a table of bounded size.

A full table takes nothing new at first. Once it has refused as much as it holds, it watches which entries are still in
use, for several times as many looks as it has entries, and then forgets the others. So the memory is bounded, what is
in use stays, and a flood of texts never seen before cannot push out what is asked for in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.keys import Index, Words
from edge_runtime.tokenizer.vector.rows import ROW_BYTES, Rows

Ids = NDArray[np.int32]

USED = np.uint64(1 << 63)  # every value has it, so that none is 0
COUNT_SHIFT, COUNT_MASK, PLACE_MASK = 32, (1 << 31) - 1, (1 << 32) - 1

_EASY_LOAD_PERCENT = 40  # few keys need a second look; kept to as long as the budget allows
_LOAD_PERCENT = 75
_LEAST_POOLED = 4  # bytes in the pool that an entry is taken to need
_FIRST_ROWS = 1024
_LOOKS_PER_ENTRY = 4  # while it is found out which entries are in use


def counts_of(values: Words) -> Index:
    """Give the number of ids that each value stands for."""
    return (values.view(np.int64) >> COUNT_SHIFT) & COUNT_MASK


def places_of(values: Words) -> Index:
    """Give where in the pool each value's ids begin."""
    return values.view(np.int64) & PLACE_MASK


def values_of(places: Index, counts: Index) -> Words:
    """Give the values of runs of ids in a pool."""
    return (places | (counts << COUNT_SHIFT)).view(np.uint64) | USED


def gather(pool: NDArray[np.integer], values: Words) -> tuple[NDArray[np.integer], Index]:
    """Give the ids of many values, run after run, and the length of each run."""
    counts, places = counts_of(values), places_of(values)
    if not len(counts) or (int(counts.max()) == 1 == int(counts.min())):
        return pool.take(places), counts
    return pool.take(spread(places, counts)), counts


def spread(places: Index, counts: Index) -> Index:
    """Give the index of every item of runs that begin at `places` and have `counts` items each."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    index = np.repeat(places - (ends - counts), counts)
    index += np.arange(total)
    return index


class Overlay:
    """The table and the pool that its values point into.

    The pool begins with every id by itself: a segment of one token needs no pool entry of its own.

    Args:
        budget_bytes: for the entries.
        singles: how many ids the pool begins with; these are not counted.
        columns: arrays that are kept for each pooled item: the id, and with offsets where it begins and ends.
    """

    def __init__(self, budget_bytes: int, singles: int, columns: int = 1) -> None:
        self._budget, self._singles = budget_bytes, singles
        self._table, self.entries = Rows.empty(_FIRST_ROWS), 0
        self._used, self._refused, self._looks = singles, 0, 0
        self._seen: NDArray[np.bool_] | None = None  # by row, while it is found out which are in use
        small = columns == 1 and singles <= 1 << 16
        self._dtype = np.dtype(np.uint16 if small else np.int32)
        self.pools: list[NDArray[np.integer]] = [np.arange(singles, dtype=self._dtype) for _ in range(columns)]

    @property
    def size_bytes(self) -> int:
        """What the entries take, free rows included."""
        return self._table_bytes + (self._used - self._singles) * self._dtype.itemsize * len(self.pools)

    def look(self, first: Words, second: Words) -> Words:
        """Give the value of each segment's key, 0 for those that are not to be found at once."""
        self._looks += len(first)
        return self._table.look(first, second, self._seen)

    def look_on(self, first: Words, second: Words) -> Words:
        """Give the value of each segment's key, 0 for those not remembered; slow."""
        return self._table.look_on(first, second, self._seen)

    def append(self, columns: Sequence[NDArray[np.integer]]) -> int:
        """Put items at the end of the pool and give the place of the first one."""
        place, count = self._used, len(columns[0])
        if place + count > len(self.pools[0]):
            room = max(place + count, len(self.pools[0]) + len(self.pools[0]) // 4)
            self.pools = [np.concatenate([pool[:place], np.empty(room - place, self._dtype)]) for pool in self.pools]
        for pool, column in zip(self.pools, columns, strict=True):
            pool[place : place + count] = column
        self._used += count
        return place

    def forget_from(self, place: int) -> None:
        """Take back what was appended from `place` on; no entry may point there."""
        self._used = place
        if len(self.pools[0]) > 2 * max(place, self._budget // 4):
            self.pools = [pool[:place].copy() for pool in self.pools]

    def make_room(self, wanted: int) -> int:
        """Grow the table for so many more entries as far as the budget allows; give how many fit."""
        # How many ids the new ones will have is not known yet: as many as those before them.
        pooled = (self.size_bytes - self._table_bytes) / self.entries if self.entries else 0
        each = max(pooled, _LEAST_POOLED * len(self.pools))
        rows, needed = len(self._table), self.entries + wanted
        # The table that is full when the pool has used up the rest of the budget.
        most = int(self._budget / (each + ROW_BYTES * 100 / _LOAD_PERCENT)) * 100 // _LOAD_PERCENT
        if needed * 100 > rows * _EASY_LOAD_PERCENT:
            more = min(max(2 * rows, needed * 100 // _EASY_LOAD_PERCENT), most) // 2 * 2
            if more > rows + rows // 8:
                self._rebuild(self._table.entries(), more)
        free = len(self._table) * _LOAD_PERCENT // 100 - self.entries
        room = max(min(wanted, free, int((self._budget - self.size_bytes) / each)), 0)
        self._refused += wanted - room
        return room

    def insert(self, first: Words, second: Words, values: Words) -> None:
        """Add entries; `make_room` has said that they fit."""
        self._table.insert(first, second, values)
        self.entries += len(first)

    def age(self) -> None:
        """Forget what is not in use, when it is time; call when no value is held outside."""
        if self._seen is None:
            if self._refused > self.entries:
                self._seen, self._looks = np.zeros(len(self._table), np.bool_), 0
        elif self._looks > _LOOKS_PER_ENTRY * self.entries:
            self._keep(*self._table.entries(self._seen))

    def _keep(self, first: Words, second: Words, values: Words) -> None:
        counts, places = counts_of(values), places_of(values)
        pooled = np.flatnonzero(places >= self._singles)
        columns = [pool.take(spread(places[pooled], counts[pooled])) for pool in self.pools]
        self._used = self._singles
        places[pooled] = self.append(columns) + np.cumsum(counts[pooled]) - counts[pooled]
        self._rebuild((first, second, values_of(places, counts)), len(self._table))

    def _rebuild(self, entries: tuple[Words, Words, Words], rows: int) -> None:
        self._table = Rows.empty(rows)
        self._table.insert(*entries)
        self.entries, self._seen, self._refused, self._looks = len(entries[0]), None, 0, 0

    @property
    def _table_bytes(self) -> int:
        return len(self._table) * ROW_BYTES
