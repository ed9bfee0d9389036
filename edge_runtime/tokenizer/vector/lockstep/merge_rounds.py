"""Byte pair encoding of many words at once: in each round every word makes its merges of its lowest rank."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.lockstep.hash_table import HashTable, Index, Words
from edge_runtime.tokenizer.vector.lockstep.words import Found, Ids, found_in

_FEW = 48  # columns below which dropping the finished ones costs more than it saves


class MergeRounds:
    """The merges of a vocabulary, for many words at once.

    Args:
        pairs: left id << id_bits | right id -> rank of their merge; a rank that it lacks is its `missing`.
        results: (merges,) int32, the id that the merge of each rank gives.
        alone: (merges,) bool, whether the result has a merge of lower rank: it may come before the next merge of this
            rank, so that only one can be made in a round.
        id_bits: no id is 2**id_bits - 1.
    """

    def __init__(self, pairs: HashTable, results: Ids, alone: NDArray[np.bool_], id_bits: int) -> None:
        self._pairs, self._results, self._alone = pairs, results, alone
        self._id_bits, self._shift = np.uint64(id_bits), np.uint64(pairs.value_bits)
        self._nothing = np.uint64((1 << id_bits) - 1)
        self.missing = pairs.missing
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

    def find(self, table: HashTable, left: Ids, right: Ids) -> Ids:
        """Give what a table with keys like those of the ranks has for pairs of ids."""
        keys = self.shifted(left) << self._id_bits
        keys |= self.shifted(right)
        return table.find(keys)

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
        ranks = np.full(grid.shape, merges.missing, np.int32)
        ranks[1:-1] = merges.ranks(grid[1:-1], grid[2:])
        self._symbols, self._ranks = grid.reshape(-1), ranks.reshape(-1)
        self._next = np.arange(self._columns, grid.size + self._columns)
        self._previous = np.arange(-self._columns, grid.size - self._columns)

    def round(self) -> bool:
        """Make the merges of each word's lowest rank; False if no word has any."""
        ranks = self._ranks.reshape(self._rows, self._columns)
        lowest = ranks.min(axis=0)
        live = lowest != self._merges.missing
        words = int(np.count_nonzero(live))
        if not words:
            return False
        if words < self._columns:
            if self._columns > _FEW and words * 3 < self._columns * 2:
                self._drop(live)
                return True
            lowest[~live] = -1
        hit = (ranks == lowest).reshape(-1)
        at = np.flatnonzero(hit)
        if len(at) > words:
            at = self._compatible(at, hit)
        self._merge(at)
        return True

    def _compatible(self, at: Index, hit: NDArray[np.bool_]) -> Index:
        """Of the places where a merge of lowest rank is possible, leave those that can be made together."""
        chosen = ~hit.take(self._previous.take(at))  # of three equal symbols the first two are merged
        alone = self._merges.alone(self._ranks.take(at))
        if alone.any():
            column = at % self._columns
            first = np.empty(self._columns, np.int64)
            first[column[::-1]] = at[::-1]
            chosen &= ~alone | (first.take(column) == at)
        return at[chosen]

    def _merge(self, at: Index) -> None:
        """Merge the symbols at these places with the next ones."""
        merges, symbols, ranks = self._merges, self._symbols, self._ranks
        result = merges.results(ranks.take(at))
        gone = self._next.take(at)
        after = self._next.take(gone)
        symbols[at] = result
        symbols[gone] = merges.empty
        ranks[gone] = merges.missing
        self._next[at] = after
        self._previous[after] = at
        before = self._previous.take(at)
        left = np.concatenate([symbols.take(before), result])
        new = merges.ranks(left, np.concatenate([result, symbols.take(after)]))
        ranks[before] = new[: len(at)]
        ranks[at] = new[len(at) :]

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
