"""Byte pair encoding of many words at once: in each round every word makes its merges of its lowest rank."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.lockstep.hash_table import HashTable, Index, Words
from edge_runtime.tokenizer.vector.lockstep.merge_queue import MergeQueue
from edge_runtime.tokenizer.vector.lockstep.words import Found, Ids, found_in

FEW = 40  # words that one after another take less time than in rounds, from the start
_LAST_FEW = 8  # and such when others are finished
_SURE_ROWS = 12  # symbols of words for which it pays to find out what is sure: 20 % less time for 64 symbols
_SURE = np.int32(-(1 << 31))  # the sign, in a rank


class MergeRounds:
    """The merges of a vocabulary, for many words at once.

    Args:
        arrays: what `merge_tables.arrays_of` gives.
        pairs: the table of ranks. queue: the same merges for one word.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], pairs: HashTable, queue: MergeQueue) -> None:
        self._pairs, self._joins = pairs, HashTable(arrays, "joins")
        self._results, self._alone = arrays["results"].view(np.int32), arrays["alone"].view(np.bool_)
        self._made = arrays["made"].view(np.bool_)
        id_bits = arrays["layout"].tolist()[0]
        self._id_bits, self._shift = np.uint64(id_bits), np.uint64(pairs.value_bits)
        self._nothing = np.uint64((1 << id_bits) - 1)
        self.missing, self.queue = pairs.missing, queue
        self.empty = self._nothing << self._shift  # where there is no symbol

    def merge(self, symbols: Ids, starts: Index, lengths: Index) -> Found:
        """Merge words that lie in `symbols`; they should be of similar length, as all take the room of the longest."""
        block = _Block(self, symbols, starts, lengths)
        while block.round():
            pass
        return block.merged()

    def shifted(self, ids: Ids) -> Words:
        """Give ids as the right half of a key."""
        return ids.astype(np.uint64) << self._shift

    def ids(self, shifted: Words) -> Ids:
        """Give the ids of such halves."""
        return (shifted >> self._shift).astype(np.int32)

    def tokens(self, shifted: Words) -> Ids:
        """Give one more than the ids of such halves, 0 for an empty one."""
        return ((shifted >> self._shift) + np.uint64(1) & self._nothing).astype(np.int32)

    def ranks(self, left: Words, right: Words) -> Ids:
        """Give the ranks of pairs of shifted ids, `missing` for those that never merge."""
        keys = left << self._id_bits
        keys |= right
        return self._pairs.find(keys)

    def joins(self, left: Words, right: Words) -> Ids:
        """Give the ranks below which no merge joins shifted symbols; `missing` for those that none joins."""
        keys = left << self._id_bits
        keys |= right
        joins = self._joins.find(keys)
        joins[self._is_made(left) | self._is_made(right)] = 0
        return joins

    def _is_made(self, shifted: Words) -> NDArray[np.bool_]:
        """Say which symbols merges make, too: these may stand for others, which the table of joins has instead."""
        return self._made.take((shifted >> self._shift).view(np.int64), mode="clip")

    def results(self, ranks: Ids) -> Words:
        """Give the shifted ids of the tokens that merges of these ranks make."""
        return self.shifted(self._results.take(ranks))

    def alone(self, ranks: Ids) -> NDArray[np.bool_]:
        """Say of which ranks only one merge can be made in a round."""
        return self._alone.take(ranks)


