"""Byte pair encoding of one very long word: in each round all its merges of the lowest rank."""

from __future__ import annotations

import numpy as np

from edge_runtime.tokenizer.vector.lockstep.hash_table import Index, Words
from edge_runtime.tokenizer.vector.lockstep.merge_rounds import MergeRounds
from edge_runtime.tokenizer.vector.lockstep.words import Ids

_BLOCK_BITS = 6  # the lowest rank of every 64 symbols is kept: a round looks through those, then into a few blocks
_BLOCK = 1 << _BLOCK_BITS
_WORTH = 24  # merges of a queue that take as long as a round
_CREDIT = 64 * _WORTH  # so much may be lost on rounds that merge little


class LongMerge:
    """A word of shifted ids, with an empty symbol at each end.

    Symbols stay where they are; what they are merged with is taken out of a linked list.
    """

    def __init__(self, merges: MergeRounds, symbols: Words) -> None:
        self._merges, self._count = merges, len(symbols) + 2
        self._symbols = np.full(self._count, merges.empty)
        self._symbols[1:-1] = symbols
        self._next = np.arange(1, self._count + 1)
        self._previous = np.arange(-1, self._count - 1)
        self._blocks = np.full((-(-self._count // _BLOCK), _BLOCK), merges.missing, np.int32)
        self._ranks = self._blocks.reshape(-1)
        self._ranks[: self._count - 1] = merges.ranks(self._symbols[:-1], self._symbols[1:])
        self._lowest = self._blocks.min(axis=1)

    def run(self) -> tuple[Words, Index]:
        """Merge as long as rounds are worth it; give the shifted ids and the first symbol of each token then."""
        credit = _CREDIT
        while credit >= 0:
            lowest = self._lowest.min()
            if lowest == self._merges.missing:
                break
            at = self._compatible(self._places_of(lowest), lowest)
            credit += len(at) - _WORTH
            self._merge(at, lowest)
        left = np.flatnonzero(self._symbols[1:-1] != self._merges.empty)
        return self._symbols[1:-1].take(left), left

    def _places_of(self, rank: np.int32) -> Index:
        """Give the places, in order, where a pair has this rank, which is the lowest."""
        blocks = np.flatnonzero(self._lowest == rank)
        hits = np.flatnonzero(self._blocks.take(blocks, axis=0) == rank)
        return (blocks.take(hits >> _BLOCK_BITS) << _BLOCK_BITS) + (hits & (_BLOCK - 1))

    def _compatible(self, at: Index, rank: np.int32) -> Index:
        """Leave the merges that are made one after another, with none of a lower rank in between."""
        if len(at) < 2:
            return at
        index = np.arange(len(at))
        heads = index.copy()
        heads[1:][self._next.take(at[:-1]) == at[1:]] = 0
        at = at[(index - np.maximum.accumulate(heads)) % 2 == 0]  # of three equal symbols the first two are merged
        if self._merges.alone(np.array(rank)):
            lower = np.flatnonzero(self._lowest_after(at, rank) < rank)
            at = at[: int(lower[0]) + 1] if len(lower) else at
        return at

    def _lowest_after(self, at: Index, rank: np.int32) -> Ids:
        """Give the lower rank of the two pairs that each merge makes, when all before it are made."""
        result = self._merges.results(np.full(len(at), rank))
        after = self._next.take(self._next.take(at))
        left = self._symbols.take(self._previous.take(at))
        left[1:][after[:-1] == at[1:]] = result[0]
        return np.minimum(self._merges.ranks(left, result), self._merges.ranks(result, self._symbols.take(after)))

    def _merge(self, at: Index, rank: np.int32) -> None:
        merges, symbols, ranks = self._merges, self._symbols, self._ranks
        result = merges.results(np.full(len(at), rank))
        gone = self._next.take(at)
        after = self._next.take(gone)
        symbols[at] = result
        symbols[gone] = merges.empty
        ranks[gone] = merges.missing
        self._next[at] = after
        self._previous[after] = at
        before = self._previous.take(at)
        ranks[before] = merges.ranks(symbols.take(before), result)
        ranks[at] = merges.ranks(result, symbols.take(after))
        touched = np.zeros(len(self._lowest), np.bool_)
        for places in (before, at, gone):
            touched[places >> _BLOCK_BITS] = True
        changed = np.flatnonzero(touched)
        self._lowest[changed] = self._blocks.take(changed, axis=0).min(axis=1)
