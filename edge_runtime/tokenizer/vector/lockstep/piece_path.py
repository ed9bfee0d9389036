"""The most likely pieces of one word."""

from __future__ import annotations

from collections.abc import Sequence

from edge_runtime.tokenizer.vector.lockstep.piece_lattice import UNKNOWN_PIECE
from edge_runtime.tokenizer.vector.lockstep.trie import BASE_SHIFT, DEAD, END, FIELD, FIELD_BITS, Trie


class PiecePath:
    """Finds the way through a word; the arguments are those of `PieceLattice`."""

    def __init__(self, pieces: Trie, scores: Sequence[float], unknown_score: float, unknown_id: int) -> None:
        self._trie, self._scores, self._unknown_score = pieces, scores, unknown_score
        self._unknown_id = unknown_id

    def best(self, codes: list[int]) -> list[tuple[int, int]] | None:
        """Give (id, size) of each piece, each unknown character by itself; None as `PieceLattice.best` says."""
        links = self._best_links(codes)
        if links is None:
            return None
        pieces, lengths = links
        tokens: list[tuple[int, int]] = []
        end = len(codes)
        while end:
            piece, length = pieces[end], lengths[end]
            tokens.append((self._unknown_id if piece == UNKNOWN_PIECE else piece - 1, length))
            end -= length
        return tokens[::-1]

    def _best_links(self, codes: list[int]) -> tuple[list[int], list[int]] | None:
        """Give for each place the last piece of the best way there, and its length."""
        edges, scores, root, count = self._trie.edge_view, self._scores, self._trie.root, len(codes)
        codes = [*codes, END]
        pieces, lengths, best = [0] * (count + 1), [0] * (count + 1), [0.0] * (count + 1)
        for start in range(count):
            so_far, node, at, alone = best[start], root, start, False
            while node != DEAD:
                edge = edges[node + codes[at]]
                if edge >> BASE_SHIFT != node:
                    break
                node = edge & FIELD
                at += 1
                piece = edge >> FIELD_BITS & FIELD
                if not piece:
                    continue
                alone = alone or at == start + 1
                score = scores[piece - 1] + so_far
                if not lengths[at] or score > best[at]:
                    best[at], pieces[at], lengths[at] = score, piece, at - start
            if not alone:
                at, score = start + 1, self._unknown_score + so_far
                if not lengths[at] or score > best[at]:
                    if self._unknown_id < 0:
                        return None
                    best[at], pieces[at], lengths[at] = score, UNKNOWN_PIECE, 1
        return pieces, lengths

    def piece(self, codes: Sequence[int]) -> int | None:
        """Give the id of the piece that is all these codes."""
        edges, node, edge = self._trie.edge_view, self._trie.root, 0
        for code in codes:
            edge = edges[node + code]
            if edge >> BASE_SHIFT != node:
                return None
            node = edge & FIELD
        piece = edge >> FIELD_BITS & FIELD
        return piece - 1 if piece else None
