"""Unigram of many distinct words at once, or of one short word, on the same frozen arrays.

Source: `models/unigram/model.rs` (`encode_optimized`) of https://github.com/huggingface/tokenizers; the ids are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.plain.unknown import byte_ids, no_token_for, spell
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.lockstep import trie
from edge_runtime.tokenizer.vector.lockstep.piece_lattice import PieceLattice
from edge_runtime.tokenizer.vector.lockstep.piece_path import PiecePath
from edge_runtime.tokenizer.vector.lockstep.trie import BASE_SHIFT, Index, Trie
from edge_runtime.tokenizer.vector.lockstep.words import Found, alike, joined

Array = NDArray[np.generic]

_UNKNOWN_PENALTY = 10.0  # how much less likely than the rarest piece an unknown character is
_FEW = 12  # words that one by one take less time than in lock-step
_CELLS = 65_536  # characters, with room, that go in lock-step: their arrays stay in a core's own cache
_LONG = 200  # characters of a word whose pieces are found all at once, even if no other word goes along
_NONE = -1


class UnigramEngine:
    """The pieces of a vocabulary, over arrays that may be read-only maps of a file."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._trie = Trie(arrays)
        (self._unknown_id,) = arrays["unknown_id"].tolist()
        (unknown_score,) = arrays["unknown_score"].tolist()
        scores, spelled = arrays["scores"].view(np.float64), arrays["byte_ids"].tolist()
        self._byte_ids = [None if at < 0 else at for at in spelled] if spelled else None
        self._lattice = PieceLattice(self._trie, scores, unknown_score, self._unknown_id)
        self._path = PiecePath(self._trie, scores.data, unknown_score, self._unknown_id)

    @staticmethod
    def arrays(model: kinds.Unigram) -> dict[str, Array]:
        """Give the flat arrays of a model.

        Returns:
            trie_*: the pieces. scores: (pieces,) float64. unknown_score: (1,) float64. unknown_id: (1,)
            int64, -1 if there is none. byte_ids: (256,) int32, -1 for those that the vocabulary lacks; (0,) if bytes do
            not stand for unknown characters.

        Raises:
            UnsupportedTokenizer: the vocabulary is too large.
        """
        ids = {piece: at for at, (piece, _) in enumerate(model.pieces)}  # of equal pieces the last one counts
        scores = np.fromiter((score for _, score in model.pieces), np.float64, len(model.pieces))
        spelled = byte_ids(ids) if model.byte_fallback else []
        return {
            **trie.build(list(ids), np.fromiter(ids.values(), np.int64, len(ids))),
            "scores": scores,
            "unknown_score": scores.min(initial=np.inf, keepdims=True) - _UNKNOWN_PENALTY,
            "byte_ids": np.array([_NONE if at is None else at for at in spelled], np.int32),
            "unknown_id": np.array([_NONE if model.unk_id is None else model.unk_id], np.int64),
        }

    def best_one(self, word: str) -> list[tuple[int, int]]:
        """Give the (id, size) of each token of one word, as `best` does."""
        codes = self._trie.codes_of(word)
        pieces = self._path.best(codes)
        if pieces is None:
            raise no_token_for(word)
        tokens: list[tuple[int, int]] = []
        start = 0
        for token_id, group in groupby(pieces, key=itemgetter(0)):
            sizes = [size for _, size in group]
            if token_id != self._unknown_id:
                tokens += [(token_id, size) for size in sizes]
                start += sum(sizes)
                continue
            end = start + sum(sizes)
            tokens += self._unknown(codes[start:end], word[start:end])
            start = end
        return tokens

    def _unknown(self, codes: Sequence[int], part: str) -> list[tuple[int, int]]:
        """Give the tokens of unknown characters that stand together."""
        piece, size = self._path.piece(codes), len(part)
        if piece is None and (spelled := spell(part, self._byte_ids)) is not None:
            return [(byte_id, 0 if at else size) for at, byte_id in enumerate(spelled)]
        return [(self._unknown_id if piece is None else piece, size)]

    def best(self, code_points: NDArray[np.uint32], lengths: Index) -> Found:
        """Give the tokens of words.

        Unknown characters that stand together are one token, or its bytes are: the first of these has the size of all
        the characters, the others have size 0 and stand for the same ones.

        Args:
            code_points: (characters,) uint32, word after word.
            lengths: (words,) int64, the characters of each word; may be 0.

        Raises:
            BadRequest: a word has an unknown character, and the vocabulary lacks a token for that.
        """
        codes = self._trie.codes(code_points)
        starts = np.cumsum(lengths) - lengths
        parts = []
        for words in alike(lengths, np.flatnonzero(lengths), _CELLS, _FEW):
            own, sizes = starts.take(words), lengths.take(words)
            lockstep = len(words) > _FEW
            found = self._lattice.best(codes, own, sizes) if lockstep else self._one_by_one(codes, own, sizes)
            if found is None:
                raise no_token_for(_text(code_points[own[0] : own[0] + sizes[0]]))
            parts.append((words, found))
        return self._with_unknown(joined(parts, len(lengths)), codes, code_points)

    def _one_by_one(self, codes: Index, starts: Index, lengths: Index) -> Found | None:
        """Do what the lattice does for few words."""
        tokens: list[tuple[int, int]] = []
        counts = []
        for start, size in zip(starts.tolist(), lengths.tolist(), strict=True):
            own = codes[start : start + size]
            pieces = self._path.best(own.tolist()) if size < _LONG else self._lattice.best_of_long(own)
            if pieces is None:
                return None
            tokens += pieces
            counts.append(len(pieces))
        ids, sizes = np.array(tokens, np.int32).T
        return Found(ids, np.array(counts, np.int64), sizes)

    def _with_unknown(self, found: Found, codes: Index, code_points: NDArray[np.uint32]) -> Found:
        """Fuse unknown characters that stand together, and give them their tokens."""
        unknown = found.ids == self._unknown_id
        if self._unknown_id < 0 or not unknown.any():
            return found
        ends = np.cumsum(found.counts)
        first = np.zeros(len(unknown) + 1, np.bool_)  # of its word
        first[ends - found.counts] = True
        kept = ~unknown
        kept[0] = True
        kept[1:] |= ~unknown[:-1] | first[1:-1]
        kept_before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
        counts = np.diff(kept_before.take(ends), prepend=0)
        at = np.flatnonzero(kept)
        sizes = np.add.reduceat(found.sizes, at, dtype=np.int32)
        fused = Found(found.ids.take(at), counts, sizes)
        return self._with_bytes(fused, np.flatnonzero(unknown.take(at)), codes, code_points)

    def _with_bytes(self, found: Found, unknown: Index, codes: Index, code_points: NDArray[np.uint32]) -> Found:
        """Give unknown tokens that are a piece as a whole, or bytes, what they really are."""
        starts = np.cumsum(found.sizes, dtype=np.int64) - found.sizes
        if self._byte_ids is None:
            begins = self._trie.edges.take(self._trie.root + codes.take(starts.take(unknown)))
            unknown = unknown[(begins >> BASE_SHIFT == self._trie.root) & (found.sizes.take(unknown) > 1)]
        changed: list[list[tuple[int, int]]] = []
        for start, size in zip(starts.take(unknown).tolist(), found.sizes.take(unknown).tolist(), strict=True):
            own = slice(start, start + size)
            changed.append(self._unknown(codes[own].tolist(), _text(code_points[own])))
        repeats = np.ones(len(found.ids), np.int64)
        repeats[unknown] = [len(tokens) for tokens in changed]
        ids, sizes = found.ids.repeat(repeats), found.sizes.repeat(repeats)
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(repeats)])
        for at, tokens in zip(before.take(unknown).tolist(), changed, strict=True):
            ids[at : at + len(tokens)] = [token_id for token_id, _ in tokens]
            sizes[at : at + len(tokens)] = [size for _, size in tokens]
        return Found(ids, np.diff(before.take(np.cumsum(found.counts)), prepend=0), sizes)


def _text(code_points: NDArray[np.uint32]) -> str:
    return code_points.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
