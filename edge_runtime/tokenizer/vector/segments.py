"""Segments of a buffer as one text, and the way back from bytes to characters."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from edge_runtime.tokenizer.vector.keys import Bytes, Index
from edge_runtime.tokenizer.vector.overlay import spread

_CONTINUATION, _CONTINUATION_BITS = 0x80, 0xC0


class Segments(NamedTuple):
    """Some segments of a buffer, put together.

    Attributes:
        content: (bytes,) uint8, segment after segment.
        text: the same, decoded.
        bounds: (segments + 1,) int64, where in `text` each segment begins, in characters, and where the last one ends.
    """

    content: Bytes
    text: str
    bounds: Index

    @classmethod
    def of(cls, buffer: Bytes, starts: Index, lengths: Index) -> Segments:
        """Take segments out of a buffer."""
        content = buffer.take(spread(starts, lengths))
        text = content.tobytes().decode()
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls(content, text, ends if len(text) == len(content) else character_at(content, ends))

    @property
    def texts(self) -> list[str]:
        """Each segment as a text."""
        bounds = self.bounds.tolist()
        return [self.text[start:end] for start, end in itertools.pairwise(bounds)]


def characters_before(content: Bytes) -> Index:
    """Give for each place of UTF-8 bytes how many characters begin before it; one more entry for the end."""
    begun = np.zeros(len(content) + 1, np.int64)
    np.cumsum((content & _CONTINUATION_BITS) != _CONTINUATION, out=begun[1:])
    return begun


def character_at(content: Bytes, places: Index) -> Index:
    """Give how many characters begin before each of some places, all of them borders of characters."""
    return characters_before(content).take(places)


def byte_at(content: Bytes, characters: Index) -> Index:
    """Give where characters begin, by their number; their count itself gives the end."""
    begins = np.flatnonzero((content & _CONTINUATION_BITS) != _CONTINUATION)
    places: Index = np.append(begins, len(content)).take(characters)
    return places


def totals(counts: Index, parts: Index) -> Index:
    """Sum up counts in runs of `parts` items each; an empty run gives 0."""
    sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    ends = np.cumsum(parts)
    summed: Index = sums.take(ends) - sums.take(ends - parts)
    return summed
