"""A place in a pattern, and the escapes that stand for one character."""

from __future__ import annotations

from typing import NoReturn

from edge_runtime.errors import UnsupportedTokenizer

_SIMPLE = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "a": 7, "e": 27}
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_SHOWN = 200  # characters of a pattern in a message


class Cursor:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at = pattern, 0

    @property
    def next(self) -> str:
        """The character that comes next, or nothing at the end."""
        return self.pattern[self.at : self.at + 1]

    def take(self) -> str:
        """Step over a character and give it. UnsupportedTokenizer: the pattern ends here."""
        char = self.next
        if not char:
            self.refuse("an end in the middle of something")
        self.at += 1
        return char

    def accept(self, text: str) -> bool:
        """Step over a text if it comes next."""
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def take_until(self, text: str) -> str:
        """Give everything up to a text and step over both."""
        end = self.pattern.find(text, self.at)
        if end < 0:
            self.refuse(f"no {text} where one is needed")
        found = self.pattern[self.at : end]
        self.at = end + len(text)
        return found

    def refuse(self, construct: str) -> NoReturn:
        """Raise the refusal of this pattern for something in it."""
        raise UnsupportedTokenizer(
            f"regular expression {self.pattern[:_SHOWN]!r} has {construct} (before character {self.at}), "
            "which is not supported"
        )

    def character_escape(self, letter: str) -> int | None:
        r"""Give the code point of an escape such as `\n` or `\x{2581}`, or None if it stands for no one character.

        The cursor is behind the letter. Other letters and digits may mean something: only marks are taken literally.
        """
        if letter in _SIMPLE:
            return _SIMPLE[letter]
        if letter == "x" and not self.accept("{"):
            code = self._code(self._digits(2))
            return self.refuse(f"the byte {code:02X} of a longer character") if code > 0x7F else code
        if letter == "x":
            return self._code(self.take_until("}"))
        if letter == "u":
            return self._code(self._digits(4))
        return None if letter.isascii() and letter.isalnum() else ord(letter)

    def _digits(self, count: int) -> str:
        digits = self.pattern[self.at : self.at + count]
        self.at += count
        return digits if len(digits) == count else ""

    def _code(self, digits: str) -> int:
        code = int(digits, 16) if 0 < len(digits) <= 8 and set(digits) <= _HEXADECIMAL else -1
        if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            self.refuse(f"the character {digits!r}")
        return code
