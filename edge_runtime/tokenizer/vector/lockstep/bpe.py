"""Byte pair encoding of many distinct words at once, or of one short word, on the same frozen arrays.

Source: `models/bpe/model.rs` and `word.rs` of https://github.com/huggingface/tokenizers; the ids are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.lockstep import merge_tables
from edge_runtime.tokenizer.vector.lockstep.hash_table import HashTable, Index
from edge_runtime.tokenizer.vector.lockstep.long_merge import LongMerge
from edge_runtime.tokenizer.vector.lockstep.merge_queue import MergeQueue
from edge_runtime.tokenizer.vector.lockstep.merge_rounds import FEW, MergeRounds
from edge_runtime.tokenizer.vector.lockstep.words import Found, Ids, alike, joined

_CELLS = 32_768  # symbols, with room, that are merged in lock-step: their arrays stay in a core's own cache
_LONG = 4096  # symbols of a word that has rounds of its own
_CUT = 12  # symbols of words in which places are looked for that no merge can join


class BpeEngine:
    """The merges of a vocabulary, over arrays that may be read-only maps of a file.

    The caller makes the initial symbols: characters with prefix or suffix, bytes, the unknown; and it looks up whole
    words first where `ignore_merges` says so.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        pairs = HashTable(arrays, "pairs")
        id_bits, additive = arrays["layout"].tolist()
        self._additive = bool(additive)
        self._queue = MergeQueue(pairs, arrays["results"].view(np.int32).data, id_bits, self._additive)
        self._rounds = MergeRounds(arrays, pairs, self._queue)

    @staticmethod
    def arrays(model: kinds.BPE) -> merge_tables.Arrays:
        """Give the flat arrays of a model; raises UnsupportedTokenizer as `merge_tables.arrays_of` says."""
        return merge_tables.arrays_of(model)

    def merge_one(self, symbols: list[int]) -> list[tuple[int, int]]:
        """Give the (id, size) of each token of one word, as `merge` does."""
        return list(zip(*self._queue.merge(symbols), strict=True))

    def merge(self, symbols: Ids, lengths: Index) -> Found:
        """Merge the symbols of words.

        Args:
            symbols: (symbols,) int32, ids of the vocabulary, word after word.
            lengths: (words,) int64, the symbols of each word; may be 0.
        """
        piece_ends, pieces_before = self._pieces(symbols, lengths)
        starts = np.concatenate([[0], piece_ends[:-1]]) if len(piece_ends) else piece_ends
        merged = self._merge_pieces(symbols, starts, piece_ends - starts)
        tokens_before = np.concatenate([[0], np.cumsum(merged.counts)])
        counts = np.diff(tokens_before.take(pieces_before), prepend=0)
        return merged._replace(counts=counts)

    def _pieces(self, symbols: Ids, lengths: Index) -> tuple[Index, Index]:
        """Cut long words where no merge can join; give the end of each piece, and the pieces up to each word's end."""
        ends = np.cumsum(lengths)
        long = np.flatnonzero(lengths > _CUT) if self._additive else ends[:0]
        if not len(long):
            full = lengths > 0
            return ends[full], np.cumsum(full)
        last = np.zeros(len(symbols), np.bool_)
        last[ends[lengths > 0] - 1] = True
        sizes = lengths.take(long) - 1
        at = np.repeat(ends.take(long) - 1 - np.cumsum(sizes), sizes)
        at += np.arange(len(at))
        left, right = (self._rounds.shifted(symbols.take(own)) for own in (at, at + 1))
        apart = self._rounds.joins(left, right) == self._rounds.missing
        last[at[apart]] = True
        piece_ends = np.flatnonzero(last) + 1
        return piece_ends, np.searchsorted(piece_ends, ends, side="right")

    def _merge_pieces(self, symbols: Ids, starts: Index, lengths: Index) -> Found:
        """Merge pieces of any length, none empty."""
        single = np.flatnonzero(lengths == 1)
        ones = np.ones(len(single), np.int64)
        parts = [(single, Found(symbols.take(starts.take(single)), ones, ones.astype(np.int32)))]
        for pieces in alike(lengths, np.flatnonzero(lengths > 1), _CELLS, FEW):
            parts.append((pieces, self._merge_alike(symbols, starts.take(pieces), lengths.take(pieces))))
        return joined(parts, len(lengths))

    def _merge_alike(self, symbols: Ids, starts: Index, lengths: Index) -> Found:
        """Merge pieces of similar length."""
        if len(lengths) >= FEW and self._additive:
            return self._rounds.merge(symbols, starts, lengths)
        spans = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        tokens = [self._merge_long(symbols[start:end]) for start, end in spans]
        ids, sizes = (np.concatenate(columns) for columns in zip(*tokens, strict=True))
        return Found(ids.astype(np.int32), np.array([len(own) for own, _ in tokens]), sizes.astype(np.int32))

    def _merge_long(self, symbols: Ids) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """Merge one piece: first what goes together, then what is left."""
        if not self._additive or len(symbols) < _LONG:
            ids, sizes = self._queue.merge(symbols.tolist())
            return np.array(ids), np.array(sizes)
        rest, firsts = LongMerge(self._rounds, self._rounds.shifted(symbols)).run()
        ids, sizes = self._queue.merge(self._rounds.ids(rest).tolist())
        ends = np.append(firsts, len(symbols)).take(np.cumsum(sizes))
        return np.array(ids), np.diff(ends, prepend=0)
