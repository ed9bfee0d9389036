"""A serial cable between two PTYs, at a simulated speed, that a test may pull: for programs that open ports by name.

A PTY itself has no speed, a buffer of 4 kB, and echoes unless both ends are raw.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import tty
from types import TracebackType

from firmware_bridge.errors import LinkLost
from firmware_bridge.loopback import NO_FAULTS, Damage, Faults, Wire

_LOOK_S = 0.05


class SerialCable:
    """The cable; `a` and `b` are names of its ends.

    Args:
        baud: 0: no limit.
        latency_s: of each byte, as of a USB adapter.
        faults: of either direction.
    """

    def __init__(self, baud: int = 0, latency_s: float = 0.0, faults: Faults = NO_FAULTS) -> None:
        self._masters, self._slaves = [], []
        for _ in range(2):
            master, slave = os.openpty()
            for end in (master, slave):
                tty.setraw(end)
            self._masters.append(master)
            self._slaves.append(slave)
        self.a, self.b = map(os.ttyname, self._slaves)
        self.there, self.back = (Wire(Damage(faults, way), baud, latency_s) for way in ("there", "back"))
        self._stopped, self._pulled = threading.Event(), threading.Event()
        first, second = self._masters
        work = [
            (self._take, first, self.there),
            (self._give, second, self.there),
            (self._take, second, self.back),
            (self._give, first, self.back),
        ]
        self._threads = [threading.Thread(target=run, args=args, daemon=True) for run, *args in work]
        for thread in self._threads:
            thread.start()

    def pull(self) -> None:
        """From now on nothing arrives; the ports stay, as on a board whose other end was unplugged."""
        self._pulled.set()

    def plug(self) -> None:
        """In again."""
        self._pulled.clear()

    def _take(self, master: int, wire: Wire) -> None:
        size = 4096 if not wire.baud else max(64, wire.baud // 2000)
        while not self._stopped.is_set():
            with contextlib.suppress(OSError, LinkLost):
                if select.select([master], [], [], _LOOK_S)[0]:
                    data = os.read(master, size)
                    if not self._pulled.is_set():
                        wire.put(data)

    def _give(self, master: int, wire: Wire) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(OSError, LinkLost):
                left = wire.get(_LOOK_S)
                while left and not self._stopped.is_set():
                    if select.select([], [master], [], _LOOK_S)[1]:
                        left = left[os.write(master, left[:1024]) :]

    def close(self) -> None:
        """Take it away."""
        self._stopped.set()
        self.there.cut()
        self.back.cut()
        for thread in self._threads:
            thread.join(5)
        for end in (*self._masters, *self._slaves):
            with contextlib.suppress(OSError):
                os.close(end)

    def __enter__(self) -> SerialCable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
