"""The batch path: byte ranges of a buffer -> ids, most of them by one look into a table."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.base import Base
from edge_runtime.tokenizer.vector.keys import LONGEST, PADDING, Bytes, Index, Words, keys_of, word_view
from edge_runtime.tokenizer.vector.overlay import Ids, Overlay, counts_of, gather, places_of, spread, values_of
from edge_runtime.tokenizer.vector.rows import distinct

_LARGEST_BLOCK_BYTES = 31 << 20  # glibc learns from blocks below 32 MiB
_NONE: Index = np.empty(0, np.int64)
_NO_KEY = np.uint64((1 << 64) - 1)  # with a first word below 2**63 it is no key

SLICE = 32_768  # segments looked up at a time: enough to make NumPy's cost per call small, few for the cache's sake


class Pieces(NamedTuple):
    """Ids of many segments, segment after segment.

    Attributes:
        ids: (tokens,) int32.
        counts: (segments,) int64, the tokens of each segment.
        starts, ends: (tokens,) int32, characters within the segment; None if not asked for.
    """

    ids: Ids
    counts: Index
    starts: Ids | None = None
    ends: Ids | None = None

    @property
    def spans(self) -> NDArray[np.int32] | None:
        """(tokens, 2) int32, where each token begins and ends."""
        return None if self.starts is None or self.ends is None else np.stack([self.starts, self.ends], axis=1)

    @property
    def columns(self) -> list[Ids]:
        """The arrays that are kept for each token."""
        return [column for column in (self.ids, self.starts, self.ends) if column is not None]


class Resolver(Protocol):
    """Works out segments that no table knows."""

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        """Tokenize segments of a padded buffer; those short enough to have a key are all different."""


class _Missed(NamedTuple):
    """Segments not found: their index and key."""

    at: Index
    low: Words
    high: Words


class SegmentCore:
    """Looks segments up, has the unknown ones worked out, and remembers them.

    Args:
        resolver: works out what no table knows.
        base: the frozen table; None to go without, as with offsets, which it does not hold.
        budget_bytes: what may be remembered.
        singles: one more than the largest id.
        spans: keep where each token begins and ends, too.
    """

    def __init__(self, resolver: Resolver, base: Base | None, budget_bytes: int, singles: int, spans: bool) -> None:
        self._resolver, self._base, self._spans = resolver, base, spans
        # glibc takes blocks up to the largest one ever freed from its own heap. Without this each array of a slice
        # would be mapped anew, and zeroed by the kernel: a third of the whole time. No page of it is touched.
        np.empty(_LARGEST_BLOCK_BYTES, np.uint8)
        # With spans no token stands for itself alone: its span is kept with it.
        self.overlay = Overlay(budget_bytes, 0 if spans else singles, 3 if spans else 1)

    def pieces(self, buffer: Bytes, starts: Index, lengths: Index) -> Pieces:
        """Tokenize the segments of a padded buffer, in order; `starts` must be ascending."""
        values = np.empty(len(starts), np.uint64)
        missed: list[_Missed] = []
        for first in range(0, len(starts), SLICE):
            part = slice(first, first + SLICE)
            values[part] = self._look(buffer, starts[part], lengths[part], first, missed)
        unknown = self._look_on(values, missed) if missed else None
        if unknown is None or not len(unknown.at):
            return self._gathered(values)
        scratch = self._fill(buffer, starts, lengths, values, unknown)
        pieces = self._gathered(values)
        if scratch is not None:
            self.overlay.forget_from(scratch)
            self.overlay.age()
        return pieces

    def _look(self, buffer: Bytes, starts: Index, lengths: Index, index: int, missed: list[_Missed]) -> Words:
        """Give the values of a slice of segments, and add those that are not to be found at once to `missed`."""
        begin, end = int(starts[0]), int(starts[-1] + lengths[-1])
        longest = int(lengths.max())
        capped = lengths if longest <= LONGEST else np.minimum(lengths, LONGEST)
        first, second = keys_of(word_view(buffer[begin : end + PADDING]), starts - begin, capped)
        if longest > LONGEST:
            # The key of its beginning says nothing of a long segment: it is worked out each time, and each by itself.
            long = np.flatnonzero(lengths > LONGEST)
            first[long], second[long] = (long + index).astype(np.uint64), _NO_KEY
        values = self.overlay.look(first, second)
        if not values.all():
            at = np.flatnonzero(values == 0)
            missed.append(_Missed(at + index, first.take(at), second.take(at)))
        return values

    def _look_on(self, values: Words, missed: list[_Missed]) -> _Missed:
        """Look further for what was not found at once; give what is not remembered at all."""
        at, first, second = (np.concatenate(column) for column in zip(*missed, strict=True))
        values[at] = found = self.overlay.look_on(first, second)
        left = np.flatnonzero(found == 0)
        return _Missed(at.take(left), first.take(left), second.take(left))

    def _gathered(self, values: Words) -> Pieces:
        pools = self.overlay.pools
        slices = [values[first : first + SLICE] for first in range(0, len(values), SLICE)]
        if not slices:
            return Pieces(np.empty(0, np.int32), np.empty(0, np.int64), *[np.empty(0, np.int32)] * (len(pools) - 1))
        if len(pools) == 1:
            parts = [gather(pools[0], part) for part in slices]
            ids = np.concatenate([ids for ids, _ in parts]).astype(np.int32, copy=False)
            return Pieces(ids, np.concatenate([counts for _, counts in parts]))
        counts = counts_of(values)
        index = spread(places_of(values), counts)
        ids, begins, ends = (pool.take(index).astype(np.int32, copy=False) for pool in pools)
        return Pieces(ids, counts, begins, ends)

    def _fill(
        self,
        buffer: Bytes,
        starts: Index,
        lengths: Index,
        values: Words,
        missed: _Missed,
    ) -> int | None:
        """Give every missed segment its value, and remember it if there is room.

        Returns:
            Where in the pool the ids of segments begin that are not remembered; None if all are.
        """
        at, low, high = missed
        first, group, kept = self._distinct(low, high, lengths[at])
        low, high, where = low[first], high[first], at[first]
        pieces = self._looked_up(low, high, buffer, starts[where], lengths[where])
        offsets = np.cumsum(pieces.counts) - pieces.counts
        places = self.overlay.append(pieces.columns) + offsets
        scratch = int(places[kept]) if kept < len(first) else None
        if not self._spans:
            alone = np.flatnonzero(pieces.counts == 1)
            places[alone] = pieces.ids[offsets[alone]]
        found = values_of(places, pieces.counts)
        values[at] = found[group]
        self.overlay.insert(low[:kept], high[:kept], found[:kept])
        return scratch

    def _distinct(self, low: Words, high: Words, lengths: Index) -> tuple[Index, Index, int]:
        """Find equal segments; those come first that will be remembered, and their number is given, too."""
        first, group = distinct(low, high)
        wanted = lengths[first] <= LONGEST
        kept = self.overlay.make_room(int(wanted.sum()))
        if kept == len(first):
            return first, group, kept
        keep = wanted & (np.cumsum(wanted) <= kept)
        order = np.concatenate([np.flatnonzero(keep), np.flatnonzero(~keep)])
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        return first[order], rank[group], kept

    def _looked_up(self, low: Words, high: Words, buffer: Bytes, starts: Index, lengths: Index) -> Pieces:
        """Take segments from the base, and have the rest worked out."""
        sources: list[tuple[Index, Pieces]] = []
        left = np.arange(len(low))
        if self._base is not None:
            hit, pieces, left = from_base(self._base, low, high)
            sources.append((hit, pieces))
        if len(left):
            sources.append((left, self._resolver.resolve(buffer, starts[left], lengths[left], self._spans)))
        return merged(sources, len(low))


def merged(sources: list[tuple[Index, Pieces]], count: int) -> Pieces:
    """Put pieces of several sources into one, in the order of the segments."""
    if len(sources) == 1:
        return sources[0][1]
    counts = np.zeros(count, np.int64)
    for at, pieces in sources:
        counts[at] = pieces.counts
    places = np.cumsum(counts) - counts
    columns = [np.empty(int(counts.sum()), np.int32) for _ in sources[-1][1].columns]
    for at, pieces in sources:
        index = spread(places[at], pieces.counts)
        for column, values in zip(columns, pieces.columns, strict=True):
            column[index] = values
    return Pieces(columns[0], counts, *columns[1:])


def from_base(base: Base, low: Words, high: Words) -> tuple[Index, Pieces, Index]:
    """Take segments from the frozen table: which are there, their pieces, and which are not."""
    found = base.table.find(low, high)
    hit = np.flatnonzero(found)
    values = found[hit]
    counts, places = counts_of(values), places_of(values)
    alone = counts == 1
    if alone.all():
        return hit, Pieces(places.astype(np.int32), counts), np.flatnonzero(found == 0)
    ids = np.empty(int(counts.sum()), np.int32)
    offsets = np.cumsum(counts) - counts
    ids[offsets[alone]] = places[alone]
    several = np.flatnonzero(~alone)
    index = spread(places[several] - base.singles, counts[several])
    ids[spread(offsets[several], counts[several])] = base.pool.take(index)
    return hit, Pieces(ids, counts), np.flatnonzero(found == 0)


def repeated(pieces: Pieces, group: Index) -> Pieces:
    """Give the pieces of segments, each as often and in such an order as `group` names it."""
    counts = pieces.counts.take(group)
    places = (np.cumsum(pieces.counts) - pieces.counts).take(group)
    index = spread(places, counts)
    columns = [column.take(index) for column in pieces.columns]
    return Pieces(columns[0], counts, *columns[1:])


def one_after_another(parts: list[Pieces]) -> Pieces:
    """Join pieces, which are at least one."""
    columns = [np.concatenate(column) for column in zip(*(part.columns for part in parts), strict=True)]
    return Pieces(columns[0], np.concatenate([part.counts for part in parts]), *columns[1:])
