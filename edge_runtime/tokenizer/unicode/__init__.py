"""What is known about single characters, and texts of them, exactly as Hugging Face `tokenizers` knows it.

That library mixes several versions of Unicode: its categories for BERT are those of Unicode 8, its normal forms those
of 9, its regular expressions, its lower-casing and its grapheme clusters those of 16 or 17 (measured on 0.22.2 and
0.23.3, which do not differ). Python's `unicodedata` has yet another, so it cannot stand in for any of them. The tables
are read from the library itself, over all code points, by `edgert_tools.unicode_tables` and kept in `tables.txt`.
"""

from __future__ import annotations

from edge_runtime.tokenizer.unicode.character_tables import UnicodeTables, load_tables
from edge_runtime.tokenizer.unicode.code_points import LONE_SURROGATE, CharacterMap, CodePoints

__all__ = ["LONE_SURROGATE", "CharacterMap", "CodePoints", "UnicodeTables", "load_tables"]
