"""How large a model's graph will be in each scheme: matrices x bits + scales + what stays float, as a sum to read.

The rules are those of `edgert_tools.quantize`: `dynamic-s8` gives a matrix one scale and zero point a column and a
table one for all; the block schemes give every 32 values one float scale, leave tables small or of odd width float, and
keep tables at 8 bits. Names and operators of the graph are not counted (0.1 % of MiniLM).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edgert_tools.planning.model import Model
from edgert_tools.planning.weights import Weight

SchemeName = Literal["float32", "dynamic-s8", "nbits8-b32", "nbits4-b32", "as stored"]
SCHEMES: tuple[SchemeName, ...] = ("float32", "dynamic-s8", "nbits8-b32", "nbits4-b32")
BLOCK = 32
SMALLEST_TABLE = 200_000  # values; a smaller table stays float in the block schemes
_BITS = {"float32": 32, "dynamic-s8": 8, "nbits8-b32": 8, "nbits4-b32": 4}
_WORDS = {
    "matrix": "matrices",
    "expert": "expert matrices",
    "table": "tables",
    "convolution": "convolutions",
}


_HEAD, _SHARED = "head", "head and table"  # a tied head is the table once more, or shares its codes


@dataclass(frozen=True)
class Part:
    """Some tensors of a scheme: what they are, how many values of how many bits, and their scales in bytes."""

    what: str
    values: int
    bits: int
    scale_bytes: int

    @property
    def size_bytes(self) -> int:
        """Codes and scales."""
        return self.values * self.bits // 8 + self.scale_bytes


@dataclass(frozen=True)
class Size:
    """A scheme's parts; their sum is the graph's size."""

    scheme: SchemeName
    parts: tuple[Part, ...]

    @property
    def size_bytes(self) -> int:
        """All parts."""
        return sum(part.size_bytes for part in self.parts)

    def bytes_of(self, *whats: str) -> int:
        """The parts of these names."""
        return sum(part.size_bytes for part in self.parts if part.what in whats)

    @property
    def matrix_bytes(self) -> int:
        """What is multiplied with, and so packed anew when a session is made."""
        return self.bytes_of(_WORDS["matrix"], _WORDS["expert"], _HEAD, _SHARED)


def sizes_of(model: Model) -> tuple[Size, ...]:
    """All schemes; a model that is int8 already has the size that it has."""
    if model.quantized:
        return (Size("as stored", (Part("as it is", model.stored_bytes, 8, 0),)),)
    return tuple(size_in(model, scheme) for scheme in SCHEMES)


def size_in(model: Model, scheme: SchemeName) -> Size:
    """One scheme's size."""
    parts = {word: Part(word, 0, 0, 0) for word in (*_WORDS.values(), _HEAD, _SHARED, "int8 already", "stays float")}
    tied = tied_table(model)
    for weight in model.weights:
        if weight is tied and scheme in ("nbits8-b32", "nbits4-b32"):
            _add(parts, _SHARED, *_blocks(weight, scheme))
        elif weight.role != "left_out":
            _add(parts, *_part(weight, scheme))
    if tied is not None and scheme == "dynamic-s8":
        _add(parts, _HEAD, *_columns(tied))
    return Size(scheme, tuple(part for part in parts.values() if part.values))


def tied_table(model: Model) -> Weight | None:
    """The table that gives logits as well; None if the head has weights of its own, or there is none."""
    tables = (weight for weight in model.weights if weight.role == "table")
    return max(tables, key=lambda weight: weight.values, default=None) if model.tied_head else None


def _add(parts: dict[str, Part], what: str, values: int, bits: int, scale_bytes: int) -> None:
    known = parts[what]
    parts[what] = Part(what, known.values + values, bits, known.scale_bytes + scale_bytes)


def _part(weight: Weight, scheme: SchemeName) -> tuple[str, int, int, int]:
    """Name of the part, values, bits, bytes of scales."""
    if weight.role == "codes":
        return "int8 already", weight.values, 8, 0
    if scheme == "float32" and weight.role in _WORDS:
        return _WORDS[weight.role], weight.values, 32, 0
    if weight.role in ("matrix", "expert"):
        return _WORDS[weight.role], *(_columns(weight) if scheme == "dynamic-s8" else _blocks(weight, scheme))
    if weight.role == "table":
        return _table(weight, scheme)
    if weight.role == "convolution" and scheme == "dynamic-s8":
        return _WORDS["convolution"], weight.values, 8, 0
    return "stays float", weight.values, 32, 0


def _columns(weight: Weight) -> tuple[int, int, int]:
    return weight.values, 8, weight.rows * 5  # a float scale and an int8 zero point for each output


def _blocks(weight: Weight, scheme: SchemeName) -> tuple[int, int, int]:
    blocks = weight.rows * -(-weight.columns // BLOCK)
    return blocks * BLOCK, _BITS[scheme], blocks * 4


def _table(weight: Weight, scheme: SchemeName) -> tuple[str, int, int, int]:
    if scheme == "dynamic-s8":
        return "tables", weight.values, 8, 5
    if weight.values < SMALLEST_TABLE or weight.columns % BLOCK:
        return "stays float", weight.values, 32, 0
    return "tables", weight.values, 8, weight.values // BLOCK * 4
