"""A progress bar on a terminal, and nothing where there is none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 30
_EVERY_S = 0.1


class Bar:
    """Shows how far something is, on one line that it writes again and again.

    Args:
        stream: of the terminal; on anything else nothing is written.
        clock: monotonic seconds.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock, self._on = stream, clock, stream.isatty()
        self._total = 0
        self._begun_s = self._shown_s = 0.0
        self._first = 0

    def begin(self, total: int) -> None:
        """So much there will be."""
        self._total, self._begun_s, self._shown_s, self._first = total, self._clock(), 0.0, -1

    def show(self, done: int) -> None:
        """So much is there now."""
        if not self._on or not self._total:
            return
        now_s = self._clock()
        if self._first < 0:
            self._first, self._begun_s = done, now_s
        if now_s - self._shown_s < _EVERY_S and done < self._total:
            return
        self._shown_s = now_s
        self._stream.write("\r" + self._line(done, now_s - self._begun_s) + "\x1b[K")
        self._stream.flush()

    def _line(self, done: int, taken_s: float) -> str:
        share = min(1.0, done / self._total)
        filled = int(share * _WIDTH)
        rate = (done - self._first) / taken_s if taken_s > 0 else 0.0
        left = f"{(self._total - done) / rate:.0f} s left" if rate else ""
        bar = "#" * filled + "." * (_WIDTH - filled)
        return f"[{bar}] {share:4.0%}  {done / 1e6:.2f} of {self._total / 1e6:.2f} MB  {rate / 1e3:.0f} kB/s  {left}"

    def end(self) -> None:
        """Leave the line."""
        if self._on and self._shown_s:
            self._stream.write("\n")
            self._stream.flush()
