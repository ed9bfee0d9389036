"""What a vocabulary's merges are as flat arrays: made once, at compile time."""

from __future__ import annotations

from collections.abc import Iterable
from operator import add

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.spec.merges import Merges
from edge_runtime.tokenizer.vector.lockstep import hash_table
from edge_runtime.tokenizer.vector.lockstep.hash_table import Index, Words

Arrays = dict[str, NDArray[np.generic]]

_KEY_BITS = 63  # of a pair and its rank
_MOST_RANK_BITS = 31


def arrays_of(model: kinds.BPE) -> Arrays:
    """Give the arrays that `BpeEngine` works on.

    Returns:
        pairs_*: the hash table from pairs of ids to ranks. joins_*: that from pairs of symbols to the lowest rank of
        the merges of two pieces of which one ends with the first symbol, and the next begins with the second.
        results: (merges,) int32, what each merge gives. alone: (merges,) bool, whether that is part of a merge of lower
        rank. made: (ids + 1,) bool, whether a merge gives this id; what is no id is not made.
        layout: (2,) int64, the bits of an id in a key; 1 if the queue's order is simply that of the ranks.

    Raises:
        UnsupportedTokenizer: a merge needs a piece that is not in the vocabulary, or there are too many ids and merges
            for a table of pairs.
    """
    left, right, result = _merge_ids(model)
    count = max(model.vocab.values(), default=0) + 1
    id_bits = count.bit_length()
    rank_bits = min(_KEY_BITS - 2 * id_bits, _MOST_RANK_BITS)
    if rank_bits < 1 or len(left) >= 1 << rank_bits:
        raise UnsupportedTokenizer(f"BPE with ids up to {count - 1} and {len(left)} merges is too large")
    ranks = np.arange(len(left))

    def keys(first: Index, second: Index) -> Words:
        return (first << id_bits | second).astype(np.uint64) << np.uint64(rank_bits)

    made = np.zeros(count + 1, np.bool_)
    made[result] = True
    additive = _is_additive(model)
    joined = _joined_symbols(left, right, result, count) if additive else None
    joins = keys(*joined) if joined is not None else np.zeros(0, np.uint64)
    joins, first = np.unique(joins, return_index=True)
    return {
        **hash_table.build("pairs", keys(left, right), ranks.astype(np.uint64), rank_bits),
        **hash_table.build("joins", joins, first.astype(np.uint64), rank_bits),
        "results": result.astype(np.int32),
        "alone": _first_uses(left, right, count)[result] < ranks,
        "made": made if joined is not None else np.ones(count + 1, np.bool_),
        "layout": np.array([id_bits, additive]),
    }


def _merge_ids(model: kinds.BPE) -> tuple[Index, Index, Index]:
    """Give the ids of the two pieces and of the result of each merge."""
    vocab, count = model.vocab, len(model.merges)
    if isinstance(model.merges, Merges):  # read from a file, whose reader has looked them up
        left, right, result = model.merges.ids.astype(np.int64)
        return left, right, result
    lefts, rights = zip(*model.merges, strict=True) if count else ((), ())
    prefix = len((model.continuing_subword_prefix or "").encode())
    ends: Iterable[str] = rights
    if prefix:  # as many bytes as the prefix has are taken off, whatever they are
        ends = (right.encode()[prefix:].decode(errors="replace") for right in rights)

    def ids(pieces: Iterable[str]) -> Index:
        return np.fromiter(map(vocab.__getitem__, pieces), np.int64, count)

    try:
        return ids(lefts), ids(rights), ids(map(add, lefts, ends))
    except KeyError as error:
        raise UnsupportedTokenizer(f"a merge needs {error.args[0]!r}, which is not in the vocabulary") from error


def _is_additive(model: kinds.BPE) -> bool:
    """Say whether a pair can only grow: whatever merges with a neighbour is longer, and ids know their length.

    Then an entry of the queue whose pair has changed never gives the token it was made for, so the order is that of
    the ranks. Not so with two pieces of one id, an empty piece, or a prefix that a right piece lacks.
    """
    if "" in model.vocab or len(set(model.vocab.values())) < len(model.vocab):
        return False
    prefix = model.continuing_subword_prefix or ""

    def length(piece: str) -> int:
        return len(piece) - len(prefix) * piece.startswith(prefix) or len(piece)

    return not prefix or all(
        right.startswith(prefix) and length(left + right[len(prefix) :]) == length(left) + length(right)
        for left, right in model.merges
    )


def _first_uses(left: Index, right: Index, count: int) -> Index:
    """Give for each id the lowest rank of a merge that it is part of."""
    first = np.full((2, count), len(left))
    ranks = np.arange(len(left))[::-1]
    first[0, left[::-1]] = ranks  # of several writes to one place the last one stays
    first[1, right[::-1]] = ranks
    uses: Index = first.min(axis=0)
    return uses


def _joined_symbols(left: Index, right: Index, result: Index, count: int) -> tuple[Index, Index] | None:
    """Give the symbols that each merge puts side by side, or None if some id is made of different symbols."""
    first, last = np.arange(count), np.arange(count)
    first[result], last[result] = left, right
    for ends in (first, last):
        while True:
            further = ends.take(ends)
            if np.array_equal(further, ends):
                break
            ends[:] = further
    same = np.array_equal(first[left], first[result]) and np.array_equal(last[right], last[result])
    return (last[left], first[right]) if same else None
