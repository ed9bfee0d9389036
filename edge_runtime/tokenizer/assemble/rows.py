"""Any shape of rows: pairs, overflow, padding on either side, offsets; any template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from edge_runtime.errors import InputTooLong
from edge_runtime.tokenizer.assemble.columns import between
from edge_runtime.tokenizer.assemble.cutting import Parts, combinations, ragged
from edge_runtime.tokenizer.assemble.trimming import Blanks, Chosen, Trimmer
from edge_runtime.tokenizer.encoding import IdArray, Side, Tokens, Truncation
from edge_runtime.tokenizer.spec.kinds import Piece


class Text(NamedTuple):
    """The tokens that go to one sequence of a template, A or B.

    Attributes:
        kept: (texts,), how many of its tokens one row may hold.
        overflow_type_id: the type id of its tokens in any but its first part.
        blanks: tokens whose white space is not that of their vocabulary string.
    """

    tokens: Tokens
    kept: IdArray
    overflow_type_id: int
    blanks: Blanks | None


class _Place(NamedTuple):
    """One piece of the template in every row: special ids, or (`text` given) some tokens of a text.

    Attributes:
        sizes: (rows,), how many tokens stand here.
        chosen: which tokens of the text these are, row after row.
        parts: (rows,), the number of the part that stands here.
    """

    piece: Piece
    text: Text | None
    sizes: IdArray
    chosen: Chosen
    parts: IdArray


class Rows:
    """Which tokens stand in which row.

    Args:
        pieces: the template.
        texts: the text that goes to "A", and that to "B" if there are pairs.

    Attributes:
        lengths: (rows,), the tokens of each row, special ones included.
        owners: (rows,), the index of each row's text.

    Raises:
        BadRequest, InputTooLong: as `Assembler.assemble`.
    """

    def __init__(
        self, pieces: tuple[Piece, ...], texts: dict[str, Text], truncation: Truncation, max_tokens: int | None
    ) -> None:
        count = len(texts["A"].kept)
        cuts = {name: Parts(t.tokens.lengths, t.kept, truncation, max_tokens) for name, t in texts.items()}
        slots = [piece.sequence for piece in pieces if piece.sequence]
        self.owners, parts = combinations(count, [cuts[name].counts for name in slots])
        nothing = np.zeros_like(self.owners)
        self.places: list[_Place] = []
        for piece in pieces:
            if piece.sequence is None:
                self.places.append(_Place(piece, None, nothing + len(piece.ids), slice(0), nothing))
                continue
            text, part = texts[piece.sequence], parts.pop(0)
            starts, sizes = cuts[piece.sequence].bounds(self.owners, part)
            self.places.append(_Place(piece, text, sizes, self._chosen(text, starts, sizes), part))
        self.lengths: IdArray = sum((place.sizes for place in self.places), start=nothing)
        longest = int(self.lengths.max(initial=0))
        if max_tokens is not None and longest > max_tokens:  # a template may use a text more than once
            raise InputTooLong(longest, max_tokens)
        dropped = [texts[name].kept < texts[name].tokens.lengths for name in slots]
        cut = np.logical_or.reduce(dropped, axis=0) & (not truncation.overflow) if dropped else nothing > 0
        self.truncated: tuple[bool, ...] = tuple(cut[self.owners].tolist())

    def _chosen(self, text: Text, starts: IdArray, sizes: IdArray) -> Chosen:
        """Find the tokens of a place, whose first ones are `starts` in their own texts."""
        lengths = text.tokens.lengths
        if text.kept is lengths and len(self.owners) == len(lengths):
            return slice(None)
        first = np.cumsum(lengths) - lengths
        return ragged(starts + first[self.owners], sizes)


def fill_rows(rows: Rows, arrays: tuple[IdArray, IdArray, IdArray], side: Side, pad: tuple[int, int]) -> None:
    """Write ids, attention mask and type ids.

    Args:
        arrays: three (rows, width) int64, to be overwritten; wide enough for the longest row.
        side: where the padding goes.
        pad: its id and its type id.
    """
    input_ids, mask, types = arrays
    width = input_ids.shape[1]
    input_ids.fill(pad[0])
    types.fill(pad[1])
    begin = _begin(rows, width, side)
    mask[:] = between(width, begin, begin + rows.lengths)
    every_row = np.arange(len(begin))
    for place, at in _positions(rows, begin):
        if place.text is None:
            for offset, token_id in enumerate(place.piece.ids):
                input_ids[every_row, at + offset] = token_id
                types[every_row, at + offset] = place.piece.type_id
            continue
        inside = between(width, at, at + place.sizes)
        input_ids[inside] = place.text.tokens.ids[place.chosen]
        if place.piece.type_id != pad[1]:
            types[inside] = place.piece.type_id
        if place.parts.any():
            later = inside & (place.parts > 0)[:, None]
            types[later] = place.text.overflow_type_id


def offsets_of(rows: Rows, width: int, side: Side, trimmer: Trimmer) -> tuple[IdArray, IdArray]:
    """Give offsets (rows, width, 2) and the mask of special tokens (rows, width), both int64."""
    count = len(rows.lengths)
    offsets, special = np.zeros((count, 2 * width), np.int64), np.ones((count, width), np.int64)
    for place, at in _positions(rows, _begin(rows, width, side)):
        if place.text is None:
            continue
        first = (np.cumsum(place.sizes) - place.sizes)[place.sizes > 0]
        spans = trimmer.spans(place.text.tokens, place.text.blanks, place.chosen, first)
        end = at + place.sizes
        offsets[between(2 * width, 2 * at, 2 * end)] = spans.reshape(-1)
        special[between(width, at, end)] = 0
    return offsets.reshape(count, width, 2), special


def _begin(rows: Rows, width: int, side: Side) -> IdArray:
    """Give (rows,), the column in which each row's tokens begin."""
    return width - rows.lengths if side == "left" else np.zeros_like(rows.lengths)


def _positions(rows: Rows, at: IdArray) -> Iterator[tuple[_Place, IdArray]]:
    """Go through the places with (rows,), the column in which each begins."""
    for place in rows.places:
        yield place, at
        at = at + place.sizes
