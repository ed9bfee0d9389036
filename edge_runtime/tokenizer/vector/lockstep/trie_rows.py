"""Where the edges of each node of a trie stand in one array, without two of them in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]

_LARGE = 24  # edges of a node that is placed by itself
_CANDIDATES = 128  # places tried for such a node
_TRIES = 48  # places tried for each of many small nodes
_ROOM = 1.5  # slots for each edge
_STEP = 0x9E3779B97F4A7C15


class _Slots:
    """The slots so far: which are taken, and which numbers are bases already."""

    def __init__(self, room: int, span: int) -> None:
        self.span, self.room = span, room
        self.taken, self.bases = np.zeros(room + span, np.bool_), np.zeros(room + span, np.bool_)
        self.bases[0] = True  # the node without edges

    def behind(self, labels: Index) -> int:
        """Give a base with which all edges stand behind those so far."""
        base = max(int(np.flatnonzero(self.taken).max(initial=0)) + 1 - int(labels.min()), 1)
        while base < self.room and self.bases[base]:
            base += 1
        if base >= self.room:
            more = base - self.room + self.span
            self.taken, self.bases = (np.append(old, np.zeros(more, np.bool_)) for old in (self.taken, self.bases))
            self.room += more
        return base


def place_rows(parents: Index, labels: Index, span: int) -> tuple[Index, int]:
    """Choose the base of each node so that every edge has a slot, base + label, of its own.

    Args:
        parents, labels: (edges,) int64; edges of one parent stand together. Edge i leads to node i + 1.
        span: one more than the largest label.

    Returns:
        (edges + 1,) int64, the base of each node, 0 for those without edges; bases of others are all different. And
        the number of slots, enough for any base + label.
    """
    heads = np.flatnonzero(np.diff(parents, prepend=-1))
    sizes = np.diff(heads, append=len(parents))
    slots = _Slots(int(len(parents) * _ROOM) + 64, span)
    bases = np.zeros(len(parents) + 1, np.int64)
    for size in np.flatnonzero(np.bincount(sizes))[::-1].tolist():
        rows = heads[sizes == size]
        found = _place_alike(labels[rows[:, None] + np.arange(size)], slots)
        bases[parents.take(rows)] = found
    return bases, slots.room + span


def _place_alike(labels: Index, slots: _Slots) -> Index:
    """Place rows of the same number of edges, and give their bases."""
    bases = np.zeros(len(labels), np.int64)
    todo = np.arange(len(labels))
    if labels.shape[1] < _LARGE:
        todo = _place_together(labels, slots, bases)
    for row in todo.tolist():
        bases[row] = _place_one(labels[row], slots)
    return bases


def _place_together(labels: Index, slots: _Slots, bases: Index) -> Index:
    """Try some places for all rows at once; give the rows that found none."""
    todo = np.arange(len(labels))
    owner = np.zeros(len(slots.taken), np.int32)
    for attempt in range(_TRIES):
        if not len(todo):
            break
        base = _spread(todo + attempt * len(labels), slots.room)
        places = labels[todo] + base[:, None]
        free = np.flatnonzero(~(slots.taken[places].any(axis=1) | slots.bases[base]))
        claims, places, base = todo[free], places[free], base[free]
        # Several rows may want one slot, or to be the same base: the last writer wins, the others see that and go on.
        owner[places] = claims[:, None]
        won = (owner[places] == claims[:, None]).all(axis=1)
        owner[base] = claims
        won &= owner[base] == claims
        bases[claims[won]] = base[won]
        slots.taken[places[won]] = True
        slots.bases[base[won]] = True
        todo = np.delete(todo, free[won])
    return todo


def _place_one(labels: Index, slots: _Slots) -> int:
    """Find a place for one row, and take it."""
    candidates = _spread(np.arange(_CANDIDATES) + int(labels.sum()), slots.room)
    free = ~(slots.taken[candidates[:, None] + labels].any(axis=1) | slots.bases[candidates])
    base = int(candidates[free.argmax()]) if free.any() else slots.behind(labels)
    slots.taken[base + labels] = True
    slots.bases[base] = True
    return base


def _spread(numbers: Index, room: int) -> Index:
    """Give numbers below `room` that look random."""
    mixed = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(_STEP)
    return ((mixed >> np.uint64(32)) * np.uint64(room) >> np.uint64(32)).astype(np.int64)
