"""Attention masks and type ids of a single row, made once for each length and shared."""

from __future__ import annotations

import numpy as np

from edge_runtime.tokenizer.assemble.frame import Frame
from edge_runtime.tokenizer.encoding import IdArray

_LONGEST = 4096  # of the lengths that are remembered


class SharedRows(dict[int, tuple[IdArray, IdArray]]):
    """Length of a row -> its attention mask and type ids, both (1, length) int64 and read-only."""

    def __init__(self, frame: Frame) -> None:
        super().__init__()
        self._frame = frame
        self._ones = _frozen(np.ones(_LONGEST, np.int64))
        self._types = _frozen(np.full(_LONGEST, frame.text_type, np.int64))

    def __missing__(self, length: int) -> tuple[IdArray, IdArray]:
        if length > _LONGEST:
            return _frozen(np.ones((1, length), np.int64)), _frozen(self._own_types(length))
        one_type = self._frame.one_type
        types = self._types[:length].reshape(1, length) if one_type else _frozen(self._own_types(length))
        rows = self._ones[:length].reshape(1, length), types
        if one_type:  # views, which take no memory; other types would take as much as the rows themselves
            self[length] = rows
        return rows

    def _own_types(self, length: int) -> IdArray:
        types = np.full((1, length), self._frame.text_type, np.int64)
        before, after = self._frame.before_types, self._frame.after_types
        types[0, : len(before)] = before
        types[0, length - len(after) :] = after
        return types


def _frozen(array: IdArray) -> IdArray:
    array.flags.writeable = False
    return array
