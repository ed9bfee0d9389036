"""What `Split` and `Replace` look for: a literal text or a regular expression."""

from __future__ import annotations

from functools import cache
from typing import Protocol

from edge_runtime.tokenizer.plain.regex import Span, open_regex
from edge_runtime.tokenizer.spec import kinds


class Finder(Protocol):
    """Finds a pattern in texts.

    Attributes:
        can_be_empty: True if it can match no character at all.
    """

    can_be_empty: bool

    def spans(self, text: str) -> list[Span]:
        """Give the matches (start, end) in order."""

    def replace(self, text: str, content: str) -> str:
        """Put `content` in place of each match."""


class Literal:
    """Finds a text, which is not empty."""

    can_be_empty = False

    def __init__(self, text: str) -> None:
        self._text = text

    def spans(self, text: str) -> list[Span]:
        spans = []
        start = text.find(self._text)
        while start >= 0:
            end = start + len(self._text)
            spans.append((start, end))
            start = text.find(self._text, end)
        return spans

    def replace(self, text: str, content: str) -> str:
        return text.replace(self._text, content)


@cache
def open_pattern(pattern: kinds.Pattern) -> Finder:
    """Open a pattern; the same object each time.

    Raises:
        UnsupportedTokenizer: a regular expression is not valid or has something that is not implemented.
    """
    # The literal text of nothing is found everywhere, as the regular expression of nothing is.
    return open_regex(pattern.text) if pattern.regex or not pattern.text else Literal(pattern.text)
