"""Unigram: of all ways to cut a word into pieces, the most likely.

Source: `models/unigram/model.rs` (`encode_optimized`) of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections import defaultdict
from math import inf

from edge_runtime.tokenizer.plain.unknown import byte_ids, no_token_for, spell
from edge_runtime.tokenizer.spec import kinds

_UNKNOWN_PENALTY = 10.0  # how much less likely than the rarest piece an unknown character is


class Unigram:
    """Finds the most likely pieces of a word; of equally likely ways that whose last piece starts first."""

    def __init__(self, spec: kinds.Unigram) -> None:
        # Of a piece that is listed twice the last place counts, and the score there.
        self._ids = {piece: at for at, (piece, _) in enumerate(spec.pieces)}
        self._scores = dict(spec.pieces)
        self._unknown_id = spec.unk_id
        self._unknown_score = min((score for _, score in spec.pieces), default=inf) - _UNKNOWN_PENALTY
        self._byte_ids = byte_ids(self._ids) if spec.byte_fallback else None
        # The lengths of the pieces that start with a character, shortest first: so a word costs time linear in its
        # length, with a factor that the vocabulary bounds.
        lengths: defaultdict[str, set[int]] = defaultdict(set)
        for piece in filter(None, self._ids):
            lengths[piece[0]].add(len(piece))
        self._lengths = {first: sorted(found) for first, found in lengths.items()}

    def ids(self, word: str) -> list[int]:
        """Give the ids of a word. BadRequest: it has an unknown character and no token stands for the unknown."""
        return [token_id for token_id, _, _ in self.tokenize(word)]

    def tokenize(self, word: str) -> list[tuple[int, int, int]]:
        """Give the (id, start, end) of each token of a word; raises what `ids` raises.

        Tokens of bytes each cover all the unknown characters that stand together.
        """
        tokens: list[tuple[int, int, int]] = []
        for start, end in self._pieces(word):
            token_id = self._ids.get(word[start:end])
            if token_id is not None:
                tokens.append((token_id, start, end))
            elif (as_bytes := spell(word[start:end], self._byte_ids)) is not None:
                tokens += [(byte_id, start, end) for byte_id in as_bytes]
            else:
                tokens.append((self._known_unknown(word[start:end]), start, end))
        return tokens

    def _known_unknown(self, part: str) -> int:
        if self._unknown_id is None:
            raise no_token_for(part)
        return self._unknown_id

    def _pieces(self, word: str) -> list[tuple[int, int]]:
        """Give the (start, end) of each piece in order; unknown characters that stand together are one."""
        starts, unknown = self._best_starts(word)
        pieces: list[tuple[int, int]] = []
        fused_end, end = 0, len(word)
        while end > 0:
            start = starts[end]
            is_unknown = unknown[end] or self._ids.get(word[start:end]) == self._unknown_id
            if is_unknown:
                fused_end = fused_end or end
            else:
                if fused_end:
                    pieces.append((end, fused_end))
                    fused_end = 0
                pieces.append((start, end))
            end = start
        if fused_end:
            pieces.append((0, fused_end))
        return pieces[::-1]

    def _best_starts(self, word: str) -> tuple[list[int], list[bool]]:
        """Give for each place in the word where the best piece that ends there starts, and whether it is unknown.

        A later way to the same place must be truly better; scores are added up in the order of the text, in float64.
        """
        scores, lengths, count = self._scores, self._lengths, len(word)
        starts, unknown, best = [-1] * (count + 1), [False] * (count + 1), [0.0] * (count + 1)
        for start, first in enumerate(word):
            so_far, alone = best[start], False
            for length in lengths.get(first, ()):
                end = start + length
                if end > count:
                    break
                score = scores.get(word[start:end])
                if score is None:
                    continue
                alone = alone or length == 1
                if starts[end] < 0 or score + so_far > best[end]:
                    starts[end], best[end], unknown[end] = start, score + so_far, False
            if not alone:
                end, score = start + 1, self._unknown_score + so_far
                if starts[end] < 0 or score > best[end]:
                    self._known_unknown(first)
                    starts[end], best[end], unknown[end] = start, score, True
        return starts, unknown
