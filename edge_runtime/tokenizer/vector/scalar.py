"""One short text: a dictionary of words does what NumPy, with its cost per call, only does well for many."""

from __future__ import annotations

import contextlib
import itertools
from array import array
from collections.abc import Callable, Iterable
from typing import Protocol

from edge_runtime.tokenizer.vector.base import Base
from edge_runtime.tokenizer.vector.keys import INLINE, MIX_HIGH, MIX_LOW, SHORT, TOP
from edge_runtime.tokenizer.vector.overlay import COUNT_MASK, COUNT_SHIFT, PLACE_MASK

LONGEST_TEXT = 8_000  # characters; a longer one is better off among the batches
_MOST_WORDS = 16_384  # remembered in each generation of a dictionary
_FIRST_WORDS = 2_048  # that are learned as the beginning of a text, too
_LONGEST_WORD = 64  # characters of a word that is remembered
ID_BYTES = 8

_ALL, _WORD = (1 << 64) - 1, 8
_MIX_LOW, _MIX_HIGH, _TOP = int(MIX_LOW), int(MIX_HIGH), int(TOP)


class BaseWords:
    """Looks for single strings in a frozen table, without NumPy's cost per call."""

    def __init__(self, base: Base) -> None:
        self._rows = base.table.rows.reshape(-1).data.cast("B").cast("Q")
        self._seconds = base.table.seconds.data.cast("B").cast("Q")
        self._pool, self._singles = base.pool.data.cast("B").cast("i"), base.singles
        self._first, self._second = (int(multiplier) for multiplier in base.table.multipliers)
        self._count, self._pairs = len(base.table), len(base.table) // 2

    def get(self, raw: bytes) -> list[int] | None:
        """Give the ids of a string, None if it is not there."""
        size, rows, multiplier = len(raw), self._rows, self._first
        if size <= SHORT:
            first, second = int.from_bytes(raw, "little") | size << 56, 0
            spread = first * multiplier & _ALL
        elif size <= INLINE:
            second = int.from_bytes(raw[_WORD:], "little") | size << 56
            first = (int.from_bytes(raw[:_WORD], "little") * _MIX_LOW + second * _MIX_HIGH) & _ALL
            second |= first & _TOP
            first |= _TOP
            spread = (first * multiplier + second * self._second) & _ALL
        else:
            return None
        slot = (((spread ^ spread >> 32) * multiplier & _ALL) >> 32) * self._pairs >> 32 << 1
        while value := rows[2 * slot + 1]:
            if rows[2 * slot] == first and self._seconds[slot] == second:
                place, count = value & PLACE_MASK, value >> COUNT_SHIFT & COUNT_MASK
                if count == 1:
                    return [place]
                return self._pool[place - self._singles : place - self._singles + count].tolist()
            slot = (slot + 1) % self._count
        return None


class NotSimple(Exception):
    """A text cannot be cut at its spaces into words that do not depend on each other."""


class Short(Protocol):
    """What the short way must know of a family.

    Attributes:
        leads_with_space: a text that begins with no space is tokenized as if it did.
        skips_spaces: spaces only part words, so several in a row, or at the ends, change nothing.
    """

    leads_with_space: bool
    skips_spaces: bool

    def ids_of(self, segment: str) -> list[int]:
        """Tokenize a segment, which is a word and a space before it, or the first word of a text.

        Raises:
            NotSimple: what becomes of the space behind it depends on it.
        """


class Words(dict[str, bytes]):
    """Word -> its ids as int64, in two generations, so that no stream of texts can fill the memory."""

    def __init__(self, ids_of: Callable[[str], list[int]], before: str, empty: bytes | None) -> None:
        super().__init__()
        self._ids_of, self._before, self._empty = ids_of, before, empty
        self._old: dict[str, bytes] = {}

    def __missing__(self, word: str) -> bytes:
        if not word:
            if self._empty is None:
                raise NotSimple
            return self._empty
        ids = self._old.get(word)
        if ids is None:
            ids = array("q", self._ids_of(self._before + word)).tobytes()
        if len(word) <= _LONGEST_WORD:
            if len(self) >= _MOST_WORDS:
                self._old = dict(self)
                self.clear()
            self[word] = ids
        return ids


class ShortTexts:
    """Tokenizes one short text at a time. Safe to share between threads."""

    def __init__(self, family: Short) -> None:
        nothing = b"" if family.skips_spaces else None
        self._first = Words(family.ids_of, " " if family.leads_with_space else "", nothing)
        self._inner = self._first if family.skips_spaces else Words(family.ids_of, " ", nothing)
        self._of_inner = self._inner.__getitem__

    def learn(self, words: Iterable[str]) -> None:
        """Look words up before they are asked for: inside a text, and the first of them as its beginning, too."""
        for count, word in enumerate(itertools.islice(words, _MOST_WORDS)):
            for known in (self._inner, self._first) if count < _FIRST_WORDS else (self._inner,):
                with contextlib.suppress(NotSimple):
                    known[word]

    def framed(self, before: bytes, text: str, after: bytes) -> bytes | None:
        """Give the ids of a text as int64 with others before and after; None: it must go another way.

        Raises:
            UnicodeEncodeError: the text may hold a lone surrogate.
        """
        first, *others = text.split(" ")
        try:
            return b"".join((before, self._first[first], *map(self._of_inner, others), after))
        except NotSimple:
            return None
