"""Reads the `normalizer` of a `tokenizer.json`.

Source: the deserializers in `normalizers/*.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Literal

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import (
    BertNormalizer,
    ByteLevelNormalizer,
    Lowercase,
    Nmt,
    Normalizer,
    Precompiled,
    Prepend,
    Replace,
    Strip,
    StripAccents,
    UnicodeForm,
)
from edge_runtime.tokenizer.spec.patterns import read_pattern
from edge_runtime.tokenizer.spec.section import Section, read_chain

_UNIT_BYTES = 4  # of the trie in a character map, and of the number that says how many bytes it takes


def read_normalizers(value: object) -> tuple[Normalizer, ...]:
    """Read the value of `normalizer`; null is none at all."""
    return () if value is None else read_chain(value, "normalizer", "normalizers", _READERS)


def _bert(section: Section) -> BertNormalizer:
    lowercase = section.flag("lowercase")
    return BertNormalizer(
        clean_text=section.flag("clean_text"),
        handle_chinese_chars=section.flag("handle_chinese_chars"),
        strip_accents=section.optional_flag("strip_accents", default=lowercase),
        lowercase=lowercase,
    )


def _form(form: Literal["NFC", "NFD", "NFKC", "NFKD"]) -> Callable[[Section], UnicodeForm]:
    return lambda section: UnicodeForm(form)


def _strip(section: Section) -> Strip:
    return Strip(section.flag("strip_left"), section.flag("strip_right"))


def _replace(section: Section) -> Replace:
    return Replace(read_pattern(section), section.text("content"))


def _prepend(section: Section) -> Prepend:
    return Prepend(section.text("prepend"))


def _precompiled(section: Section) -> Precompiled:
    return Precompiled(_charsmap(section.text("precompiled_charsmap"), section.where))


def _charsmap(text: str, where: str) -> bytes:
    """Decode a character map: the size of its trie, the trie, and the texts that it points into."""
    try:
        charsmap = base64.b64decode(text, validate=True)
        size = int.from_bytes(charsmap[:_UNIT_BYTES], "little")
        rest = charsmap[_UNIT_BYTES + size - size % _UNIT_BYTES :]
        rest.decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise UnsupportedTokenizer(f"{where} precompiled_charsmap cannot be decoded: {error}") from error
    if len(charsmap) < _UNIT_BYTES or size - size % _UNIT_BYTES > len(charsmap) - _UNIT_BYTES:
        raise UnsupportedTokenizer(
            f"{where} precompiled_charsmap is cut short: {len(charsmap)} bytes, its trie alone claims {size}"
        )
    if base64.b64encode(charsmap).decode() != text:
        raise UnsupportedTokenizer(f"{where} precompiled_charsmap is not canonical base64")
    return charsmap


_READERS: Mapping[str, Callable[[Section], Normalizer]] = {
    "BertNormalizer": _bert,
    "NFC": _form("NFC"),
    "NFD": _form("NFD"),
    "NFKC": _form("NFKC"),
    "NFKD": _form("NFKD"),
    "Lowercase": lambda section: Lowercase(),
    "StripAccents": lambda section: StripAccents(),
    "Strip": _strip,
    "Replace": _replace,
    "Prepend": _prepend,
    "Nmt": lambda section: Nmt(),
    "Precompiled": _precompiled,
    "ByteLevel": lambda section: ByteLevelNormalizer(),
}
