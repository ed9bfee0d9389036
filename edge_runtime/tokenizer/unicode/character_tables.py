"""The tables that normalizers, pre-tokenizers and added tokens look single characters up in."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from edge_runtime.tokenizer.unicode.code_points import CodePoints
from edge_runtime.tokenizer.unicode.tables import TableFile, packaged

# Syllables of Hangul are composed by a formula (Unicode 15, section 3.12), which spares 11,172 table entries.
HANGUL_FIRST, HANGUL_COUNT, VOWELS, TRAILS = 0xAC00, 11172, 21, 28
LEAD, VOWEL, TRAIL = 0x1100, 0x1161, 0x11A7


class UnicodeTables:
    """Characters as the parts of the original see them that are no regular expression of Oniguruma's.

    Every attribute is parsed when it is first asked for. The sets (`CodePoints`):
        white_space: Rust's `char::is_whitespace`, which is also the `\\s` of its crate `regex`.
        numeric: Rust's `char::is_numeric`, of the pre-tokenizer `Digits`.
        word: the `\\w` of Rust's crate `regex`: the pre-tokenizer `Whitespace`, and `single_word` of added tokens.
        punctuation: of the pre-tokenizers `BertPreTokenizer` and `Punctuation`.
        removed: deleted by `clean_text` of `BertNormalizer` (before white space is turned into U+0020).
        chinese: gets a space on either side by its `handle_chinese_chars`.
        mark: deleted by its `strip_accents` after decomposition.
        accent: deleted by the normalizer `StripAccents`.
        nmt_removed, nmt_space: deleted, or turned into U+0020, by the normalizer `Nmt`.
    """

    def __init__(self, file: TableFile) -> None:
        self._file = file

    @property
    def oracle(self) -> str:
        """The package and version that the tables were read from."""
        return self._file.oracle

    @functools.cached_property
    def white_space(self) -> CodePoints:
        return self._file.code_points("white_space")

    @functools.cached_property
    def numeric(self) -> CodePoints:
        return self._file.code_points("numeric")

    @functools.cached_property
    def word(self) -> CodePoints:
        return self._file.code_points("word")

    @functools.cached_property
    def punctuation(self) -> CodePoints:
        return self._file.code_points("punctuation")

    @functools.cached_property
    def removed(self) -> CodePoints:
        return self._file.code_points("removed")

    @functools.cached_property
    def chinese(self) -> CodePoints:
        return self._file.code_points("chinese")

    @functools.cached_property
    def mark(self) -> CodePoints:
        return self._file.code_points("mark")

    @functools.cached_property
    def accent(self) -> CodePoints:
        return self._file.code_points("accent")

    @functools.cached_property
    def nmt_removed(self) -> CodePoints:
        return self._file.code_points("nmt_removed")

    @functools.cached_property
    def nmt_space(self) -> CodePoints:
        return self._file.code_points("nmt_space")

    @functools.cached_property
    def lower(self) -> Mapping[int, str]:
        """Code point -> its lower case, where that differs; context is never looked at (no final sigma)."""
        return self._file.mapping("lower")

    @functools.cached_property
    def combining_class(self) -> Mapping[int, int]:
        """Code point -> canonical combining class, where it is not 0."""
        classes: dict[int, int] = {}
        start = 0
        for value, count in self._file.partition("combining_class"):
            if value != "0":
                classes.update(dict.fromkeys(range(start, start + count), int(value)))
            start += count
        return classes

    @functools.cached_property
    def decomposition(self) -> Mapping[int, str]:
        """Code point -> its full canonical decomposition, Hangul syllables excepted."""
        return self._file.mapping("decomposition")

    @functools.cached_property
    def compatibility(self) -> Mapping[int, str]:
        """Code point -> its full compatibility decomposition, where that is not the canonical one."""
        return self._file.mapping("compatibility")

    @functools.cached_property
    def uncomposed(self) -> CodePoints:
        """Characters that decompose, and that no composition gives."""
        return self._file.code_points("uncomposed")

    def decompose(self, code: int) -> str:
        """Give the full canonical decomposition (NFD) of one code point."""
        if HANGUL_FIRST <= code < HANGUL_FIRST + HANGUL_COUNT:
            return decompose_hangul(code)
        return self.decomposition.get(code) or chr(code)

    def canonical_order(self, text: str) -> str:
        """Sort each run of combining characters by combining class, keeping the order of equals.

        Source: Unicode Standard Annex 15, Canonical Ordering Algorithm.
        """
        return self._combining_run.sub(self._sorted_run, text)

    @functools.cached_property
    def _combining_run(self) -> re.Pattern[str]:
        return re.compile(f"[{CodePoints.of(self.combining_class).pattern()}]{{2,}}")

    def _sorted_run(self, run: re.Match[str]) -> str:
        return "".join(sorted(run[0], key=lambda char: self.combining_class[ord(char)]))


def decompose_hangul(code: int) -> str:
    """Give the two or three jamo of a Hangul syllable."""
    lead_vowel, trail = divmod(code - HANGUL_FIRST, TRAILS)
    lead, vowel = divmod(lead_vowel, VOWELS)
    jamo = chr(LEAD + lead) + chr(VOWEL + vowel)
    return jamo + chr(TRAIL + trail) if trail else jamo


@functools.cache
def load_tables() -> UnicodeTables:
    """Give the tables that ship with the package; the same object each time."""
    return UnicodeTables(packaged())
