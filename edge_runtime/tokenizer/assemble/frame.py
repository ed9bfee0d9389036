"""The common shape of a template, `before text after`, filled by few passes over whole arrays."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.assemble.columns import below
from edge_runtime.tokenizer.encoding import IdArray
from edge_runtime.tokenizer.spec.kinds import Piece


class Frame(NamedTuple):
    """The special tokens before and after the one text of a template, and the type id of each place."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    before_types: tuple[int, ...]
    text_type: int
    after_types: tuple[int, ...]

    @classmethod
    def of(cls, pieces: tuple[Piece, ...]) -> Self | None:
        """Read a template; None if it has not exactly one place for the text A and none for B."""
        places = [index for index, piece in enumerate(pieces) if piece.sequence]
        if len(places) != 1 or pieces[places[0]].sequence != "A":
            return None
        before, after = pieces[: places[0]], pieces[places[0] + 1 :]
        return cls(
            before=tuple(token_id for piece in before for token_id in piece.ids),
            after=tuple(token_id for piece in after for token_id in piece.ids),
            before_types=tuple(piece.type_id for piece in before for _ in piece.ids),
            text_type=pieces[places[0]].type_id,
            after_types=tuple(piece.type_id for piece in after for _ in piece.ids),
        )

    @property
    def added(self) -> int:
        """The number of special tokens."""
        return len(self.before) + len(self.after)

    @property
    def one_type(self) -> bool:
        """Whether all tokens of a row have the same type id."""
        return {self.text_type} >= {*self.before_types, *self.after_types}


def fill_frame(
    frame: Frame,
    arrays: tuple[IdArray, IdArray, IdArray],
    ids: NDArray[np.int32],
    lengths: IdArray,
    pad: tuple[int, int],
) -> None:
    """Write ids, attention mask and type ids of right-padded rows.

    Args:
        arrays: three C-contiguous (rows, width) int64, to be overwritten; wide enough for the longest row.
        ids: (sum of lengths,), the tokens of the texts, already cut, one text after another.
        lengths: (rows,), at least one; how many of them belong to each row.
        pad: the id and the type id of padding.
    """
    input_ids, mask, types = arrays
    width = input_ids.shape[1]
    before, after = len(frame.before), len(frame.after)
    inner = width - before - after
    inside = below(inner, lengths)
    input_ids.fill(pad[0])
    input_ids[:, :before] = frame.before
    input_ids[:, before : before + inner][inside] = ids
    mask[:, : before + after] = 1
    mask[:, before + after :] = inside
    if frame.one_type and frame.text_type == pad[1]:
        types.fill(pad[1])
    else:
        _fill_types(frame, types, inside, pad[1])
    if after:
        _fill_after(input_ids, frame.after, lengths + before)
        if not frame.one_type:
            _fill_after(types, frame.after_types, lengths + before)


def frame_offsets(frame: Frame, width: int, spans: NDArray[np.int32], lengths: IdArray) -> tuple[IdArray, IdArray]:
    """Give offsets (rows, width, 2) and the mask of special tokens (rows, width) of such rows, both int64.

    Args:
        spans: (sum of lengths, 2), of the tokens of the texts.
    """
    rows, before, inner = len(lengths), len(frame.before), width - frame.added
    offsets, special = np.zeros((rows, width, 2), np.int64), np.ones((rows, width), np.int64)
    flat = offsets.reshape(rows, 2 * width)
    flat[:, 2 * before : 2 * (before + inner)][below(2 * inner, 2 * lengths)] = spans.reshape(-1)
    special[:, before : before + inner][below(inner, lengths)] = 0
    return offsets, special


def _fill_types(frame: Frame, types: IdArray, inside: NDArray[np.bool_], pad_type_id: int) -> None:
    before, after = len(frame.before), len(frame.after)
    types.fill(pad_type_id)
    types[:, :before] = frame.before_types
    if frame.one_type:
        types[:, : before + after] = frame.text_type
        before += after
    types[:, before : before + inside.shape[1]][inside] = frame.text_type


def _fill_after(array: IdArray, values: tuple[int, ...], columns: IdArray) -> None:
    rows = np.arange(len(array))
    for offset, value in enumerate(values):
        array[rows, columns + offset] = value
