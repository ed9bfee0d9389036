"""The four normal forms, exactly as Hugging Face `tokenizers` makes them: those of Unicode 9.

Source: Unicode Standard Annex 15; for `changes` https://github.com/n1t0/unicode-normalization, which adds to each
character how it came about.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping

from edge_runtime.tokenizer.unicode.character_tables import (
    HANGUL_COUNT,
    HANGUL_FIRST,
    LEAD,
    TRAIL,
    TRAILS,
    VOWEL,
    VOWELS,
    UnicodeTables,
    load_tables,
)
from edge_runtime.tokenizer.unicode.code_points import CharacterMap, CodePoints

FORMS = ("NFC", "NFD", "NFKC", "NFKD")

# A character, and how it came about: 0 if it takes the place of one, 1 if it was inserted, -n if it takes the place of
# one and n that follow it are gone.
Change = tuple[str, int]

_LEADS = (HANGUL_COUNT // VOWELS) // TRAILS
_SHORT = 8  # characters: a longer stretch is rare, and not remembered
MOST_REMEMBERED = 16_384


class NormalForm:
    """One of the normal forms; `normal_form` gives it."""

    def __init__(self, name: str, tables: UnicodeTables) -> None:
        assert name in FORMS
        self.name = name
        self._tables = tables
        self._compatible, self._composing = "K" in name, name.endswith("C")
        self._decomposed = CharacterMap(self._decompose)
        self.remembered: dict[str, str] = {}

    def normalize(self, text: str) -> str:
        """Give the normal form of a text."""
        if self.is_stable(text):
            return text
        if not self._composing:
            return self._tables.canonical_order(text.translate(self._decomposed))
        pieces: list[str] = []
        done = 0
        for match in self._unstable.finditer(text):
            start, end = max(match.start() - 1, done), match.end()  # a character may join with the one before it
            pieces += text[done:start], self._stretch(text[start:end])
            done = end
        return "".join(pieces) + text[done:]

    def changes(self, text: str) -> list[Change]:
        """Give the normal form of a text with what the original counts for the alignment of offsets.

        Returns:
            (character, change): 0 takes the place of a character of `text`, 1 is inserted behind it, -n takes the place
            of one and of the n behind it. The original counts them off in this order, so that characters that were
            sorted by combining class exchange their places.
        """
        if self.is_stable(text):
            return [(char, 0) for char in text]
        decomposed = self._sorted_changes(text)
        return self._compose(decomposed) if self._composing else decomposed

    def is_stable(self, text: str) -> bool:
        """Say True only if the text is in this form; False may be said of such a text, too."""
        return text.isascii() or self._all_stable.fullmatch(text) is not None

    @functools.cached_property
    def stable(self) -> CodePoints:
        """Characters that a text in this form may have anywhere, without their joining one before them."""
        tables = self._tables
        unstable = {*tables.combining_class, *tables.decomposition}
        if self._composing:
            unstable -= tables.decomposition.keys() - set(tables.uncomposed)
            unstable |= {*tables.combining_class, *(ord(second) for _, second in self._pairs)}
            unstable |= {*range(VOWEL, VOWEL + VOWELS), *range(TRAIL + 1, TRAIL + TRAILS)}
        else:
            unstable |= set(range(HANGUL_FIRST, HANGUL_FIRST + HANGUL_COUNT))
        if self._compatible:
            unstable |= tables.compatibility.keys()
        return CodePoints.of(unstable).complement()

    @functools.cached_property
    def _all_stable(self) -> re.Pattern[str]:
        # Not a search for an unstable one: `re` would go through all ranges beyond U+FFFF for each character.
        return re.compile(f"[{self.stable.pattern()}]*+")

    @functools.cached_property
    def _unstable(self) -> re.Pattern[str]:
        return re.compile(f"[{self.stable.complement().pattern()}]+")

    @functools.cached_property
    def _pairs(self) -> Mapping[tuple[str, str], str]:
        """Two characters -> the one that they compose, Hangul excepted."""
        tables = self._tables
        composed = tables.decomposition.keys() - set(tables.uncomposed)
        pairs: dict[tuple[str, str], str] = {}
        for code in sorted(composed, key=lambda code: len(tables.decomposition[code])):
            text = tables.decomposition[code]
            first = functools.reduce(lambda composed, char: pairs[composed, char], text[1:-1], text[0])
            pairs[first, text[-1]] = chr(code)
        return pairs

    def _decompose(self, code: int) -> str:
        compatible = self._tables.compatibility.get(code) if self._compatible else None
        return self._tables.decompose(code) if compatible is None else compatible

    def _stretch(self, stretch: str) -> str:
        """Give the form of a stretch that nothing behind it joins."""
        known = self.remembered.get(stretch)
        if known is not None:
            return known
        result = "".join(char for char, _ in self._compose(self._sorted_changes(stretch)))
        if len(stretch) <= _SHORT:
            if len(self.remembered) >= MOST_REMEMBERED:
                self.remembered.clear()
            self.remembered[stretch] = result
        return result

    def _sorted_changes(self, text: str) -> list[Change]:
        """Decompose a text, and sort its combining characters."""
        classes = self._tables.combining_class
        result: list[Change] = []
        combining: list[tuple[int, Change]] = []
        for change in self._changes(text):
            value = classes.get(ord(change[0]), 0)
            if value:
                combining.append((value, change))
                continue
            if combining:
                result += _by_class(combining)
                combining.clear()
            result.append(change)
        return result + _by_class(combining)

    def _changes(self, text: str) -> Iterator[Change]:
        for char in text:
            for place, part in enumerate(self._decomposed[ord(char)]):
                yield part, int(place > 0)

    def _compose(self, changes: list[Change]) -> list[Change]:
        """Join each character with the last one of combining class 0, if nothing between them keeps them apart."""
        classes = self._tables.combining_class
        result: list[Change] = []
        starter = -1  # where the last character of class 0 is in the result
        highest = -1  # the class of the last character behind it; -1: there is none
        for char, change in changes:
            value = classes.get(ord(char), 0)
            if (starter >= 0 and highest < value) or highest < 0 <= starter:
                joined = self._join(result[starter][0], char)
                if joined is not None:
                    result[starter] = joined, result[starter][1] + change - 1
                    continue
            if value == 0:
                starter, highest = len(result), -1
            else:
                highest = value
            result.append((char, change))
        return result

    def _join(self, first: str, second: str) -> str | None:
        lead, vowel = ord(first) - LEAD, ord(second) - VOWEL
        if 0 <= lead < _LEADS and 0 <= vowel < VOWELS:
            return chr(HANGUL_FIRST + (lead * VOWELS + vowel) * TRAILS)
        syllable, trail = ord(first) - HANGUL_FIRST, ord(second) - TRAIL
        if 0 <= syllable < HANGUL_COUNT and syllable % TRAILS == 0 and 0 < trail < TRAILS:
            return chr(ord(first) + trail)
        return self._pairs.get((first, second))


def _by_class(combining: list[tuple[int, Change]]) -> list[Change]:
    return [change for _, change in sorted(combining, key=lambda entry: entry[0])]


@functools.cache
def normal_form(name: str) -> NormalForm:
    """Give one of `FORMS`; the same object each time."""
    return NormalForm(name, load_tables())
