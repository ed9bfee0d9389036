"""Named arrays: what a compiled tokenizer consists of, and what each part of it opens from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

# Each part knows the types of its own arrays; together they have none in common.
Arrays = Mapping[str, NDArray[Any]]
ArrayDict = dict[str, NDArray[Any]]


def under(name: str, arrays: Arrays) -> ArrayDict:
    """Give arrays a common first name."""
    return {f"{name}.{key}": array for key, array in arrays.items()}


def part_of(name: str, arrays: Arrays) -> ArrayDict:
    """Give the arrays with this first name, by their other names."""
    start = f"{name}."
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}
