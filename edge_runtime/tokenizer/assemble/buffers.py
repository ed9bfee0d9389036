"""Where a batch's arrays come from: fresh memory, or the same memory again and again."""

from __future__ import annotations

import numpy as np

from edge_runtime.tokenizer.encoding import IdArray

_ROLES = 3  # input_ids, attention_mask, token_type_ids


class Buffers:
    """Memory for the three arrays of a batch that is used again by the next batch.

    Arrays that were given out are overwritten by the next call with the same Buffers: copy what must live longer.
    Not for several threads at once. The memory grows to the largest batch seen and stays.
    """

    def __init__(self) -> None:
        self._flat = np.empty((_ROLES, 0), np.int64)

    def take(self, rows: int, width: int) -> tuple[IdArray, IdArray, IdArray]:
        """Give three C-contiguous (rows, width) int64 arrays with anything in them."""
        size = rows * width
        if size > self._flat.shape[1]:
            self._flat = np.empty((_ROLES, size), np.int64)
        ids, mask, types = self._flat[:, :size]
        return ids.reshape(rows, width), mask.reshape(rows, width), types.reshape(rows, width)


def take_arrays(buffers: Buffers | None, rows: int, width: int) -> tuple[IdArray, IdArray, IdArray]:
    """Give three (rows, width) int64 arrays with anything in them: of the buffers, or fresh ones."""
    if buffers is not None:
        return buffers.take(rows, width)
    # One block: three are given back to the system when they are freed, and new pages cost more than all the rest.
    ids, mask, types = np.empty((_ROLES, rows, width), np.int64)
    return ids, mask, types
