"""The ids of very many pieces at once.

Looking up three pieces for each of 280,000 merges in a dict of strings took 110 ms, and to make the strings 60 ms more;
here it is a third of that, and no string is made.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.keys import INLINE, PADDING, Index, Words, keys_of, word_view

NONE = -1  # no such piece

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROOM = 3  # slots for each piece, at least
_ROUNDS = 32  # looks at neighbouring slots; what is not found then, as few pieces are, is left to the dict


class PieceText:
    """A text in UTF-8 that pieces are parts of.

    Attributes:
        content: the text.
        words: for each of its bytes the word that begins there.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.words = word_view(np.frombuffer(content + bytes(PADDING), np.uint8))

    def at(self, start: int, size: int) -> str:
        """Give one piece; what is no UTF-8 becomes what no text can hold."""
        return self.content[start : start + size].decode(errors="surrogateescape")


class PieceIndex:
    """An exact index of a vocabulary's short pieces by their bytes, with open addressing; the dict knows the others.

    Args:
        vocab: the ids of the pieces, below 2**31.
    """

    def __init__(self, vocab: Mapping[str, int]) -> None:
        self._vocab = vocab
        encoded = [piece.encode() for piece in vocab]
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        short = np.flatnonzero(lengths <= INLINE)
        words = PieceText(b"".join(encoded)).words
        self._keys = keys_of(words, (np.cumsum(lengths) - lengths).take(short), lengths.take(short))
        self._ids = np.fromiter(vocab.values(), np.int32, len(vocab)).take(short)
        slots = 1 << max(_ROOM * len(short), 1).bit_length()
        self._shift = np.uint64(64 - slots.bit_length() + 1)
        self._slots: NDArray[np.int32] = np.full(slots, NONE, np.int32)
        self._fill()

    def _fill(self) -> None:
        pending = np.arange(len(self._ids), dtype=np.int32)
        slot = self._first_slot(self._keys[0])
        for _ in range(_ROUNDS):
            free = self._slots.take(slot) == NONE
            self._slots[slot[free]] = pending[free]  # of several that want a slot one gets it
            lost = self._slots.take(slot) != pending
            pending, slot = pending[lost], self._next_slot(slot[lost])

    def _first_slot(self, first: Words) -> Index:
        slot: Index = (first * _GOLDEN >> self._shift).view(np.int64)
        return slot

    def _next_slot(self, slot: Index) -> Index:
        return (slot + 1) & (len(self._slots) - 1)

    def find(self, text: PieceText, starts: Index, lengths: Index) -> NDArray[np.int32]:
        """Give the id of each piece of a text, `NONE` if the vocabulary does not have it.

        Args:
            starts, lengths: (pieces,) int64, in bytes; pieces may overlap.
        """
        ids = np.full(len(starts), NONE, np.int32)
        short = np.flatnonzero(lengths <= INLINE)
        if len(self._ids):
            self._find_short(ids, short, keys_of(text.words, starts.take(short), lengths.take(short)))
        for at in np.flatnonzero(ids == NONE).tolist():
            ids[at] = self._vocab.get(text.at(int(starts[at]), int(lengths[at])), NONE)
        return ids

    def _find_short(self, ids: NDArray[np.int32], pending: Index, keys: tuple[Words, Words]) -> None:
        first, second = keys
        slot = self._first_slot(first)
        for _ in range(_ROUNDS):
            found = self._slots.take(slot)
            hit = (self._keys[0].take(found, mode="wrap") == first) & (self._keys[1].take(found, mode="wrap") == second)
            hit &= found != NONE
            ids[pending[hit]] = self._ids.take(found[hit])
            wrong = np.flatnonzero(~hit & (found != NONE))
            if not len(wrong):
                return
            pending, slot = pending.take(wrong), self._next_slot(slot.take(wrong))
            first, second = first.take(wrong), second.take(wrong)
