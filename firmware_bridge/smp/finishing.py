"""Work that may take longer than a client waits for its answer, as hashing and copying a large file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from edge_runtime.errors import EdgertError

PATIENCE_S = 1.5  # clients give up after 2.5 s
MOST_KEPT = 64  # outcomes that nobody has asked for yet

Result = TypeVar("Result")


class StillBusy(EdgertError):
    """It is not done yet; ask again."""

    code = "still_busy"
    status = 503

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is still going on: ask again")


class Finishing:
    """Does one thing after the other, on a thread of its own."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="edgert-smp-finish")
        self._lock = threading.Lock()
        self._begun: dict[str, Future[Any]] = {}

    def done(self, what: str, work: Callable[[], Result]) -> Result:
        """Begin the work if it is not begun, wait a little, and give what came of it, once.

        Raises:
            StillBusy: it goes on; ask again with the same `what`.
            Exception: whatever the work raised.
        """
        with self._lock:
            future: Future[Result] | None = self._begun.get(what)
            if future is None:
                future = self._begun[what] = self._pool.submit(work)
                self._forget()
        try:
            result = future.result(self._patience_s)
        except TimeoutError:
            if not future.done():
                raise StillBusy(what) from None
            result = future.result()
        finally:
            if future.done():
                with self._lock:
                    self._begun.pop(what, None)
        return result

    def goes_on(self, what: str) -> bool:
        """Whether it was begun and is not done."""
        with self._lock:
            return what in self._begun and not self._begun[what].done()

    def forget(self, what: str) -> None:
        """Nobody will ask for this outcome any more."""
        with self._lock:
            if what in self._begun and self._begun[what].done():
                del self._begun[what]

    def close(self) -> None:
        """Finish what is going on; what waits is not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _forget(self) -> None:
        for what in list(self._begun)[: len(self._begun) - MOST_KEPT]:
            if self._begun[what].done():
                del self._begun[what]
