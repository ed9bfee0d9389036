"""What normalizers do to single characters: each rule gives the text of a code point, maybe none.

Source: `normalizers/` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS
from edge_runtime.tokenizer.unicode import load_tables

Rule = Callable[[int], str]


def clean(code: int) -> str:
    """Remove what BERT calls control characters; white space becomes U+0020."""
    tables = load_tables()
    if code in tables.removed:
        return ""
    return " " if code in tables.white_space else chr(code)


def space_out_chinese(code: int) -> str:
    """Put spaces around a Chinese character, so that it becomes a word."""
    return f" {chr(code)} " if code in load_tables().chinese else chr(code)


def decompose(code: int) -> str:
    """Decompose canonically: NFD but for the order of marks."""
    return load_tables().decompose(code)


def strip_mark(code: int) -> str:
    """Remove a nonspacing mark, as BERT's table has them."""
    return "" if code in load_tables().mark else chr(code)


def strip_accent(code: int) -> str:
    """Remove a mark of any kind."""
    return "" if code in load_tables().accent else chr(code)


def lower(code: int) -> str:
    """Lower-case; neighbours are never looked at (no final sigma)."""
    return load_tables().lower.get(code) or chr(code)


def clean_for_translation(code: int) -> str:
    """Do what the rules `nmt` of SentencePiece do."""
    tables = load_tables()
    if code in tables.nmt_removed:
        return ""
    return " " if code in tables.nmt_space else chr(code)


def spell_bytes(code: int) -> str:
    """Write the bytes of a character in UTF-8 as printable characters."""
    return "".join([BYTE_CHARACTERS[byte] for byte in chr(code).encode()])
