"""Regular expressions of a `tokenizer.json`, run by Python's `re` with the matches that Oniguruma finds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, cached_property

from edge_runtime.tokenizer.plain.regex.alphabet import Alphabet
from edge_runtime.tokenizer.plain.regex.cursor import Cursor
from edge_runtime.tokenizer.plain.regex.parser import translate
from edge_runtime.tokenizer.plain.regex.sets import Writer

__all__ = ["UNSPELT", "Regex", "Span", "open_regex"]

Span = tuple[int, int]

# No letter of any text as it is spelt: all classes, negated ones, too, are written as the letters that are in them.
UNSPELT = "\U0010ffff"


class Regex:
    """A regular expression, compiled when it is first used.

    Attributes:
        can_be_empty: True if it can match no character at all.

    Args:
        source: writes it in the syntax of `re`, with what it is given for each class of characters.
    """

    def __init__(self, source: Callable[[Writer], str], can_be_empty: bool = False) -> None:
        self._source, self.can_be_empty = source, can_be_empty

    @cached_property
    def _alphabet(self) -> Alphabet:
        return Alphabet(self._source)

    def spell(self, text: str) -> tuple[re.Pattern[str], str]:
        """Give the expression for `re` and a text of the same length to run it on; `UNSPELT` matches nothing in it."""
        return self._alphabet.spell(text)

    def spans(self, text: str) -> list[Span]:
        """Give the matches (start, end) in a text, in order; some may be empty if `can_be_empty`."""
        compiled, spelt = self._alphabet.spell(text)
        if self.can_be_empty:
            return _spans_with_empty(compiled, spelt)
        return [match.span() for match in compiled.finditer(spelt)]

    def matches(self, text: str) -> list[str]:
        """Give what matches, in order; not for an expression that can be empty."""
        assert not self.can_be_empty
        compiled, spelt = self._alphabet.spell(text)
        found: list[str] = compiled.findall(spelt)
        if spelt is text:
            return found
        if len(found) == 1 and len(found[0]) == len(text):  # short texts often are one word
            return [text]
        return [text[start:end] for start, end in self.spans(text)]

    def finds(self, text: str) -> bool:
        """Say whether it matches anywhere."""
        compiled, spelt = self._alphabet.spell(text)
        return compiled.search(spelt) is not None

    def replace(self, text: str, content: str) -> str:
        """Put `content` in place of each match; not for an expression that can be empty."""
        parts: list[str] = []
        done = 0
        for start, end in self.spans(text):
            parts += text[done:start], content
            done = end
        return "".join(parts) + text[done:]


def _spans_with_empty(compiled: re.Pattern[str], text: str) -> list[Span]:
    """Step through matches as Oniguruma's Rust interface does: no empty match where the last match ended.

    `finditer` would give one there.
    """
    spans: list[Span] = []
    at = 0
    while at <= len(text) and (match := compiled.search(text, at)):
        start, end = match.span()
        if start == end and spans and spans[-1][1] == end:
            at += 1
        else:
            spans.append((start, end))
            at = end
    return spans


@cache
def open_regex(pattern: str) -> Regex:
    """Open a regular expression in Oniguruma's syntax; the same object each time.

    Raises:
        UnsupportedTokenizer: it is not valid there, or has something that is not implemented; says what.
    """
    part = translate(pattern, lambda _: "x")
    try:
        re.compile(part.source)  # with one letter for all classes: quick, and shows what `re` minds
    except (re.error, OverflowError, RecursionError) as error:
        Cursor(pattern).refuse(f"what `re` cannot do ({error})")
    return Regex(lambda write: translate(pattern, write).source, part.can_be_empty)
