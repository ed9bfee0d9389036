"""A file descriptor by which any thread can end another thread's poll()."""

from __future__ import annotations

import contextlib
import os
import sys


class Wakeup:
    """`set()` makes `fileno()` readable until `clear()`. Needs no socket pair, so no loopback interface either."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            self._read_fd = self._write_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        else:
            self._read_fd, self._write_fd = os.pipe()
            os.set_blocking(self._read_fd, False)
            os.set_blocking(self._write_fd, False)

    def fileno(self) -> int:
        """What to poll for reading."""
        return self._read_fd

    def set(self) -> None:
        """Wake the poller; any number of times before it looks counts as once."""
        with contextlib.suppress(BlockingIOError):  # full: it is awake already
            os.write(self._write_fd, (1).to_bytes(8, sys.byteorder))

    def clear(self) -> None:
        """Sleep again."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._read_fd, 4096)

    def __del__(self) -> None:
        # Not closed by hand: a late `set()` of another thread could hit a descriptor that somebody else got since.
        for descriptor in {self._read_fd, self._write_fd}:
            os.close(descriptor)
