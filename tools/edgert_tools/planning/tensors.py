"""A tensor as a header names it: no values."""

from __future__ import annotations

import math
from dataclasses import dataclass

MOST_VALUES = 1 << 50  # of one tensor; a header that says more lies
LONGEST_NAME = 65_535


@dataclass(frozen=True)
class Tensor:
    """Name, type in the words of its format (`F32`, `Q4_1`, `I64`), shape with the outputs first, bytes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    stored_bytes: int

    @property
    def values(self) -> int:
        """How many numbers it holds; 1 for a scalar."""
        return math.prod(self.shape)
