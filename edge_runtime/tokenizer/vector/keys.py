"""Byte ranges of a buffer as exact keys, many at once.

A key is two words. A range of up to 7 bytes is the first one: its bytes, and its length in the last byte; the second is
0. Of a range of up to 15 bytes the second word holds what lies beyond the eighth byte, and the length; the first is
mixed of all its bytes, so that from both together the range could be got back. So different ranges never share a key,
and for most the first word alone is enough. A longer range becomes a hash of 119 bits with multipliers drawn at random
in each process: nobody who only sends texts can aim at a collision, and an accidental one among a billion ranges has a
chance below 1e-17.
"""

from __future__ import annotations

import secrets

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Index = NDArray[np.int64]
Bytes = NDArray[np.uint8]

PADDING = 24  # bytes that must follow the last range of a buffer: keys are read in words of 8 bytes
SHORT = 7  # bytes of the longest range of one word
INLINE = 15  # bytes of the longest range whose key is not a hash
LONGEST = 1023  # bytes of the longest range that has a key

# What mixes the first word of a range of 8 to 15 bytes. Known to all: tables of segments spread their keys themselves.
MIX_LOW, MIX_HIGH = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
TOP = np.uint64(1 << 63)  # in the first word: there is a second one

_WORD = 8
_HASHED = np.uint64(0xFF << 56)  # in the second word of a hash; no length looks so
_ALL = (1 << 64) - 1
# By length 0 to 8 or 7: which bits of a word belong to the range, and the length's place.
_MASK = np.array([(1 << 8 * size) - 1 for size in range(8)] + [_ALL], np.uint64)
_LENGTH = np.array([size << 56 for size in range(INLINE + 1)], np.uint64)
_SHIFT, _HALF = np.uint64(29), np.uint64(32)


def random_odd() -> np.uint64:
    """A multiplier that nobody outside this process can know."""
    return np.uint64(secrets.randbits(64) | 1)


_PLACES = (LONGEST + _WORD) // _WORD
_OFFSETS, _FIRST, _SECOND = (
    np.frombuffer(secrets.token_bytes(_WORD * _PLACES), np.uint64) | np.uint64(1) for _ in range(3)
)
_SPREAD, _FINISH_FIRST, _FINISH_SECOND = (random_odd() for _ in range(3))


def word_view(buffer: Bytes) -> Words:
    """Give for each byte the 8 bytes from there on as one little-endian word; the buffer must be padded.

    A copy: taking from an unaligned view would make NumPy copy it again for every take.
    """
    count = max(len(buffer) - _WORD + 1, 0)
    return np.ascontiguousarray(np.ndarray((count,), np.dtype("<u8"), buffer=buffer, strides=(1,)))


def keys_of(words: Words, starts: Index, lengths: Index) -> tuple[Words, Words]:
    """Give the first and the second word of each range's key.

    Args:
        words: what `word_view` gives.
        starts, lengths: (ranges,) int64, in bytes; none is longer than `LONGEST`.
    """
    capped = np.minimum(lengths, _WORD)
    first = words.take(starts)
    first &= _MASK.take(capped)
    first |= _LENGTH.take(capped)
    second = np.zeros(len(starts), np.uint64)
    more = np.flatnonzero(capped == _WORD)
    if len(more):
        at, size = starts.take(more), lengths.take(more)
        first[more], second[more] = _two_words(words, at, size)
        hashed = more[size > INLINE]
        if len(hashed):
            first[hashed], second[hashed] = _hashed(words, starts.take(hashed), lengths.take(hashed))
    return first, second


def _two_words(words: Words, starts: Index, lengths: Index) -> tuple[Words, Words]:
    size = np.minimum(lengths, INLINE)
    high = words.take(starts + _WORD)
    high &= _MASK.take(size - _WORD)
    high |= _LENGTH.take(size)
    mixed = words.take(starts)
    mixed *= MIX_LOW
    mixed += high * MIX_HIGH
    high |= mixed & TOP  # the bit that the next line takes away
    mixed |= TOP
    return mixed, high


def _hashed(words: Words, starts: Index, lengths: Index) -> tuple[Words, Words]:
    """Mix each word of each range with secrets of its place, and sum these up in two lanes."""
    counts = (lengths + _WORD - 1) // _WORD
    firsts = np.cumsum(counts) - counts
    place = np.arange(int(counts.sum())) - np.repeat(firsts, counts)
    mixed = words.take(np.repeat(starts, counts) + place * _WORD)
    mixed[firsts + counts - 1] &= _MASK.take(lengths - (counts - 1) * _WORD)
    mixed += _OFFSETS.take(place)
    mixed *= _SPREAD
    mixed ^= mixed >> _SHIFT
    low = np.add.reduceat(mixed * _FIRST.take(place), firsts)
    mixed ^= mixed >> _HALF
    high = np.add.reduceat(mixed * _SECOND.take(place), firsts)
    low = (low ^ lengths.astype(np.uint64)) * _FINISH_FIRST
    high = (high ^ (low >> _SHIFT)) * _FINISH_SECOND
    return (low ^ (high >> _HALF)) | TOP, high | _HASHED
