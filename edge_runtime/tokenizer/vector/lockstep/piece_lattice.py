"""The most likely pieces of many words at once: all pieces of all places first, then the best way, row by row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.lockstep.trie import BASE_SHIFT, END, FIELD, FIELD_BITS, Index, Trie
from edge_runtime.tokenizer.vector.lockstep.words import Found, found_in

_WINDOW = 16_384  # places of a long word that are looked at together: that bounds the memory
UNKNOWN_PIECE = 0  # a piece is one more than its id, except this one
Scores = NDArray[np.float64]


class _Pieces(NamedTuple):
    """Pieces of one length, in the order of the places where they begin.

    Attributes:
        starts, ends: (pieces,) int64, places. links: (pieces,) int64, piece << FIELD_BITS | length.
    """

    starts: Index
    ends: Index
    links: Index
    scores: Scores

    def between(self, first: int, last: int) -> _Pieces:
        """Give those from number `first` up to number `last`."""
        own = slice(first, last)
        return _Pieces(self.starts[own], self.ends[own], self.links[own], self.scores[own])


class PieceLattice:
    """Finds the ways through words.

    Args:
        pieces: their ids and how they are spelled. scores: (ids,) float64.
        unknown_score: of a character that is no piece by itself.
        unknown_id: what it becomes; -1: nothing, so no way may use it.
    """

    def __init__(self, pieces: Trie, scores: Scores, unknown_score: float, unknown_id: int) -> None:
        self._trie, self._scores, self._unknown_score = pieces, scores, unknown_score
        self._unknown_id = unknown_id

    def best(self, codes: NDArray[np.generic], starts: Index, lengths: Index) -> Found | None:
        """Give the pieces of words that lie in `codes`, each unknown character by itself.

        The words should be of similar length: they stand side by side, one in each column, and take the room of the
        longest. None: a way uses an unknown character, for which there is no id.
        """
        columns, rows = len(lengths), int(lengths.max()) + 1
        down = np.arange(rows)[:, None]
        grid = codes.take(starts + down, mode="clip").astype(np.int64)
        np.copyto(grid, END, where=down >= lengths)
        links = self._best_links(grid.reshape(-1), columns)
        if links is None:
            return None
        return self._tokens(links, lengths, rows)

    def best_of_long(self, codes: Index) -> list[tuple[int, int]] | None:
        """Give (id, size) of the pieces of one long word, as `best` does.

        All pieces of many places are found at once, then they are tried one after another.
        """
        size = len(codes)
        codes = np.append(codes, END)
        best, links = [0.0] + [-np.inf] * size, [0] * (size + 1)
        refused = self._unknown_id < 0
        for first in range(0, size, _WINDOW):
            pieces = self._pieces(codes, 1, first, min(first + _WINDOW, size))
            starts, ends, found, scores = (np.concatenate(column) for column in zip(*pieces, strict=True))
            order = np.argsort(starts, kind="stable")
            columns = (column.take(order).tolist() for column in (starts, ends, found, scores))
            for start, end, link, score in zip(*columns, strict=True):
                score += best[start]
                if score > best[end]:
                    if refused and link >> FIELD_BITS == UNKNOWN_PIECE:
                        return None
                    best[end], links[end] = score, link
        tokens = []
        while size:
            piece, length = links[size] >> FIELD_BITS, links[size] & FIELD
            tokens.append((self._unknown_id if piece == UNKNOWN_PIECE else piece - 1, length))
            size -= length
        return tokens[::-1]

    def _pieces(self, codes: Index, columns: int, first: int, last: int) -> list[_Pieces]:
        """Give the pieces that begin at some places, those of each length together."""
        edges, root = self._trie.edges, self._trie.root
        edge = edges.take(codes[first:last] + root)
        at = (edge >> BASE_SHIFT == root).nonzero()[0]
        edge = edge.take(at)
        at += first
        unknown = codes[first:last] != END
        found: list[_Pieces] = []
        length = 1
        while len(at):
            piece = edge >> FIELD_BITS
            piece &= FIELD
            hit = piece.nonzero()[0]
            if len(hit):
                piece, starts = piece.take(hit), at.take(hit)
                scores = self._scores.take(piece - 1)
                found.append(_Pieces(starts, starts + length * columns, piece << FIELD_BITS | length, scores))
                if length == 1:
                    unknown[starts - first] = False
            node = edge & FIELD
            going = node.nonzero()[0]
            at, node = at.take(going), node.take(going)
            edge = edges.take(node + codes.take(at + length * columns))
            alive = (edge >> BASE_SHIFT == node).nonzero()[0]
            at, edge = at.take(alive), edge.take(alive)
            length += 1
        starts = unknown.nonzero()[0] + first
        links = np.full(len(starts), UNKNOWN_PIECE << FIELD_BITS | 1)
        return [*found, _Pieces(starts, starts + columns, links, np.full(len(starts), self._unknown_score))]

    def _best_links(self, codes: Index, columns: int) -> Index | None:
        """Give for each place the last piece of the best way there.

        A later way to the same place must be truly better; scores are added up in the order of the text, in float64.
        """
        pieces = self._pieces(codes, columns, 0, len(codes))
        bounds = np.arange(0, len(codes) + 1, columns)
        parts = [np.searchsorted(own.starts, bounds).tolist() for own in pieces]
        best = np.full(len(codes), -np.inf)
        best[:columns] = 0.0
        links = np.zeros(len(codes), np.int64)
        for row in range(len(bounds) - 1):
            # Pieces that begin in one row end at different places, so that all of them can be tried at once.
            spans = [(own, part[row], part[row + 1]) for own, part in zip(pieces, parts, strict=True)]
            here = [own.between(first, last) for own, first, last in spans if first < last]
            if not here:
                continue
            scores = np.concatenate([own.scores for own in here])
            scores += best.take(np.concatenate([own.starts for own in here]))
            ends = np.concatenate([own.ends for own in here])
            link = np.concatenate([own.links for own in here])
            better = (scores > best.take(ends)).nonzero()[0]
            ends, link = ends.take(better), link.take(better)
            if self._unknown_id < 0 and (link >> FIELD_BITS == UNKNOWN_PIECE).any():
                return None
            best[ends] = scores.take(better)
            links[ends] = link
        return links

    def _tokens(self, links: Index, lengths: Index, rows: int) -> Found:
        """Follow the links from the ends of the words, and give the pieces in order."""
        columns = len(lengths)
        tokens = np.zeros((rows, columns), np.int32)  # one more than the id where a token begins
        flat = tokens.reshape(-1)
        at = np.arange(columns) + lengths * columns
        while len(at):
            link = links.take(at)
            at = at - (link & FIELD) * columns
            link >>= FIELD_BITS
            link[link == UNKNOWN_PIECE] = self._unknown_id + 1
            flat[at] = link
            at = at[at >= columns]
        return found_in(tokens[:-1] if rows > 1 else tokens, lengths)
