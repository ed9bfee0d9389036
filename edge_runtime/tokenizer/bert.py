"""The BERT normalizer and pre-tokenizer, exactly as Hugging Face `tokenizers` does them.

Source: `normalizers/bert.rs` and `pre_tokenizers/bert.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from edge_runtime.tokenizer.spec import BertNormalizerSpec
from edge_runtime.tokenizer.unicode import CharacterMap, UnicodeTables


class BertNormalizer:
    """Clean, space out Chinese characters, strip accents, lower-case: in this order, each if its flag says so."""

    def __init__(self, spec: BertNormalizerSpec, tables: UnicodeTables) -> None:
        self._spec, self._tables = spec, tables
        # Only canonical ordering looks at neighbours; what comes before and after it is one table each.
        self._before_ordering = CharacterMap(self._clean_and_decompose)
        self._after_ordering = CharacterMap(self._strip_and_lower)

    def normalize(self, text: str) -> str:
        """Give the normalized text; it may be empty."""
        text = text.translate(self._before_ordering)
        if self._spec.strip_accents and not text.isascii():
            text = self._tables.canonical_order(text)
        return text.translate(self._after_ordering)

    def _clean_and_decompose(self, code: int) -> str:
        if self._spec.clean_text:
            if code in self._tables.removed:
                return ""
            if code in self._tables.white_space:
                return " "
        char = self._tables.decompose(code) if self._spec.strip_accents else chr(code)
        if self._spec.handle_chinese_chars and code in self._tables.chinese:
            return f" {char} "
        return char

    def _strip_and_lower(self, code: int) -> str:
        if self._spec.strip_accents and code in self._tables.mark:
            return ""
        return self._tables.lower.get(code, chr(code)) if self._spec.lowercase else chr(code)


class BertPreTokenizer:
    """Cut at white space, and make every punctuation character a word of its own."""

    def __init__(self, tables: UnicodeTables) -> None:
        self._tables = tables
        self._spaced = CharacterMap(self._space_out)

    def words(self, text: str) -> list[str]:
        """Give the words of a normalized text in order, none of them empty."""
        # Not split(): that also cuts at U+001C to U+001F, which are no white space to the original.
        return [word for word in text.translate(self._spaced).split(" ") if word]

    def _space_out(self, code: int) -> str:
        if code in self._tables.white_space:
            return " "
        return f" {chr(code)} " if code in self._tables.punctuation else chr(code)
