"""Bytes as printable characters: the peer's alphabet, and one character for each byte."""

from __future__ import annotations

import pytest

from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS, CHARACTER_BYTES
from edge_runtime.tokenizer.plain.rules import spell_bytes


def test_each_byte_has_a_character_of_its_own_and_printable_ascii_stands_for_itself() -> None:
    assert bytes(CHARACTER_BYTES[char] for char in BYTE_CHARACTERS) == bytes(range(256))
    assert len(set(BYTE_CHARACTERS)) == 256
    assert "".join(BYTE_CHARACTERS[0x21:0x7F]) == bytes(range(0x21, 0x7F)).decode()
    assert BYTE_CHARACTERS[0x20] == "\u0120"


def test_the_alphabet_is_the_peers() -> None:
    pre_tokenizers = pytest.importorskip("tokenizers.pre_tokenizers", reason="the peer is missing: tokenizers")
    assert set(BYTE_CHARACTERS) == set(pre_tokenizers.ByteLevel.alphabet())


@pytest.mark.parametrize("char", ["\x00", "\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\U00010000", "\U0010ffff"])
def test_a_character_is_spelt_as_the_bytes_of_its_utf_8_form(char: str) -> None:
    assert bytes(CHARACTER_BYTES[letter] for letter in spell_bytes(ord(char))) == char.encode()
