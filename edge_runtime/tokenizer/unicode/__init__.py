"""What is known about single characters, and texts of them, exactly as Hugging Face `tokenizers` knows it.

That library mixes several versions of Unicode: its categories for BERT are those of Unicode 8, its normal forms those
of 9, its regular expressions know 16, its lower-casing and its grapheme clusters 17 (measured on 0.23.3; 0.22.2 differs
in clusters only, of which it has those of an older version). Python's `unicodedata` has yet another, so it cannot stand
in for any of them. The tables are read from the library itself, over all code points, by `edgert_tools.unicode_tables`
and kept in `tables.txt`. A table is parsed when it is first asked for.
"""

from __future__ import annotations

from edge_runtime.tokenizer.unicode.character_tables import UnicodeTables, load_tables
from edge_runtime.tokenizer.unicode.code_points import LONE_SURROGATE, CharacterMap, CodePoints

__all__ = ["LONE_SURROGATE", "CharacterMap", "CodePoints", "UnicodeTables", "load_tables"]
