"""Which columns of a batch's rows hold something, as masks.

Assigning under a mask copies run by run and beats scattering by index (28 against 158 us for 256 rows of up to 250
tokens); comparing 16-bit numbers takes a third of the time of 64-bit ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.encoding import IdArray

Mask = NDArray[np.bool_]


def below(width: int, ends: IdArray) -> Mask:
    """Give (rows, width), whether a column is below the row's end, which is at most `width`."""
    small = _small(width)
    mask: Mask = np.less(np.arange(width).astype(small), ends.astype(small)[:, None])
    return mask


def between(width: int, starts: IdArray, ends: IdArray) -> Mask:
    """Give (rows, width), whether a column is not below the row's start but below its end."""
    small = _small(width)
    columns = np.arange(width).astype(small)
    mask: Mask = np.less(columns, ends.astype(small)[:, None])
    mask &= np.greater_equal(columns, starts.astype(small)[:, None])
    return mask


def _small(width: int) -> np.dtype[np.signedinteger]:
    return np.dtype(np.int16 if width < 1 << 15 else np.int64)