class _Block:
    """Words side by side, one in each column, between two rows that hold nothing.

    A symbol stays in its row; what it is merged with is taken out of a linked list. All are indices into the flat
    arrays. A column whose word is finished is dropped when enough of them are.

    Between two symbols no merge of a rank below that of their join is ever made. So a pair whose rank is below those
    of the joins before and behind it will be merged, whatever else happens before its turn, and nothing that it makes
    possible has a lower rank: it may be merged at once. Such a pair has its rank minus 2**31.
    """

    def __init__(self, merges: MergeRounds, symbols: Ids, starts: Index, lengths: Index) -> None:
        self._merges, self._lengths = merges, lengths
        self._columns, width = len(lengths), int(lengths.max())
        self._rows = width + 2
        down = np.arange(width)[:, None]
        at = starts + down
        grid = np.full((self._rows, self._columns), merges.empty)
        np.copyto(grid[1:-1], merges.shifted(symbols.take(at, mode="clip")), where=down < lengths)
        self._final, self._kept = grid, np.arange(self._columns)
        self._symbols = grid.reshape(-1)
        ranks = np.full(grid.shape, merges.missing, np.int32)
        ranks[1:-1] = merges.ranks(grid[1:-1], grid[2:])
        self._ranks = ranks.reshape(-1)
        self._joins: Ids | None = None
        if width >= _SURE_ROWS:
            joins = np.full(grid.shape, merges.missing, np.int32)
            joins[1:] = merges.joins(grid[:-1], grid[1:])  # of a symbol with the one before it
            sure = ranks[1:-2] < np.minimum(joins[1:-2], joins[3:])
            ranks[1:-2] |= np.where(sure, _SURE, np.int32(0))
            self._joins = joins.reshape(-1)
        self._next = np.arange(self._columns, grid.size + self._columns)
        self._previous = np.arange(-self._columns, grid.size - self._columns)

    def round(self) -> bool:
        """Make the merges of each word that are sure, else those of its lowest rank; False if no word has any."""
        ranks = self._ranks.reshape(self._rows, self._columns)
        lowest = ranks.min(axis=0)
        live = lowest != self._merges.missing
        words = int(np.count_nonzero(live))
        if words < _LAST_FEW:
            self._finish(np.flatnonzero(live))
            return False
        if words * 3 < self._columns * 2:
            self._drop(live)
            return True
        np.maximum(lowest, -1, out=lowest)
        lowest[~live] = -1
        hit = (ranks <= lowest).reshape(-1)
        at = np.flatnonzero(hit)
        rank = self._ranks.take(at)
        unsure = np.flatnonzero(rank >= 0)
        if len(unsure) > np.count_nonzero(lowest >= 0):
            chosen = self._compatible(at, rank, hit)
            at, rank = at[chosen], rank[chosen]
        self._merge(at, rank & ~_SURE)
        return True

    def _compatible(self, at: Index, rank: Ids, hit: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which of the possible merges can be made together."""
        chosen = ~hit.take(self._previous.take(at))  # of three equal symbols the first two are merged
        alone = self._merges.alone(rank & ~_SURE)
        alone &= rank >= 0
        if alone.any():
            column = at % self._columns
            first = np.empty(self._columns, np.int64)
            first[column[::-1]] = at[::-1]
            chosen &= ~alone | (first.take(column) == at)
        return chosen

    def _merge(self, at: Index, rank: Ids) -> None:
        """Merge the symbols at these places with the next ones."""
        merges, symbols, ranks = self._merges, self._symbols, self._ranks
        result = merges.results(rank)
        gone = self._next.take(at)
        after = self._next.take(gone)
        symbols[at] = result
        symbols[gone] = merges.empty
        ranks[gone] = merges.missing
        self._next[at] = after
        self._previous[after] = at
        before = self._previous.take(at)
        changed = np.concatenate([before, at])
        left = np.concatenate([symbols.take(before), result])
        new = merges.ranks(left, np.concatenate([result, symbols.take(after)]))
        if self._joins is not None:
            # The next one of a word's end is not there, but there the rank is `missing` whatever the joins are.
            behind = np.concatenate([after, self._next.take(after)])
            joins = np.minimum(self._joins.take(changed), self._joins.take(behind, mode="clip"))
            new |= np.where(new < joins, _SURE, np.int32(0))
        ranks[changed] = new

    def _finish(self, columns: Index) -> None:
        """Merge the words of some columns one after another."""
        grid, merges = self._symbols.reshape(self._rows, self._columns), self._merges
        for column in columns.tolist():
            word = grid[:, column]
            rows = np.flatnonzero(word != merges.empty)
            ids, sizes = merges.queue.merge(merges.ids(word.take(rows)).tolist())
            word[:] = merges.empty
            starts = np.cumsum(np.array(sizes, np.int64)) - sizes
            word[rows.take(starts)] = merges.shifted(np.array(ids, np.int32))

    def _drop(self, live: NDArray[np.bool_]) -> None:
        """Drop the columns of words that are finished."""
        grid = self._symbols.reshape(self._rows, self._columns)
        if len(self._kept) < len(self._lengths):
            self._final[:, self._kept] = grid
        else:
            self._final = grid
        kept = np.flatnonzero(live)
        self._kept = self._kept.take(kept)
        self._next, self._previous = self._moved(self._next, kept), self._moved(self._previous, kept)
        self._ranks = self._ranks.reshape(grid.shape).take(kept, axis=1).reshape(-1)
        if self._joins is not None:
            self._joins = self._joins.reshape(grid.shape).take(kept, axis=1).reshape(-1)
        self._symbols = grid.take(kept, axis=1).reshape(-1)
        self._columns = len(kept)

    def _moved(self, links: Index, kept: Index) -> Index:
        """Give the links of some columns as they are when only these are left."""
        rows = links.reshape(self._rows, self._columns).take(kept, axis=1) // self._columns
        rows *= len(kept)
        rows += np.arange(len(kept))
        return rows.reshape(-1)

    def merged(self) -> Found:
        """Give the tokens."""
        grid = self._symbols.reshape(self._rows, self._columns)
        if len(self._kept) < len(self._lengths):
            self._final[:, self._kept] = grid
            grid = self._final
        return found_in(self._merges.tokens(grid[1:-1]), self._lengths)
