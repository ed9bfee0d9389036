"""An exact hash table from keys to values, asked for many keys at once.

Open addressing. A row holds the first word of a key and the value, its second word is kept apart: few keys have one. A
key's search begins at an even row, so that one look takes two rows from one place of memory. A value is never 0: that
marks a free row.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.keys import Index, Words, random_odd

ROW_BYTES = 24  # with the second word
_HALF, _ONE = np.uint64(32), np.uint64(1)


class Rows:
    """The table.

    Args:
        rows: (rows, 2) uint64, first word and value; an even number of them and at least two. May be a read-only map
            of a file, as may `seconds`.
        seconds: (rows,) uint64, second words.
        multipliers: two odd numbers that spread the keys. Tables that texts can add to have secret ones, else somebody
            could choose texts whose keys all want the same row.
    """

    def __init__(self, rows: Words, seconds: Words, multipliers: tuple[np.uint64, np.uint64]) -> None:
        self.rows, self.seconds, self.multipliers = rows, seconds, multipliers
        self._count = len(rows)
        self._pair_count = np.uint64(len(rows) // 2)
        self._pairs = rows.reshape(-1, 4)

    @classmethod
    def empty(cls, rows: int, multipliers: tuple[np.uint64, np.uint64] | None = None) -> Self:
        """Give a table of free rows."""
        free = np.zeros((rows, 2), np.uint64)
        return cls(free, np.zeros(rows, np.uint64), multipliers or (random_odd(), random_odd()))

    def __len__(self) -> int:
        return self._count

    def find(self, first: Words, second: Words, seen: NDArray[np.bool_] | None = None) -> Words:
        """Give each key's value, 0 where the key is not there; `seen` is set for the rows that are found."""
        values = self.look(first, second, seen)
        at = np.flatnonzero(values == 0)
        if len(at):
            values[at] = self.look_on(first.take(at), second.take(at), seen)
        return values

    def look(self, first: Words, second: Words, seen: NDArray[np.bool_] | None = None) -> Words:
        """Give the value of each key that stands where its search begins, 0 for any other."""
        slots = self._slots(first, second)
        pairs = self._pairs.take(slots >> 1, axis=0)
        left, right = pairs[:, 0] == first, pairs[:, 2] == first
        values = np.where(right, pairs[:, 3], pairs[:, 1])
        left |= right
        two = np.flatnonzero(second)
        if len(two):
            # A key of two words: equal first words are not enough.
            row = slots.take(two)
            row += right.take(two)
            left[two[self.seconds.take(row) != second.take(two)]] = False
        if not left.all():
            values[np.flatnonzero(~left)] = 0
        if seen is not None:
            slots += right
            seen[slots[values != 0]] = True
        return values

    def look_on(self, first: Words, second: Words, seen: NDArray[np.bool_] | None = None) -> Words:
        """Give the values of keys as `find` does, but row after row: for what `look` did not find."""
        values = np.zeros(len(first), np.uint64)
        at, slot = np.arange(len(first)), self._slots(first, second)
        while len(at):
            slot[slot >= self._count] = 0
            rows = self.rows.take(slot, axis=0)
            value = rows[:, 1]
            taken = value != 0
            same = rows[:, 0] == first
            same &= self.seconds.take(slot) == second
            same &= taken
            hit = np.flatnonzero(same)
            values[at.take(hit)] = value.take(hit)
            if seen is not None:
                seen[slot.take(hit)] = True
            left = np.flatnonzero(taken & ~same)
            at, first, second, slot = at.take(left), first.take(left), second.take(left), slot.take(left) + 1
        return values

    def insert(self, first: Words, second: Words, values: Words) -> None:
        """Add keys that are all different and not there yet; the caller sees to it that there is room."""
        slots, todo = self._slots(first, second), np.arange(len(first))
        rows = self.rows
        while len(todo):
            wanted = slots[todo]
            free = rows[wanted, 1] == 0
            claim, claimed = todo[free], wanted[free]
            # Several keys may claim one row: the last writer wins, the others see that and go on.
            rows[claimed, 0] = claim.astype(np.uint64)
            won = rows[claimed, 0] == claim.astype(np.uint64)
            winner, row = claim[won], claimed[won]
            rows[row, 0], rows[row, 1], self.seconds[row] = first[winner], values[winner], second[winner]
            todo = np.concatenate([todo[~free], claim[~won]])
            slots[todo] = (slots[todo] + 1) % self._count

    def entries(self, chosen: NDArray[np.bool_] | None = None) -> tuple[Words, Words, Words]:
        """Give the two words and the value of all rows that are taken, or of the chosen ones."""
        at = np.flatnonzero(self.rows[:, 1] if chosen is None else chosen)
        rows = self.rows.take(at, axis=0)
        return np.ascontiguousarray(rows[:, 0]), self.seconds.take(at), np.ascontiguousarray(rows[:, 1])

    def _slots(self, first: Words, second: Words) -> Index:
        spread = first * self.multipliers[0]
        spread += second * self.multipliers[1]
        spread ^= spread >> _HALF
        spread *= self.multipliers[0]
        spread >>= _HALF
        spread *= self._pair_count
        spread >>= _HALF
        spread <<= _ONE
        return spread.view(np.int64)


def distinct(first: Words, second: Words) -> tuple[Index, Index]:
    """Find equal keys without sorting.

    Returns:
        `which`: an index for each distinct key, and `group`: for each key, the place in `which` of its equal.
    """
    count = len(first)
    bits = max(int(count).bit_length() + 1, 4)
    slots = ((first * random_odd() + second * random_odd()) >> np.uint64(64 - bits)).view(np.int64)
    owner = np.full(1 << bits, -1, np.int64)
    leader = np.full(count, -1, np.int64)
    todo = np.arange(count)
    while len(todo):
        wanted = slots[todo]
        free = owner[wanted] < 0
        owner[wanted[free]] = todo[free]
        leads = owner[wanted]
        same = (first[leads] == first[todo]) & (second[leads] == second[todo])
        leader[todo[same]] = leads[same]
        todo = todo[~same]
        slots[todo] = (slots[todo] + 1) & ((1 << bits) - 1)
    leads_itself = leader == np.arange(count)
    place = np.cumsum(leads_itself) - 1
    return np.flatnonzero(leads_itself), place[leader]
