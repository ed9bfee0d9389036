"""WordNet 3.0's nouns: what words mean, in plain English, and what is a kind of what. Out of Debian's package.

Fellbaum 1998, "WordNet: An Electronic Lexical Database"; the files are described in wndb(5WN).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from edge_runtime.errors import SourceUnavailable
from edgert_tools.debian import DebianPackage, debian_files

PACKAGE = DebianPackage("wordnet-base", "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752", megabytes=7)
_FOLDER, _FILE = "usr/share/wordnet", "data.noun"
_KIND_OF = ("@", "@i")  # pointers from a meaning to what it is a kind, or an instance, of
_LICENCE_INDENT = "  "  # lines that begin so are the licence
_POINTER_FIELDS = 4


@dataclass(frozen=True)
class Meaning:
    """One meaning of some words.

    Attributes:
        words: that have it, the commonest first, with blanks.
        explained: what it is, in a phrase; without the examples that the file has behind it.
        kinds: numbers of the meanings that this one is a kind of.
    """

    number: int
    words: tuple[str, ...]
    explained: str
    kinds: tuple[int, ...]


@cache
def nouns() -> Mapping[int, Meaning]:
    """All 82,115 meanings of nouns by their number, in its order. SourceUnavailable: the package cannot be had."""
    files = debian_files(PACKAGE, _FOLDER, print_nothing)
    try:
        lines = files[_FILE].decode("utf-8").splitlines()
        return {one.number: one for one in _meanings(lines)}
    except (KeyError, ValueError, IndexError) as error:
        raise SourceUnavailable(f"{_FILE} of the Debian package {PACKAGE.name} is not what it was: {error}") from error


@cache
def kinds_above(number: int) -> frozenset[int]:
    """All meanings that a meaning is a kind of, near and far; without itself."""
    found: set[int] = set()
    left = [*nouns()[number].kinds]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += nouns()[one].kinds
    return frozenset(found)


def print_nothing(line: str) -> None:
    """Progress that nobody is told of: the caller said already what it reads."""


def _meanings(lines: list[str]) -> Iterator[Meaning]:
    for line in lines:
        if not line.startswith(_LICENCE_INDENT):
            yield _meaning(line)


def _meaning(line: str) -> Meaning:
    fields, _, gloss = line.partition(" | ")
    number, _, _, count, *rest = fields.split(" ")
    words = rest[: 2 * int(count, 16) : 2]
    after = rest[2 * int(count, 16) :]
    pointers = [after[1 + _POINTER_FIELDS * place : 5 + _POINTER_FIELDS * place] for place in range(int(after[0]))]
    kinds = tuple(int(pointer[1]) for pointer in pointers if pointer[0] in _KIND_OF)
    explained = gloss.partition('; "')[0].strip()
    return Meaning(int(number), tuple(word.replace("_", " ") for word in words), explained, kinds)
