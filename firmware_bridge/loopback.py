"""Two ends of a cable that is only in memory, with a speed, a delay and faults: the fake at the seam `Link`.

    here, there = loopback(Faults(flip=1e-5, seed=1), baud=921600, latency_s=0.001)

The wire keeps real time: a byte takes ten bit times, and a sender that is too fast waits, as a port's driver makes it.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.errors import LinkLost

BITS_A_BYTE = 10  # 8N1
_DRIVER_BYTES = 4096  # what a Linux port takes before a write waits
_PIECE_S = 0.002  # what leaves at once; a receiver sees no finer steps
_FOREVER_S = 30.0


@dataclass(frozen=True)
class Faults:
    """What a bad cable does, as probabilities for each byte, the same for the same seed.

    Attributes:
        flip: one bit is wrong.
        drop: the byte is lost.
        double: it comes twice.
        noise: a byte of anything comes before it.
        swap: probability for each write, not byte, that it comes after the next one.
        lose: probability for each write that all of it is lost, as a datagram may be.
    """

    flip: float = 0.0
    drop: float = 0.0
    double: float = 0.0
    noise: float = 0.0
    swap: float = 0.0
    lose: float = 0.0
    seed: int = 0

    @property
    def of_bytes(self) -> float:
        """How often anything at all happens to a byte."""
        return self.flip + self.drop + self.double + self.noise


NO_FAULTS = Faults()


class Damage:
    """Damages what passes, as `Faults` says; `count` is how often it did."""

    def __init__(self, faults: Faults, stream: str = "") -> None:
        self._faults, self._random = faults, random.Random(f"{faults.seed}/{stream}")
        self.count = 0

    def lost(self) -> bool:
        """Whether this write is lost as a whole."""
        return bool(self._faults.lose) and self._hit(self._faults.lose)

    def swapped(self) -> bool:
        """Whether this write comes after the next one."""
        return bool(self._faults.swap) and self._hit(self._faults.swap)

    def _hit(self, probability: float) -> bool:
        hit = self._random.random() < probability
        self.count += hit
        return hit

    def apply(self, data: bytes) -> bytes:
        """What arrives of these bytes."""
        rate = self._faults.of_bytes
        if not rate:
            return data
        out, at = bytearray(), 0
        while True:
            step = int(self._random.expovariate(rate))  # bytes until the next fault
            if at + step >= len(data):
                return bytes(out + data[at:])
            out += data[at : at + step]
            out += self._damaged(data[at + step])
            at += step + 1
            self.count += 1

    def _damaged(self, byte: int) -> bytes:
        which = self._random.random() * self._faults.of_bytes
        if which < self._faults.flip:
            return bytes([byte ^ 1 << self._random.randrange(8)])
        if which < self._faults.flip + self._faults.drop:
            return b""
        if which < self._faults.flip + self._faults.drop + self._faults.double:
            return bytes([byte, byte])
        return bytes([self._random.randrange(256), byte])


class Wire:
    """One direction of a cable. `sent_bytes` counts what was put on it, whatever arrives.

    Args:
        baud: 0: no limit.
        latency_s: until a byte that has left arrives.
        whole: writes stay whole, as datagrams do.
    """

    def __init__(self, damage: Damage, baud: int = 0, latency_s: float = 0.0, *, whole: bool = False) -> None:
        self.damage, self.baud, self._latency_s, self._whole = damage, baud, latency_s, whole
        self.sent_bytes = 0
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._held: bytes | None = None
        self._free_s = 0.0
        self._open = True
        self._changed = threading.Condition()

    def put(self, data: bytes) -> None:
        """Put bytes on the wire; waits as long as the driver has no room for them."""
        with self._changed:
            if not self._open:
                raise LinkLost("the cable is cut")
            self.sent_bytes += len(data)
            if not self.damage.lost():
                self._order(data)
            self._changed.notify_all()
            while self._open and self._backlog_bytes() > _DRIVER_BYTES:
                self._changed.wait(max(0.0, (self._backlog_bytes() - _DRIVER_BYTES) * BITS_A_BYTE / self.baud))

    def _backlog_bytes(self) -> float:
        return (self._free_s - time.monotonic()) * self.baud / BITS_A_BYTE if self.baud else 0.0

    def _order(self, data: bytes) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            self._schedule(data)
            self._schedule(held)
        elif self.damage.swapped():
            self._held = data
        else:
            self._schedule(data)

    def _schedule(self, data: bytes) -> None:
        size = len(data) if self._whole or not self.baud else max(1, int(self.baud / BITS_A_BYTE * _PIECE_S))
        for at in range(0, len(data), size or 1):
            piece = data[at : at + size]
            time_s = len(piece) * BITS_A_BYTE / self.baud if self.baud else 0.0
            self._free_s = max(self._free_s, time.monotonic()) + time_s
            arrived = self.damage.apply(piece)
            if arrived:
                self._pieces.append((self._free_s + self._latency_s, arrived))

    def get(self, timeout_s: float) -> bytes:
        """What has arrived; waits for the first of it."""
        end_s = time.monotonic() + timeout_s
        with self._changed:
            while True:
                now_s = time.monotonic()
                if self._pieces and self._pieces[0][0] <= now_s:
                    return self._arrived(now_s)
                if not self._pieces and not self._open:
                    raise LinkLost("the cable is cut")
                due_s = min(end_s, self._pieces[0][0]) if self._pieces else end_s
                if now_s >= end_s:
                    return b""
                self._changed.wait(due_s - now_s)

    def _arrived(self, now_s: float) -> bytes:
        if self._whole:
            return self._pieces.popleft()[1]
        out = bytearray()
        while self._pieces and self._pieces[0][0] <= now_s:
            out += self._pieces.popleft()[1]
        return bytes(out)

    def cut(self) -> None:
        """No byte more; what was under way is gone."""
        with self._changed:
            self._open = False
            self._pieces.clear()
            self._changed.notify_all()


class LoopbackLink:
    """One end of the cable.

    Args:
        out, into: the two directions, as this end sees them.
        cut_after_bytes: the cable is cut when this end has sent so much.
        told_baud: called with each speed that this end is set to.
    """

    def __init__(
        self,
        out: Wire,
        into: Wire,
        *,
        datagrams: bool = False,
        cut_after_bytes: int | None = None,
        told_baud: Callable[[int], None] = lambda baud: None,
    ) -> None:
        self.out, self.into, self.datagrams = out, into, datagrams
        self._cut_after_bytes, self._told_baud = cut_after_bytes, told_baud

    def read(self, timeout_s: float) -> bytes:
        """See `Link`."""
        return self.into.get(timeout_s)

    def write(self, data: bytes) -> None:
        """See `Link`."""
        self.out.put(data)
        if self._cut_after_bytes is not None and self.out.sent_bytes >= self._cut_after_bytes:
            self.close()

    def set_baud(self, baud: int) -> bool:
        """See `Link`."""
        self._told_baud(baud)
        return bool(self.out.baud)

    def close(self) -> None:
        """See `Link`: pulls the plug; the other end sees it too."""
        self.out.cut()
        self.into.cut()


def loopback(
    faults: Faults = NO_FAULTS,
    *,
    baud: int = 0,
    latency_s: float = 0.0,
    datagrams: bool = False,
    cut_after_bytes: int | None = None,
) -> tuple[LoopbackLink, LoopbackLink]:
    """Both ends of a cable whose two directions have the same faults, each at its own moments."""
    there, back = (Wire(Damage(faults, stream), baud, latency_s, whole=datagrams) for stream in ("there", "back"))
    first = LoopbackLink(there, back, datagrams=datagrams, cut_after_bytes=cut_after_bytes)
    return first, LoopbackLink(back, there, datagrams=datagrams)
