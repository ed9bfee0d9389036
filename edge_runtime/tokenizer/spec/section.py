"""One object of a `tokenizer.json`, taken apart key by key so that no key goes unnoticed.

Everything here raises UnsupportedTokenizer, naming the place, when a value is not of the kind asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeGuard, TypeVar

from edge_runtime.errors import UnsupportedTokenizer

MAX_ID = 2**31 - 1  # unsigned 32-bit in the original; ids are signed here, and nobody has two thousand million pieces
MAX_SIZE = 2**64 - 1  # lengths and counts are unsigned 64-bit there
MAX_NESTING = 24  # of sequences in sequences; the original stops reading below 64
SHOWN = 64  # characters of the file's text in a message
_SEQUENCE = "Sequence"

Part = TypeVar("Part")


class Section:
    """A JSON object being read: every key must be taken before `close`.

    Attributes:
        where: what the object is, for messages.
    """

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        self._left = as_object(value, where)

    def peek(self, key: str) -> object:
        """Give a value without taking it; None if it is null or not there."""
        return self._left.get(key)

    def has(self, *keys: str) -> bool:
        """Say whether all of these keys are there and not taken yet."""
        return all(key in self._left for key in keys)

    def take(self, key: str) -> object:
        """Take a value of any kind; it must be there."""
        if key not in self._left:
            raise UnsupportedTokenizer(f"{self.where} lacks {key!r}")
        return self._left.pop(key)

    def optional(self, key: str) -> object:
        """Take a value of any kind; None if it is null or not there."""
        return self._left.pop(key, None)

    def text(self, key: str) -> str:
        """Take a string."""
        return as_text(self.take(key), f"{self.where} {key}")

    def optional_text(self, key: str) -> str | None:
        """Take a string; None if it is null or not there."""
        value = self.optional(key)
        return None if value is None else as_text(value, f"{self.where} {key}")

    def character(self, key: str) -> str:
        """Take a string of one character."""
        text = self.text(key)
        if len(text) != 1:
            raise wrong(text, f"{self.where} {key}", "one character")
        return text

    def choice(self, key: str, choices: Mapping[str, Part]) -> Part:
        """Take one of several words and give what it stands for."""
        word = self.text(key)
        if word not in choices:
            raise wrong(word, f"{self.where} {key}", " or ".join(choices))
        return choices[word]

    def flag(self, key: str) -> bool:
        """Take true or false."""
        return as_flag(self.take(key), self.where, key)

    def flag_or(self, key: str, default: bool) -> bool:
        """Take true or false; the default if it is not there."""
        return self.flag(key) if key in self._left else default

    def optional_flag(self, key: str, default: bool) -> bool:
        """Take true or false; the default if it is null or not there."""
        value = self.optional(key)
        return default if value is None else as_flag(value, self.where, key)

    def number(self, key: str) -> int:
        """Take an id or a type id."""
        return as_number(self.take(key), f"{self.where} {key}")

    def size(self, key: str) -> int:
        """Take an unsigned 64-bit number."""
        return as_number(self.take(key), f"{self.where} {key}", MAX_SIZE)

    def items(self, key: str) -> list[object]:
        """Take a list."""
        return as_list(self.take(key), f"{self.where} {key}")

    def part(self, readers: Mapping[str, Callable[[Section], Part]]) -> Part:
        """Take `type` and read the rest by the reader that belongs to it."""
        kind = self.text("type")
        if kind not in readers:
            known = ", ".join(readers)
            raise UnsupportedTokenizer(f"{self.where} {kind[:SHOWN]} is not supported: edgert reads {known}")
        self.where = f"{self.where} {kind}"
        part = readers[kind](self)
        self.close()
        return part

    def close(self) -> None:
        """Refuse what is left."""
        for key in self._left:
            raise UnsupportedTokenizer(f"{self.where} key {key[:SHOWN]!r} is not supported: edgert does not know it")


def read_chain(
    value: object, where: str, members: str, readers: Mapping[str, Callable[[Section], Part]]
) -> tuple[Part, ...]:
    """Read a component that may be a `Sequence`, which may hold further ones: all their parts in order.

    Args:
        members: the key of a `Sequence` that its parts stand under.
        readers: what reads a part, for each type but `Sequence`.
    """
    return tuple(_parts(value, where, members, readers, MAX_NESTING))


def _parts(
    value: object, where: str, members: str, readers: Mapping[str, Callable[[Section], Part]], depth: int
) -> Iterator[Part]:
    section = Section(value, where)
    if section.peek("type") != _SEQUENCE:
        yield section.part(readers)
        return
    if not depth:
        raise UnsupportedTokenizer(f"{where} is not supported: sequences stand more than {MAX_NESTING} deep")
    for inner in section.part({_SEQUENCE: lambda sequence: sequence.items(members)}):
        yield from _parts(inner, where, members, readers, depth - 1)


def as_object(value: object, where: str) -> dict[str, object]:
    """Give a copy of a JSON object."""
    if not isinstance(value, dict):
        raise wrong(value, where, "an object")
    return dict(value)


def as_list(value: object, where: str) -> list[object]:
    """Give a JSON list."""
    if not isinstance(value, list):
        raise wrong(value, where, "a list")
    return value


def as_text(value: object, where: str) -> str:
    """Give a string without lone surrogates."""
    if not isinstance(value, str):
        raise wrong(value, where, "a string")
    if not is_whole(value):
        raise wrong(value, where, "characters, not half of a surrogate pair")
    return value


def as_flag(value: object, where: str, key: str) -> bool:
    """Give true or false."""
    if not isinstance(value, bool):
        raise wrong(value, f"{where} {key}", "true or false")
    return value


def as_number(value: object, where: str, most: int = MAX_ID) -> int:
    """Give a whole number from 0 to `most`."""
    if not _is_number(value, most):
        raise wrong(value, where, f"a whole number up to {most}")
    return value


def is_whole(text: str) -> bool:
    """Say whether a text is made of characters only, not of halves of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()  # a tenth of the time of a search for surrogates
    except UnicodeEncodeError:
        return False
    return True


def unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make a JSON object; for `json.loads(object_pairs_hook=...)`, which would let the last of two equal keys win."""
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise UnsupportedTokenizer(f"key {twice[:SHOWN]!r} stands twice in one object")
    return result


def wrong(value: object, where: str, expected: str) -> UnsupportedTokenizer:
    """Give the refusal of a value that is not of the kind expected."""
    return UnsupportedTokenizer(f"{where} {ascii(value)[:SHOWN]} is not supported: edgert expects {expected}")


def _is_number(value: object, most: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
