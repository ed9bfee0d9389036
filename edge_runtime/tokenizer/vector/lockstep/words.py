"""Many words in one array of codes, and their tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.lockstep.trie import END, Index, Trie

Ids = NDArray[np.int32]

_ALIKE = 128  # words that go together however different their lengths are


class Found(NamedTuple):
    """Tokens of words, word after word.

    Attributes:
        ids: (tokens,) int32.
        counts: (words,) int64, the tokens of each word.
        sizes: (tokens,) int32, how many characters or symbols each token covers.
    """

    ids: Ids
    counts: Index
    sizes: Ids


def flat_codes(trie: Trie, code_points: NDArray[np.uint32], lengths: Index) -> tuple[Index, Index]:
    """Give the codes of words with END after each word, and where each word begins."""
    ends = np.cumsum(lengths + 1)
    codes = np.full(int(ends[-1]) if len(ends) else 0, END)
    inside = np.ones(len(codes), np.bool_)
    inside[ends - 1] = False
    codes[inside] = trie.codes(code_points)
    return codes, ends - lengths - 1


def found_at(tokens: Ids, starts: Index, lengths: Index) -> Found:
    """Give the tokens that are written down, each one more than its id, at the places where they begin."""
    places = np.flatnonzero(tokens)
    before = np.concatenate([np.searchsorted(places, starts), [len(places)]])
    counts = np.diff(before)
    ends = np.empty(len(places), np.int64)
    ends[:-1] = places[1:]
    some = np.flatnonzero(counts)
    ends[before[1:].take(some) - 1] = starts.take(some) + lengths.take(some)
    return Found(tokens.take(places) - 1, counts, (ends - places).astype(np.int32))


def found_in(grid: NDArray[np.int32], lengths: Index) -> Found:
    """Give the tokens of words that stand side by side, one in each column.

    Args:
        grid: (rows, words) int32, one more than the id where a token begins, and 0 elsewhere.
        lengths: (words,) int64, the rows of each word, at least one; a token reaches to the next one or to there.
    """
    by_word = np.ascontiguousarray(grid.T)
    places = by_word.reshape(-1).nonzero()[0]
    counts = (by_word != 0).sum(axis=1)
    ends = np.empty(len(places), np.int64)
    ends[:-1] = places[1:]
    ends[np.cumsum(counts) - 1] = np.arange(len(counts)) * by_word.shape[1] + lengths
    return Found(by_word.reshape(-1).take(places) - 1, counts, (ends - places).astype(np.int32))


def alike(lengths: Index, order: Index, cells: int, few: int) -> Iterator[Index]:
    """Give words in groups of similar length, the short ones first.

    Args:
        order: (some words,) int64, those of `lengths` that are asked for.
        cells: how many characters, with the room that shorter words leave, go together.
        few: words that go together however long they are.
    """
    asked = lengths.take(order)
    if int(asked.max(initial=0)) < 1 << 15:
        asked = asked.astype(np.int16)  # of which a sort takes less time
    order = order.take(np.argsort(asked, kind="stable"))
    ordered = lengths.take(order)
    at = 0
    while at < len(order):
        most = int(np.searchsorted(ordered, ordered[at] + ordered[at] // 4, side="right"))
        end = max(most, min(at + _ALIKE, len(order)))
        end = min(end, at + max(few, cells // (int(ordered[end - 1]) + 2)))
        yield order[at:end]
        at = end


def joined(parts: Sequence[tuple[Index, Found]], count: int) -> Found:
    """Give the tokens of all words in order, of groups that together are all words that have any."""
    counts = np.zeros(count, np.int64)
    for words, found in parts:
        counts[words] = found.counts
    firsts = np.cumsum(counts) - counts
    total = int(counts.sum())
    ids, sizes = np.empty(total, np.int32), np.empty(total, np.int32)
    for words, found in parts:
        to = np.repeat(firsts.take(words) - (np.cumsum(found.counts) - found.counts), found.counts)
        to += np.arange(len(to))
        ids[to], sizes[to] = found.ids, found.sizes
    return Found(ids, counts, sizes)
