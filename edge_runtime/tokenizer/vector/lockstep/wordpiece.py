"""WordPiece of many distinct words at once, or of one short word, on the same frozen arrays.

Source: `models/wordpiece/mod.rs` of https://github.com/huggingface/tokenizers; the ids are theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.plain.unknown import no_token_for
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.lockstep import trie
from edge_runtime.tokenizer.vector.lockstep.trie import BASE_SHIFT, DEAD, END, FIELD, FIELD_BITS, Index, Trie
from edge_runtime.tokenizer.vector.lockstep.words import Found, Ids, flat_codes, found_at

Array = NDArray[np.generic]

_BLOCK = 16_384  # words walked together: their arrays stay in a core's own cache
_FEW = 12  # words that one by one take less time than in lock-step
_NONE = -1


class WordPieceEngine:
    """The pieces of a vocabulary, over arrays that may be read-only maps of a file."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._trie = Trie(arrays)
        self._continuing, self._unknown_id, self._limit = arrays["rules"].tolist()

    @staticmethod
    def arrays(model: kinds.WordPiece) -> dict[str, Array]:
        """Give the flat arrays of a model.

        Returns:
            trie_*: the pieces. rules: (3,) int64, the node where pieces inside a word begin, the unknown id or -1, and
            the characters of the longest word.

        Raises:
            UnsupportedTokenizer: the vocabulary is too large.
        """
        arrays = trie.build(list(model.vocab), np.fromiter(model.vocab.values(), np.int64, len(model.vocab)))
        continuing = Trie(arrays).node(model.continuing_subword_prefix)
        unknown_id = model.vocab.get(model.unk_token, _NONE)
        limit = min(model.max_input_chars_per_word, np.iinfo(np.int64).max)
        return {**arrays, "rules": np.array([continuing, unknown_id, limit], np.int64)}

    def match_one(self, word: str) -> list[tuple[int, int]]:
        """Give the (id, size) of each token of one word, as `match` does."""
        if len(word) > self._limit:
            return self._unknown(word)
        tokens = self._pieces(self._trie.codes_of(word), self._trie.root)
        return self._unknown(word) if tokens is None else tokens

    def _pieces(self, codes: list[int], node: int) -> list[tuple[int, int]] | None:
        """Take the longest piece again and again, beginning at a node; None if no piece begins somewhere."""
        edges = self._trie.edge_view
        tokens: list[tuple[int, int]] = []
        start, size = 0, len(codes)
        while start < size:
            piece, end = 0, start
            for at in range(start, size):
                edge = edges[node + codes[at]]
                if edge >> BASE_SHIFT != node:
                    break
                node = edge & FIELD
                if found := edge >> FIELD_BITS & FIELD:
                    piece, end = found, at + 1
            if not piece:
                return None
            tokens.append((piece - 1, end - start))
            node, start = self._continuing, end
        return tokens

    def _unknown(self, word: str) -> list[tuple[int, int]]:
        if self._unknown_id < 0:
            raise no_token_for(word)
        return [(self._unknown_id, len(word))]

    def match(self, code_points: NDArray[np.uint32], lengths: Index) -> Found:
        """Give the tokens of words.

        Args:
            code_points: (characters,) uint32, word after word.
            lengths: (words,) int64, the characters of each word; may be 0.

        Raises:
            BadRequest: a word is unknown, and the vocabulary lacks the token for that.
        """
        codes, starts = flat_codes(self._trie, code_points, lengths)
        tokens = np.zeros(len(codes), np.int32)  # one more than its id where a token begins
        fitting = np.flatnonzero((lengths > 0) & (lengths <= self._limit))
        failed = [np.flatnonzero(lengths > self._limit)]
        for first in range(0, len(fitting), _BLOCK):
            words = fitting[first : first + _BLOCK]
            stuck = self._walk(codes, starts.take(words), tokens)
            failed.append(np.searchsorted(starts, stuck, side="right") - 1)
        unknown = np.concatenate(failed)
        if len(unknown):
            self._give_up(tokens, starts, lengths, unknown, code_points)
        return found_at(tokens, starts, lengths)

    def _walk(self, codes: Index, starts: Index, tokens: Ids) -> Index:
        """Take the longest piece again and again, for all words at once, and write down each where it begins.

        A word whose end is reached stays until enough of them do; few words that are left go one by one. Gives the
        places where no piece begins.
        """
        edges, continuing = self._trie.edges, self._continuing
        begin, at, end = starts.copy(), starts, starts.copy()
        node, piece = np.full(len(starts), self._trie.root), np.zeros(len(starts), np.int64)
        stuck, nowhere = [starts[:0]], len(codes) - 1
        while len(at) > _FEW:
            edge = edges.take(node + codes.take(at))
            alive = edge >> BASE_SHIFT == node
            at = at + 1
            node = edge & FIELD
            edge >>= FIELD_BITS
            edge &= FIELD
            longer = (alive & (edge != 0)).nonzero()[0]
            piece[longer], end[longer] = edge.take(longer), at.take(longer)
            dead = (~alive).nonzero()[0]
            if not len(dead):
                continue
            place, until, taken = begin.take(dead), end.take(dead), piece.take(dead)
            tokens[place] = taken
            none = (taken == 0).nonzero()[0]
            if len(none):
                here = place.take(none)
                stuck.append(here[codes.take(here) != END])
                until[none] = nowhere
            finished = codes.take(until) == END
            begin[dead] = at[dead] = end[dead] = until
            piece[dead] = 0
            node[dead] = np.where(finished, DEAD, continuing)
            if np.count_nonzero(finished) * 4 > len(at):
                left = (codes.take(begin) != END).nonzero()[0]
                begin, at, end, node, piece = (array.take(left) for array in (begin, at, end, node, piece))
        stuck.append(self._walk_one_by_one(codes, begin[codes.take(begin) != END], tokens))
        return np.concatenate(stuck)

    def _walk_one_by_one(self, codes: Index, begins: Index, tokens: Ids) -> Index:
        """Go on with words of which pieces are taken up to some place; give the places of those that get stuck."""
        stuck = []
        for begin in begins.tolist():
            node = self._continuing if begin and codes[begin - 1] != END else self._trie.root
            size = int((codes[begin : begin + self._limit + 1] == END).argmax())
            found = self._pieces(codes[begin : begin + size].tolist(), node)
            if found is None:
                stuck.append(begin)
                continue
            for token_id, token_size in found:
                tokens[begin] = token_id + 1
                begin += token_size
        return np.array(stuck, np.int64)

    def _give_up(
        self, tokens: Ids, starts: Index, lengths: Index, unknown: Index, code_points: NDArray[np.uint32]
    ) -> None:
        """Write the unknown token down for some words, instead of what they have."""
        if self._unknown_id < 0:
            first = int(starts[unknown[0]] - unknown[0])
            word = code_points[first : first + int(lengths[unknown[0]])]
            raise no_token_for(word.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass"))
        given_up = np.zeros(len(lengths), np.bool_)
        given_up[unknown] = True
        tokens[np.repeat(given_up, lengths + 1)] = 0
        tokens[starts.take(unknown)] = self._unknown_id + 1
