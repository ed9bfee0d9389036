"""Texts as parts: added tokens that were found, and sections between them that the model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.assemble.trimming import Blanks, white_edges
from edge_runtime.tokenizer.encoding import Tokens
from edge_runtime.tokenizer.plain.added import TEXT, AddedTokens
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.vector.batch import Batches, encoded
from edge_runtime.tokenizer.vector.core import Pieces, merged, one_after_another
from edge_runtime.tokenizer.vector.plain_way import PlainWay


class _Section(NamedTuple):
    """A section of text as it is: where it begins, in characters, and its place among the parts."""

    text: str
    start: int
    place: int


class _Found(NamedTuple):
    """An added token, where it stands, the text that was taken for it, and its place among the parts."""

    id: int
    start: int
    end: int
    text: str
    place: int


class PartedTexts:
    """Tokenizes texts in which added tokens may stand.

    Args:
        normalizes: whether there is a normalizer at all.
        spans: give where tokens begin and end, too.
    """

    def __init__(self, added: AddedTokens, batches: Batches, plain: PlainWay, normalizes: bool, spans: bool) -> None:
        self._added, self._batches, self._plain = added, batches, plain
        self._normalizes, self._spans = normalizes, spans
        self._sections: list[_Section] = []
        self._found: list[_Found] = []
        self._worked_out: list[tuple[int, Pieces]] = []  # place, and pieces counted from the beginning of the text
        self._places = 0

    def tokens(self, texts: Sequence[str]) -> tuple[Tokens, Blanks | None]:
        """Give the tokens of texts, and the white space of those that are not the vocabulary's string."""
        parts: list[int] = []
        for text in texts:
            if not text.isascii():
                encoded(text)  # a lone surrogate is named by its place in the text, not in a part of it
            before = self._places
            for part in self._added.raw.split(text):
                if part.id == TEXT:
                    self._section(text[part.start : part.end], part.start)
                else:
                    self._add_found(part.id, part.start, part.end, text[part.start : part.end])
            parts.append(self._places - before)
        pieces = self._merged()
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(pieces.counts)])
        bounds = ends.take(np.concatenate([[0], np.cumsum(parts, dtype=np.int64)]))
        spans = pieces.spans
        if spans is None:
            return Tokens(pieces.ids, np.diff(bounds)), None
        edges = white_edges(found.text for found in self._found)
        at = ends[[found.place for found in self._found]]
        blanks = np.stack([at, edges.leading, edges.trailing], axis=1, dtype=np.int32)
        return Tokens(pieces.ids, np.diff(bounds), spans), blanks

    def _section(self, text: str, start: int) -> None:
        """Look for the tokens that stand in normalized text."""
        finder = self._added.normalized
        if finder.beginning is None:
            self._add_section(text, start)
        elif not self._normalizes:
            for part in finder.split(text):
                if part.id == TEXT:
                    self._add_section(text[part.start : part.end], start + part.start)
                else:
                    self._add_found(part.id, start + part.start, start + part.end, text[part.start : part.end])
        elif finder.beginning.search(self._plain.normalizer.normalize(text)) is None:
            self._add_section(text, start)
        else:
            self._normalized_section(self._plain.normalizer.align(Aligned.of(text, start)))

    def _normalized_section(self, section: Aligned) -> None:
        for part in self._added.normalized.split(section.text):
            piece = section.piece(part.start, part.end)
            if part.id == TEXT:
                pieces = self._plain.normalized(piece, piece.starts[0] == 0, self._spans)
                self._worked_out.append((self._place(), pieces))
            else:
                self._add_found(part.id, piece.starts[0], piece.ends[-1], piece.text)

    def _add_section(self, text: str, start: int) -> None:
        self._sections.append(_Section(text, start, self._place()))

    def _add_found(self, token_id: int, start: int, end: int, text: str) -> None:
        self._found.append(_Found(token_id, start, end, text, self._place()))

    def _place(self) -> int:
        self._places += 1
        return self._places - 1

    def _merged(self) -> Pieces:
        texts, starts = [section.text for section in self._sections], [section.start for section in self._sections]
        sections = self._batches.pieces(texts, [start == 0 for start in starts], self._spans)
        if sections.starts is not None and sections.ends is not None:
            shift = np.repeat(_array(starts), sections.counts).astype(np.int32)
            sections = sections._replace(starts=sections.starts + shift, ends=sections.ends + shift)
        sources = [(_array([section.place for section in self._sections]), sections)]
        if self._found:
            sources.append((_array([found.place for found in self._found]), self._found_pieces()))
        if self._worked_out:
            places, pieces = zip(*self._worked_out, strict=True)
            sources.append((_array(list(places)), one_after_another(list(pieces))))
        return merged(sources, self._places)

    def _found_pieces(self) -> Pieces:
        columns = np.array([found[:3] for found in self._found], np.int32)
        counts = np.ones(len(columns), np.int64)
        return Pieces(columns[:, 0], counts, *(columns[:, 1:].T if self._spans else ()))


def _array(numbers: list[int]) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)
