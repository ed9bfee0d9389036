"""Reads the `pre_tokenizer` of a `tokenizer.json`, and the two components that other sections share with it.

Source: the deserializers in `pre_tokenizers/*.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import (
    BertPreTokenizer,
    ByteLevel,
    CharDelimiterSplit,
    Digits,
    FixedLength,
    Metaspace,
    PrependScheme,
    PreTokenizer,
    Punctuation,
    Split,
    SplitBehavior,
    Whitespace,
    WhitespaceSplit,
)
from edge_runtime.tokenizer.spec.patterns import read_pattern
from edge_runtime.tokenizer.spec.section import Section, read_chain

_DEFAULT_LENGTH = 5
_BEHAVIORS: Mapping[str, SplitBehavior] = {
    "Removed": "removed",
    "Isolated": "isolated",
    "MergedWithPrevious": "merged_with_previous",
    "MergedWithNext": "merged_with_next",
    "Contiguous": "contiguous",
}
_SCHEMES: Mapping[str, PrependScheme] = {"first": "first", "never": "never", "always": "always"}


class ByteLevelFlags(NamedTuple):
    """What every `ByteLevel` says, be it a pre-tokenizer, a post-processor or a decoder: each uses some of it."""

    add_prefix_space: bool
    trim_offsets: bool
    use_regex: bool


def read_pre_tokenizers(value: object) -> tuple[PreTokenizer, ...]:
    """Read the value of `pre_tokenizer`; null is none at all."""
    return () if value is None else read_chain(value, "pre_tokenizer", "pretokenizers", _READERS)


def read_byte_level(section: Section) -> ByteLevelFlags:
    """Read a `ByteLevel`; files of before 2023 have no `use_regex`, which is true then."""
    return ByteLevelFlags(
        section.flag("add_prefix_space"), section.flag("trim_offsets"), section.flag_or("use_regex", default=True)
    )


def read_metaspace(section: Section) -> Metaspace:
    """Read a `Metaspace`, as a pre-tokenizer or a decoder.

    Files of before 2024 have `add_prefix_space`, and `str_rep`, which repeats `replacement`. Without a
    `prepend_scheme` the original takes "always", and it refuses what contradicts that.
    """
    scheme = section.choice("prepend_scheme", _SCHEMES) if section.has("prepend_scheme") else "always"
    if not section.optional_flag("add_prefix_space", default=True) and scheme != "never":
        raise UnsupportedTokenizer(
            f'{section.where} is not supported: add_prefix_space is false, but prepend_scheme is not "never"'
        )
    section.optional_text("str_rep")
    return Metaspace(section.character("replacement"), scheme, section.optional_flag("split", default=True))


def _byte_level(section: Section) -> ByteLevel:
    flags = read_byte_level(section)
    return ByteLevel(flags.add_prefix_space, flags.use_regex)


def _split(section: Section) -> Split:
    return Split(read_pattern(section), section.choice("behavior", _BEHAVIORS), section.flag("invert"))


def _punctuation(section: Section) -> Punctuation:
    return Punctuation(section.choice("behavior", _BEHAVIORS) if section.has("behavior") else "isolated")


def _fixed_length(section: Section) -> FixedLength:
    length = section.size("length") if section.has("length") else _DEFAULT_LENGTH
    if not length:
        raise UnsupportedTokenizer(f"{section.where} length 0 is not supported: edgert expects at least 1")
    return FixedLength(length)


_READERS: Mapping[str, Callable[[Section], PreTokenizer]] = {
    "BertPreTokenizer": lambda section: BertPreTokenizer(),
    "ByteLevel": _byte_level,
    "Metaspace": read_metaspace,
    "Split": _split,
    "Whitespace": lambda section: Whitespace(),
    "WhitespaceSplit": lambda section: WhitespaceSplit(),
    "CharDelimiterSplit": lambda section: CharDelimiterSplit(section.character("delimiter")),
    "Punctuation": _punctuation,
    "Digits": lambda section: Digits(section.flag("individual_digits")),
    "FixedLength": _fixed_length,
}
