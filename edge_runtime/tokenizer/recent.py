"""Short texts that were asked for just now, with what they became: hubs are asked the same few things all day."""

from __future__ import annotations

import sys

from edge_runtime.tokenizer.encoding import Encoded

_GENERATION_BYTES = 512 * 1024
_LONGEST = 2048  # characters
_OVERHEAD_BYTES = 500  # a dictionary entry, a tuple and the heads of three arrays


class RecentTexts:
    """Remembers encoded texts in two generations of bounded size. Safe to share between threads.

    What it gives is shared: no array of it may be writable.
    """

    def __init__(self) -> None:
        self._young: dict[str, Encoded] = {}
        self._old: dict[str, Encoded] = {}
        self._size_bytes = 0

    def get(self, text: str) -> Encoded | None:
        """Give what was remembered of a text; None: nothing."""
        return self._young.get(text) or self._old.get(text)

    def add(self, text: str, encoded: Encoded) -> None:
        """Remember a text, if it is short."""
        if len(text) > _LONGEST:
            return
        if self._size_bytes >= _GENERATION_BYTES:
            self._old, self._young, self._size_bytes = self._young, {}, 0
        self._young[text] = encoded
        self._size_bytes += sys.getsizeof(text) + encoded.input_ids.nbytes + _OVERHEAD_BYTES
