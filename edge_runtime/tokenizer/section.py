"""One object of a `tokenizer.json`, taken apart key by key so that no key goes unnoticed.

Everything here raises UnsupportedTokenizer, naming the place, when a value is not of the kind asked for.
"""

from __future__ import annotations

from typing import TypeGuard

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.unicode import LONE_SURROGATE

MAX_NUMBER = 2**32 - 1  # ids and sizes are unsigned 32-bit in the original


class Section:
    """A JSON object being read: every key must be taken or ignored before `close`.

    Attributes:
        where: what the object is, for messages.
        type: its `type`, once `only_type` has taken it.
    """

    def __init__(self, value: object, where: str) -> None:
        self.where, self.type = where, ""
        self._left = as_object(value, where)

    def only_type(self, *known: str) -> Section:
        """Take `type`, which must be one of the known ones."""
        self.type = as_text(self.take("type"), f"{self.where} type")
        if self.type not in known:
            expected = " or ".join(known)
            raise UnsupportedTokenizer(f"{self.where} {self.type[:64]} is not supported: edgert reads {expected}")
        return self

    def take(self, key: str) -> object:
        """Take a value of any kind; it must be there."""
        if key not in self._left:
            raise UnsupportedTokenizer(f"{self.where} lacks {key!r}")
        return self._left.pop(key)

    def take_optional(self, key: str) -> object:
        """Take a value of any kind; None if it is null or not there."""
        return self._left.pop(key, None)

    def text(self, key: str) -> str:
        """Take a string."""
        return as_text(self.take(key), f"{self.where} {key}")

    def flag(self, key: str) -> bool:
        """Take true or false."""
        return as_flag(self.take(key), f"{self.where} {key}")

    def number(self, key: str) -> int:
        """Take an unsigned 32-bit number."""
        return as_number(self.take(key), f"{self.where} {key}")

    def section(self, key: str) -> Section:
        """Take an object; inner sections of the file are known by their own name."""
        return Section(self.take(key), key)

    def optional_section(self, key: str) -> Section | None:
        """Take an object; None if it is null or not there."""
        value = self.take_optional(key)
        return None if value is None else Section(value, key)

    def ignore(self, *keys: str) -> None:
        """Pass over keys that change no id, whether they are there or not."""
        for key in keys:
            self._left.pop(key, None)

    def close(self) -> None:
        """Refuse what is left."""
        for key in self._left:
            raise UnsupportedTokenizer(f"{self.where} key {key[:64]!r} is not supported: edgert does not know it")


def as_object(value: object, where: str) -> dict[str, object]:
    """Give a copy of a JSON object."""
    if not isinstance(value, dict):
        raise _wrong(value, where, "an object")
    return dict(value)


def as_list(value: object, where: str) -> list[object]:
    """Give a JSON list."""
    if not isinstance(value, list):
        raise _wrong(value, where, "a list")
    return value


def as_text(value: object, where: str) -> str:
    """Give a string without lone surrogates."""
    if not isinstance(value, str):
        raise _wrong(value, where, "a string")
    if LONE_SURROGATE.search(value):
        raise _wrong(value, where, "characters, not half of a surrogate pair")
    return value


def as_flag(value: object, where: str) -> bool:
    """Give true or false."""
    if not isinstance(value, bool):
        raise _wrong(value, where, "true or false")
    return value


def as_number(value: object, where: str) -> int:
    """Give an unsigned 32-bit number."""
    if not _is_number(value):
        raise _wrong(value, where, f"a whole number up to {MAX_NUMBER}")
    return value


def as_numbers(value: object, where: str) -> dict[str, int]:
    """Give a JSON object of strings and unsigned 32-bit numbers."""
    numbers: dict[str, int] = {}
    for key, number in as_object(value, where).items():
        if not _is_number(number):
            raise _wrong(number, f"{where} {key!r}", f"a whole number up to {MAX_NUMBER}")
        numbers[key] = number
    as_text("".join(numbers), where)
    return numbers


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make a JSON object; for `json.loads(object_pairs_hook=...)`, which would let the last of two equal keys win."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise UnsupportedTokenizer(f"key {twice[:64]!r} stands twice in one object")
    return result


def _is_number(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_NUMBER


def _wrong(value: object, where: str, expected: str) -> UnsupportedTokenizer:
    return UnsupportedTokenizer(f"{where} {ascii(value)[:64]} is not supported: edgert expects {expected}")
