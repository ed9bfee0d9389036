"""Bytes written as printable characters, as GPT-2 began it, and its cutting of texts into words.

Source: https://github.com/openai/gpt-2, src/encoder.py; `pre_tokenizers/byte_level.rs` of
https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PATTERN: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def _byte_characters() -> tuple[str, ...]:
    """Give the character of each byte: itself if it is printable, else the next one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(0x100))


BYTE_CHARACTERS: Final = _byte_characters()
CHARACTER_BYTES: Final[Mapping[str, int]] = {char: byte for byte, char in enumerate(BYTE_CHARACTERS)}
