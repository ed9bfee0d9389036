"""Byte pair encoding of one word, one merge after another: for a single word, and where merges differ too much."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

from edge_runtime.tokenizer.vector.lockstep.hash_table import HashTable

Tokens = tuple[list[int], list[int]]

_SHORT = 40  # symbols
_REMEMBERED = 1 << 15  # pairs
_POSITION_BITS = 32
_POSITION = (1 << _POSITION_BITS) - 1


class PairRanks(dict[int, int]):
    """The ranks of pairs by key, looked up once and then remembered; the memory is bounded."""

    def __init__(self, pairs: HashTable) -> None:
        super().__init__()
        self._get = pairs.get

    def __missing__(self, key: int) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        rank = self[key] = self._get(key)
        return rank


class MergeQueue:
    """The merges of a vocabulary, for one word.

    Args:
        pairs, results, id_bits: as for `MergeRounds`.
        additive: the order of merges is simply that of their ranks.
    """

    def __init__(self, pairs: HashTable, results: Sequence[int], id_bits: int, additive: bool) -> None:
        self._short = _SHORT if additive else 0
        self._ranks, self._results, self._missing = PairRanks(pairs), results, pairs.missing
        self._left, self._right = id_bits + pairs.value_bits, pairs.value_bits

    def merge(self, symbols: Sequence[int]) -> Tokens:
        """Give ids and sizes of the tokens of a word of symbols."""
        return self._merge_short(symbols) if len(symbols) <= self._short else self._merge_long(symbols)

    def _merge_short(self, symbols: Sequence[int]) -> Tokens:
        """Look through all ranks for each merge, which for few symbols beats a queue."""
        known, results, missing = self._ranks, self._results, self._missing
        to_left, to_right = self._left, self._right
        ids, sizes = list(symbols), [1] * len(symbols)
        ranks = [known[a << to_left | b << to_right] for a, b in pairwise(ids)]
        ranks.append(missing)
        while (lowest := min(ranks)) != missing:
            at = ranks.index(lowest)
            ids[at] = result = results[lowest]
            sizes[at] += sizes.pop(at + 1)
            del ids[at + 1], ranks[at]
            if at + 1 < len(ids):
                ranks[at] = known[result << to_left | ids[at + 1] << to_right]
            else:
                ranks[at] = missing
            if at:
                ranks[at - 1] = known[ids[at - 1] << to_left | result << to_right]
        return ids, sizes

    def _merge_long(self, symbols: Sequence[int]) -> Tokens:
        """Merge in O(n log n), with the order of the source to the letter.

        An entry of its queue is not removed when its pair changes: it counts for as long as the pair found at its
        place gives the same token. That makes a difference only if the pieces of a token do not add up to it.
        """
        known, results, missing = self._ranks, self._results, self._missing
        to_left, to_right = self._left, self._right
        ids, count = list(symbols), len(symbols)
        after, before = list(range(1, count + 1)), list(range(-1, count - 1))
        ranks = [known[a << to_left | b << to_right] for a, b in pairwise(ids)]
        queue = [rank << _POSITION_BITS | at for at, rank in enumerate(ranks) if rank != missing]
        heapify(queue)
        while queue:
            entry = heappop(queue)
            at, result = entry & _POSITION, results[entry >> _POSITION_BITS]
            right = after[at]
            if ids[at] < 0 or right == count:
                continue
            rank = known[ids[at] << to_left | ids[right] << to_right]
            if rank == missing or results[rank] != result:
                continue
            ids[at], ids[right] = result, -1
            after[at] = following = after[right]
            previous = before[at]
            if following < count:
                before[following] = at
                rank = known[result << to_left | ids[following] << to_right]
                if rank != missing:
                    heappush(queue, rank << _POSITION_BITS | at)
            if previous >= 0:
                rank = known[ids[previous] << to_left | result << to_right]
                if rank != missing:
                    heappush(queue, rank << _POSITION_BITS | previous)
        kept = [at for at, token_id in enumerate(ids) if token_id >= 0]
        return [ids[at] for at in kept], [after[at] - at for at in kept]
