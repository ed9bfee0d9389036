"""Texts in an alphabet so small that `re` is quick on them.

An expression cannot tell two characters apart that are in the same of its classes. So each character outside of ASCII
is replaced by a letter for the classes that it is in, and the classes are written in those letters. Compiling the
classes themselves takes `re` up to 100 ms, and then it goes through the ranges beyond U+FFFF one by one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

from edge_runtime.tokenizer.plain.regex.sets import CharacterSet, Writer
from edge_runtime.tokenizer.unicode import CharacterMap, CodePoints

_ASCII = 0x80
_NEVER = "(?!)"  # matches nowhere

# One character of each general category and of each kind that patterns like to tell apart: what is in the same classes
# as one of these needs no new letter.
_EXAMPLES = (
    "\xe9\xc9\u01c5\u02b0\xaa\u4e00\u3042\u30a2\uac00\u0301\u0903\u20dd\u0661\u2160\xb2\u203f\u2010\xab\xbb\uff08\uff09\xb7"
    "\u2018\xa9\u20ac\xb4\xd7\xa0\x85\u2028\u2029\u3000\xad\x80\u200b\ue000\u0378\u2019\u3002\uff0c\U0001f600\U00010400"
)


class Alphabet:
    """The letters that stand for characters in an expression.

    Args:
        source: writes the expression; it gives each of its classes to the function that it is called with.
    """

    def __init__(self, source: Callable[[Writer], str]) -> None:
        self._source = source
        numbers: dict[CharacterSet, int] = {}
        self._written: list[int] = []  # the numbers of the classes in the order in which they are written

        def number(one: CharacterSet) -> str:
            self._written.append(numbers.setdefault(one, len(numbers)))
            return ""

        source(number)
        self._classes = tuple(numbers)
        self._ascii = ["".join(chr(code) for code in range(_ASCII) if code in one) for one in self._classes]
        # Then no other character is in any class: they need no letters, ` {2,}` is an example.
        self._only_ascii = all(isinstance(one, CodePoints) and one.ranges[-1][1] < _ASCII for one in self._classes)
        self._letters: dict[tuple[bool, ...], str] = {}
        self._unused = map(chr, itertools.count(_ASCII))
        self._table = CharacterMap(self._letter)
        self._compiled = self._compile()

    def spell(self, text: str) -> tuple[re.Pattern[str], str]:
        """Give the compiled expression and the text to run it on, of the same length."""
        compiled, letters = self._compiled
        if self._only_ascii or text.isascii():
            return compiled, text
        spelt = text.translate(self._table)
        if letters != len(self._letters):
            compiled, _ = self._compiled = self._compile()
        return compiled, spelt

    def _letter(self, code: int) -> str:
        if code < _ASCII:
            return chr(code)
        kind = tuple([code in one for one in self._classes])
        letter = self._letters.get(kind)
        if letter is None:
            letter = self._letters.setdefault(kind, next(self._unused))  # threads may get here together
            if len(self._letters) == 1:
                _EXAMPLES.translate(self._table)  # saves compiling anew for each of them
        return letter

    def _compile(self) -> tuple[re.Pattern[str], int]:
        """Give the expression, and how many letters it is written in."""
        letters = tuple(self._letters.items())
        classes = [self._class(at, letters) for at in range(len(self._classes))]
        numbers = iter(self._written)
        return re.compile(self._source(lambda _: classes[next(numbers)])), len(letters)

    def _class(self, at: int, letters: Sequence[tuple[tuple[bool, ...], str]]) -> str:
        members = self._ascii[at] + "".join(letter for kind, letter in letters if kind[at])
        if len(members) < 2:
            return re.escape(members) or _NEVER
        return f"[{CodePoints.of(map(ord, members)).pattern()}]"
