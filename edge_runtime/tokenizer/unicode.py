"""The character tables of BERT tokenizing, as Hugging Face `tokenizers` has them.

That library mixes three Unicode versions: its categories are those of Unicode 8, its NFD is that of 9, its lower-casing
that of 17 (measured on 0.22.2). Python's `unicodedata` has yet another, so it cannot stand in for any of them. The
tables are read from the library itself, over all code points, by `edgert_tools.unicode_tables` and kept in
`unicode_tables.json` beside this file.
"""

from __future__ import annotations

import functools
import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

DATA_FILE = "unicode_tables.json"

# The composition of Hangul syllables is a formula (Unicode 15, section 3.12), which spares 11,172 table entries.
_HANGUL_FIRST, _HANGUL_COUNT, _VOWELS, _TRAILS = 0xAC00, 11172, 21, 28
_LEAD, _VOWEL, _TRAIL = 0x1100, 0x1161, 0x11A7

# Half of a surrogate pair: Python strings may hold one, texts may not.
LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_LINE_WIDTH = 110


class CodePoints:
    """A set of code points, kept as sorted inclusive ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self.ranges = tuple(ranges)
        self._firsts = [first for first, _ in self.ranges]

    @classmethod
    def of(cls, code_points: Iterable[int]) -> CodePoints:
        """Make the set from single code points in any order."""
        ranges: list[tuple[int, int]] = []
        for code in sorted(set(code_points)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1] = (ranges[-1][0], code)
            else:
                ranges.append((code, code))
        return cls(ranges)

    def __contains__(self, code: int) -> bool:
        at = bisect_right(self._firsts, code) - 1
        return at >= 0 and code <= self.ranges[at][1]


@dataclass(frozen=True)
class UnicodeTables:
    """Everything that the BERT normalizer and pre-tokenizer must know about single characters.

    Attributes:
        oracle: the package and version that the tables were read from.
        removed: deleted by `clean_text` (before white space is turned into U+0020).
        white_space: separates words.
        chinese: gets a space on either side by `handle_chinese_chars`.
        mark: deleted by `strip_accents` after decomposition.
        punctuation: always a word of its own.
        combining_class: code point -> canonical combining class, where it is not 0.
        decomposition: code point -> its full canonical decomposition, Hangul syllables excepted.
        lower: code point -> its lower case, where that differs; context is never looked at (no final sigma).
    """

    oracle: str
    removed: CodePoints
    white_space: CodePoints
    chinese: CodePoints
    mark: CodePoints
    punctuation: CodePoints
    combining_class: Mapping[int, int]
    decomposition: Mapping[int, str]
    lower: Mapping[int, str]

    def decompose(self, code: int) -> str:
        """Give the full canonical decomposition (NFD) of one code point."""
        if _HANGUL_FIRST <= code < _HANGUL_FIRST + _HANGUL_COUNT:
            return decompose_hangul(code)
        return self.decomposition.get(code) or chr(code)

    def canonical_order(self, text: str) -> str:
        """Sort each run of combining characters by combining class, keeping the order of equals.

        Source: Unicode Standard Annex 15, Canonical Ordering Algorithm.
        """
        return self._combining_run.sub(self._sorted_run, text)

    @functools.cached_property
    def _combining_run(self) -> re.Pattern[str]:
        ranges = CodePoints.of(self.combining_class).ranges
        return re.compile("[" + "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + "]{2,}")

    def _sorted_run(self, run: re.Match[str]) -> str:
        return "".join(sorted(run[0], key=lambda char: self.combining_class[ord(char)]))


class CharacterMap(dict[int, str]):
    """A table for `str.translate` that works out a character when it is first met.

    It forgets everything when it holds `LIMIT` characters, so that no stream of texts can fill the memory.
    """

    LIMIT = 16_384

    def __init__(self, rule: Callable[[int], str]) -> None:
        super().__init__()
        self._rule = rule

    def __missing__(self, code: int) -> str:
        if len(self) >= self.LIMIT:
            self.clear()
        self[code] = replacement = self._rule(code)
        return replacement


def decompose_hangul(code: int) -> str:
    """Give the two or three jamo of a Hangul syllable."""
    lead_vowel, trail = divmod(code - _HANGUL_FIRST, _TRAILS)
    lead, vowel = divmod(lead_vowel, _VOWELS)
    jamo = chr(_LEAD + lead) + chr(_VOWEL + vowel)
    return jamo + chr(_TRAIL + trail) if trail else jamo


@functools.cache
def load_tables() -> UnicodeTables:
    """Read the tables that ship with the package; the same object each time."""
    return read_tables(resources.files(__package__).joinpath(DATA_FILE).read_text(encoding="ascii"))


def read_tables(text: str) -> UnicodeTables:
    """Parse what `write_tables` wrote."""
    document = json.loads(text)
    words = {name: " ".join(lines).split() for name, lines in document["tables"].items()}
    return UnicodeTables(
        oracle=document["oracle"],
        removed=_read_ranges(words["removed"]),
        white_space=_read_ranges(words["white_space"]),
        chinese=_read_ranges(words["chinese"]),
        mark=_read_ranges(words["mark"]),
        punctuation=_read_ranges(words["punctuation"]),
        combining_class=_read_classes(words["combining_class"]),
        decomposition=_read_mapping(words["decomposition"]),
        lower=_read_mapping(words["lower"]),
    )


def write_tables(tables: UnicodeTables) -> str:
    """Write the tables as ASCII JSON whose lines a person can compare; the same tables give the same bytes."""
    words = {
        "removed": _write_ranges(tables.removed),
        "white_space": _write_ranges(tables.white_space),
        "chinese": _write_ranges(tables.chinese),
        "mark": _write_ranges(tables.mark),
        "punctuation": _write_ranges(tables.punctuation),
        "combining_class": _write_classes(tables.combining_class),
        "decomposition": _write_mapping(tables.decomposition),
        "lower": _write_mapping(tables.lower),
    }
    document = {
        "origin": "written by `python -m edgert_tools.unicode_tables`; do not edit",
        "oracle": tables.oracle,
        "tables": {name: _wrap(entries) for name, entries in words.items()},
    }
    return json.dumps(document, indent=1) + "\n"


# A range is `41-5A` or `41`; a class is a range and `=230`; a mapping is `C0=41,300`. All code points are hexadecimal.


def _read_range(word: str) -> tuple[int, int]:
    first, _, last = word.partition("-")
    return int(first, 16), int(last or first, 16)


def _read_ranges(words: list[str]) -> CodePoints:
    return CodePoints(map(_read_range, words))


def _write_ranges(code_points: CodePoints) -> list[str]:
    return [f"{first:X}" if first == last else f"{first:X}-{last:X}" for first, last in code_points.ranges]


def _read_classes(words: list[str]) -> dict[int, int]:
    classes = {}
    for word in words:
        span, _, value = word.partition("=")
        first, last = _read_range(span)
        classes.update(dict.fromkeys(range(first, last + 1), int(value)))
    return classes


def _write_classes(classes: Mapping[int, int]) -> list[str]:
    return [
        f"{span}={value}"
        for value in sorted(set(classes.values()))
        for span in _write_ranges(CodePoints.of(code for code in classes if classes[code] == value))
    ]


def _read_mapping(words: list[str]) -> dict[int, str]:
    mapping = {}
    for word in words:
        source, _, target = word.partition("=")
        mapping[int(source, 16)] = "".join(chr(int(code, 16)) for code in target.split(","))
    return mapping


def _write_mapping(mapping: Mapping[int, str]) -> list[str]:
    return [f"{code:X}=" + ",".join(f"{ord(char):X}" for char in mapping[code]) for code in sorted(mapping)]


def _wrap(words: list[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= _LINE_WIDTH:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines
