"""One thread that does now and then what nobody asks for: reports, signs of life, a look at the memory."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

log = logging.getLogger("edgert.daemon")

TICK_S = 0.25

Tick = Callable[[float], object]


class Every:
    """A tick that does its work only once in so many seconds."""

    def __init__(self, seconds: float, work: Callable[[], object]) -> None:
        self._seconds, self._work, self._due_s = seconds, work, float("-inf")

    def __call__(self, now_s: float) -> None:
        """Do the work if it is due."""
        if now_s >= self._due_s:
            self._due_s = now_s + self._seconds
            self._work()


class Housekeeping:
    """The thread.

    Args:
        ticks: called in turn with monotonic seconds, a few times a second; what one raises does not keep the others
            from their work.
    """

    def __init__(self, ticks: Sequence[Tick]) -> None:
        self._ticks, self._stopped = ticks, threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgert-housekeeping", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def tick(self, now_s: float) -> None:
        """Do once what is due."""
        for tick in self._ticks:
            try:
                tick(now_s)
            except Exception:  # the thread must outlive whatever one of them runs into
                log.exception("housekeeping failed")

    def _work(self) -> None:
        while not self._stopped.wait(TICK_S):
            self.tick(time.monotonic())
