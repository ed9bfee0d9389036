"""A frozen hash table in which one look finds a key or its absence: for many keys at once, without a loop.

Keys are grouped into buckets of about two; each bucket has a displacement that puts all its keys on free slots ("hash,
displace"). A slot holds key and value in one word, so a look is two gathers: a byte that stays in the cache, and the
slot. On 280,000 pairs this took 5 to 11 ns a key, open addressing with its second looks 16 to 26 ns.

Source: Belazzougui, Botelho, Dietzfelbinger: Hash, displace, and compress, ESA 2009.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Index = NDArray[np.int64]

_WORD_BITS = 64
_ALL = (1 << _WORD_BITS) - 1
_FREE = np.uint64(_ALL)  # no key: keys leave the highest bit clear
_DISPLACEMENTS = 256  # they are bytes
_BUCKET_KEYS = 2
_TRIES = 24  # of each size of table; one in two fails because two keys of a bucket want the same slot
_GOLDEN = 0x9E3779B97F4A7C15


def build(name: str, keys: Words, values: Words, value_bits: int) -> dict[str, NDArray[np.generic]]:
    """Give the arrays of a table, under names that begin with `name`.

    Args:
        keys: (entries,) below 2**63, already shifted left by `value_bits`. Of equal keys the last one counts.
        values: (entries,) below 2**value_bits - 1: the highest value stands for a key that is not there.
        value_bits: 1 to 31.

    Returns:
        slots: (2**n,) uint64, key | value; displacements: (buckets,) uint8; shape: (5,) uint64, multipliers and shifts.
    """
    keys, values = _last_of_equal(keys, values)
    count = max(len(keys), 2)
    slot_bits = (count + count // 2).bit_length()
    seed = 0
    while True:
        bucket_bits = max((count // _BUCKET_KEYS).bit_length(), 1)
        for _ in range(_TRIES):
            multipliers = _multiplier(seed), _multiplier(seed + 1)
            seed += 2
            placed = _place(keys, multipliers, slot_bits, bucket_bits)
            if placed is not None:
                slots = np.full(1 << slot_bits, _FREE)
                slots[placed[1]] = keys | values
                shape = [*multipliers, _WORD_BITS - slot_bits, _WORD_BITS - bucket_bits, value_bits]
                return {
                    f"{name}_slots": slots,
                    f"{name}_displacements": placed[0],
                    f"{name}_shape": np.array(shape, np.uint64),
                }
        slot_bits += 1


class HashTable:
    """The table over its arrays, which may be read-only maps of a file.

    Attributes:
        value_bits: keys are shifted to the left by so many bits.
        missing: the value of a key that is not there, 2**value_bits - 1.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], name: str) -> None:
        self._slots, self._displacements = (
            arrays[f"{name}_slots"].view(np.uint64),
            arrays[f"{name}_displacements"].view(np.uint8),
        )
        shape = arrays[f"{name}_shape"].tolist()
        self._first, self._second, self._slot_shift, self._bucket_shift, self.value_bits = shape
        self.missing = (1 << self.value_bits) - 1
        self._vector = tuple(np.array(shape[:4], np.uint64))
        self._missing = np.uint64(self.missing)
        self._slot_view, self._displacement_view = self._slots.data, self._displacements.data

    def find(self, keys: Words) -> NDArray[np.int32]:
        """Give the value of each shifted key, `missing` where it is not there."""
        first, second, slot_shift, bucket_shift = self._vector
        place = keys * second
        place >>= bucket_shift
        displacement = self._displacements.take(place.view(np.int64))
        np.multiply(keys, first, out=place)
        place >>= slot_shift
        place ^= displacement
        found = self._slots.take(place.view(np.int64))
        # Only the key itself leaves nothing but the value; another one leaves a higher bit, the minimum then says so.
        found ^= keys
        np.minimum(found, self._missing, out=found)
        values: NDArray[np.int32] = found.astype(np.int32)
        return values

    def get(self, key: int) -> int:
        """Give the value of one shifted key, `missing` if it is not there."""
        bucket = (key * self._second & _ALL) >> self._bucket_shift
        slot = (key * self._first & _ALL) >> self._slot_shift
        found: int = self._slot_view[slot ^ self._displacement_view[bucket]] ^ key
        return found if found < self.missing else self.missing


def _multiplier(seed: int) -> np.uint64:
    """Give the odd number number `seed` of a fixed sequence: the same keys always give the same table."""
    mixed = (seed + 1) * _GOLDEN & _ALL
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _ALL
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _ALL
    return np.uint64(mixed ^ mixed >> 31 | 1)


def _last_of_equal(keys: Words, values: Words) -> tuple[Words, Words]:
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return keys, values
    _, last = np.unique(keys[::-1], return_index=True)
    kept = len(keys) - 1 - last
    return keys[kept], values[kept]


def _place(
    keys: Words, multipliers: tuple[np.uint64, np.uint64], slot_bits: int, bucket_bits: int
) -> tuple[NDArray[np.uint8], Index] | None:
    """Give the displacements and the slot of each key, or None if these multipliers do not do."""
    wanted = (keys * multipliers[0] >> np.uint64(_WORD_BITS - slot_bits)).astype(np.int64)
    buckets = (keys * multipliers[1] >> np.uint64(_WORD_BITS - bucket_bits)).astype(np.int32)
    order = np.argsort(buckets)
    wanted = wanted[order]
    sizes = np.bincount(buckets, minlength=1 << bucket_bits)
    firsts = np.cumsum(sizes) - sizes
    displacements = np.zeros(1 << bucket_bits, np.uint8)
    taken, slots = np.zeros(1 << slot_bits, np.bool_), np.zeros(len(keys), np.int64)
    owner = np.empty(1 << slot_bits, np.int32)
    for size in range(int(sizes.max()), 0, -1):  # full buckets first, while nearly all slots are free
        group = np.flatnonzero(sizes == size)
        members = firsts[group][:, None] + np.arange(size)
        places = wanted[members]
        alike = np.sort(places, axis=1)
        if (alike[:, 1:] == alike[:, :-1]).any():
            return None  # two keys of a bucket want one slot, and would with any displacement
        chosen = _displace(places, taken, owner)
        if chosen is None:
            return None
        displacements[group] = chosen
        slots[members] = places ^ chosen[:, None]
    result = np.empty(len(keys), np.int64)
    result[order] = slots
    return displacements, result


def _displace(places: Index, taken: NDArray[np.bool_], owner: NDArray[np.int32]) -> NDArray[np.uint8] | None:
    """Choose the displacement of each row of places and take the slots, or give None if some row fits nowhere."""
    chosen = np.zeros(len(places), np.uint8)
    todo = np.arange(len(places))
    for displacement in range(min(_DISPLACEMENTS, len(taken))):
        if not len(todo):
            break
        slots = places[todo] ^ displacement
        free = np.flatnonzero(~taken[slots].any(axis=1))
        claims, claimed = todo[free], slots[free]
        owner[claimed] = claims[:, None]
        won = (owner[claimed] == claims[:, None]).all(axis=1)
        chosen[claims[won]] = displacement
        taken[claimed[won]] = True
        todo = np.delete(todo, free[won])
    return None if len(todo) else chosen
