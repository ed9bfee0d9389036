"""The model families that have a fast path: which one a tokenizer is of, and how it is opened and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector import bert, byte_level, byte_level_compile, metaspace, metaspace_compile
from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays
from edge_runtime.tokenizer.vector.base import Base
from edge_runtime.tokenizer.vector.core import Pieces
from edge_runtime.tokenizer.vector.cut import SpaceCutter
from edge_runtime.tokenizer.vector.keys import Bytes, Index
from edge_runtime.tokenizer.vector.lead import Lead
from edge_runtime.tokenizer.vector.overlay import Ids
from edge_runtime.tokenizer.vector.scalar import Short
from edge_runtime.tokenizer.vector.words import WordTokens


class Family(Short, Protocol):
    """What the fast path must know of a family.

    Attributes:
        cutter: where its texts may be cut.
        base: the frozen table of whole segments, if it has one.
        sizes: the bytes of text that each id stands for, if that is always the same.
        whole_sections: whether sections are tokenized as they are; `lead` then need not be asked.
    """

    sizes: Ids | None
    whole_sections: bool
    cutter: SpaceCutter
    base: Base | None

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        """Tokenize segments of a padded buffer; those short enough to have a key are all different."""

    def spells(self, raw: bytes) -> bool:
        """Say whether the tokens of a text (with `sizes`) stand for its bytes, one after another."""

    def lead(self, text: str, first: bool) -> Lead | None:
        """Say how a section of text, never empty, is to be led in; None: it must take the plain way.

        Args:
            first: it is where the whole text begins.
        """

    def tokens_of(self, words: list[str]) -> WordTokens:
        """Tokenize words as the pre-tokenizers give them."""


class _Kind(NamedTuple):
    supports: Callable[[kinds.TokenizerSpec], bool]
    compile: Callable[[kinds.TokenizerSpec, int], ArrayDict]
    open: Callable[[kinds.TokenizerSpec, Arrays, int], Family]


_KINDS: dict[str, _Kind] = {
    "bert": _Kind(bert.supports, bert.wordpiece_arrays, bert.Bert),
    "byte-level": _Kind(byte_level_compile.supports, byte_level_compile.byte_level_arrays, byte_level.ByteLevel),
    "metaspace": _Kind(metaspace_compile.supports, metaspace_compile.metaspace_arrays, metaspace.Metaspace),
}


def family_of(spec: kinds.TokenizerSpec) -> str | None:
    """Name the family of a tokenizer; None if it has no fast path."""
    return next((name for name, kind in _KINDS.items() if kind.supports(spec)), None)


def compile_family(name: str, spec: kinds.TokenizerSpec, singles: int) -> ArrayDict:
    """Make the arrays of a tokenizer of this family."""
    return _KINDS[name].compile(spec, singles)


def open_family(name: str, spec: kinds.TokenizerSpec, arrays: Arrays, singles: int) -> Family:
    """Open the arrays; the vocabulary and merges of `spec` are not looked at."""
    return _KINDS[name].open(spec, arrays, singles)
