"""What a model keeps between a client's requests: the least recently used goes first, what is stale goes anyway."""

from __future__ import annotations

import collections
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Sessions(Generic[T]):
    """States by key, bounded by number, bytes and age; for one thread at a time.

    Args:
        most, most_bytes: what is kept.
        stale_s: seconds after its last use that a state is forgotten.
        clock: monotonic seconds.
    """

    def __init__(self, most: int, most_bytes: int, stale_s: float, clock: Callable[[], float]) -> None:
        self._most, self._most_bytes, self._stale_s, self._clock = most, most_bytes, stale_s, clock
        self._kept: collections.OrderedDict[Hashable, tuple[T, int, float]] = collections.OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, key: Hashable) -> T | None:
        """Take a state out, to be put back once it has been used; None if there is none, or no more."""
        self._drop_stale()
        if key not in self._kept:
            return None
        state, size, _ = self._kept.pop(key)
        self._bytes -= size
        return state

    def put(self, key: Hashable, state: T, size_bytes: int) -> None:
        """Keep a state; others go if there is no room for all."""
        self.take(key)
        self._kept[key] = (state, size_bytes, self._clock())
        self._bytes += size_bytes
        while len(self._kept) > self._most or self._bytes > self._most_bytes:
            self._drop_oldest()

    def _drop_stale(self) -> None:
        now_s = self._clock()
        while self._kept and now_s - next(iter(self._kept.values()))[2] > self._stale_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, (_, size, _) = self._kept.popitem(last=False)
        self._bytes -= size
