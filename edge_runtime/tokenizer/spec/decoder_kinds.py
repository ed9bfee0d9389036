"""The decoders that a `tokenizer.json` can name: the steps from token strings back to text."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.tokenizer.spec.basic_kinds import Pattern, PrependScheme


@dataclass(frozen=True)
class ByteLevelDecoder:
    """Printable characters back to bytes, joined and read as UTF-8."""


@dataclass(frozen=True)
class WordPieceDecoder:
    """Join pieces that start with the prefix; `cleanup` takes spaces away before punctuation and contractions."""

    prefix: str
    cleanup: bool


@dataclass(frozen=True)
class MetaspaceDecoder:
    """The replacement back to spaces; the first one goes away unless nothing was ever prepended."""

    replacement: str
    prepend_scheme: PrependScheme


@dataclass(frozen=True)
class BPEDecoder:
    """The end-of-word suffix becomes a space."""

    suffix: str


@dataclass(frozen=True)
class CTC:
    """Collapse repeats, drop the pad token; the word delimiter becomes a space."""

    pad_token: str
    word_delimiter_token: str
    cleanup: bool


@dataclass(frozen=True)
class ReplaceDecoder:
    """Replace every match in each token."""

    pattern: Pattern
    content: str


@dataclass(frozen=True)
class Fuse:
    """Join all tokens into one."""


@dataclass(frozen=True)
class StripDecoder:
    """Take up to `start` and `stop` times `content` off the ends of each token."""

    content: str
    start: int
    stop: int


@dataclass(frozen=True)
class ByteFallback:
    """`<0xE2>` tokens back to bytes; bytes that are not UTF-8 become one U+FFFD each."""


Decoder = (
    ByteLevelDecoder
    | WordPieceDecoder
    | MetaspaceDecoder
    | BPEDecoder
    | CTC
    | ReplaceDecoder
    | Fuse
    | StripDecoder
    | ByteFallback
)
