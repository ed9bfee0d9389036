"""What a server has counted since it started."""

from __future__ import annotations

import threading
from collections import Counter

FIELDS = ("requests", "refused", "broken", "damaged", "ignored", "bytes_in", "bytes_out", "links")


class Statistics:
    """Counters by name, for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter(dict.fromkeys(FIELDS, 0))

    def add(self, name: str, count: int = 1) -> None:
        """Count."""
        with self._lock:
            self._counts[name] += count

    def all(self) -> dict[str, int]:
        """Everything as it is now."""
        with self._lock:
            return dict(self._counts)
