"""The frozen table that is made with a tokenizer: the ids of its whole vocabulary's strings, as segments.

Only strings that are their own key are in it, so that every hit is exact without looking at the text again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays
from edge_runtime.tokenizer.vector.keys import INLINE, PADDING, Bytes, Index, keys_of, word_view
from edge_runtime.tokenizer.vector.overlay import Ids, values_of
from edge_runtime.tokenizer.vector.rows import Rows, distinct

# Nothing is ever added to this table, so its multipliers need not be secret; the same vocabulary gives the same bytes.
MULTIPLIERS = np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_MOST_PERCENT = 50


class Base(NamedTuple):
    """The table, and the pool that values of more than one id point into; places below `singles` are ids."""

    table: Rows
    pool: Ids
    singles: int

    @classmethod
    def of(cls, arrays: Arrays, singles: int) -> Base:
        """Open what `base_arrays` made."""
        return cls(
            Rows(arrays["rows"].view(np.uint64), arrays["seconds"].view(np.uint64), MULTIPLIERS),
            arrays["pool"].view(np.int32),
            singles,
        )


def joined(segments: list[bytes]) -> tuple[Bytes, Index, Index]:
    """Give a padded buffer of segments with their starts and lengths."""
    lengths = np.fromiter(map(len, segments), np.int64, len(segments))
    buffer = np.frombuffer(b"".join([*segments, bytes(PADDING)]), np.uint8)
    return buffer, np.cumsum(lengths) - lengths, lengths


def base_arrays(segments: list[bytes], ids: Ids, counts: Index, singles: int) -> ArrayDict:
    """Make the table's arrays.

    Args:
        segments: all different; those too long to be their own key are left out.
        ids: (tokens,) int32, segment after segment; counts: (segments,) int64.
        singles: one more than the largest id.
    """
    buffer, starts, lengths = joined(segments)
    offsets = np.cumsum(counts) - counts
    at = np.flatnonzero(lengths <= INLINE)
    low, high = keys_of(word_view(buffer), starts[at], lengths[at])
    first, _ = distinct(low, high)
    at, low, high = at[first], low[first], high[first]
    several = at[counts[at] != 1]
    pooled = np.zeros(len(segments), np.int64)
    pooled[several] = counts[several]
    places = singles + np.cumsum(pooled) - pooled
    alone = np.flatnonzero(counts == 1)
    places[alone] = ids[offsets[alone]]
    pool = ids[np.repeat(pooled > 0, counts)]
    table = Rows.empty(2 * (len(at) * 100 // _MOST_PERCENT // 2 + 1), MULTIPLIERS)
    table.insert(low, high, values_of(places[at], counts[at]))
    return {"rows": table.rows, "seconds": table.seconds, "pool": pool.astype(np.int32)}
