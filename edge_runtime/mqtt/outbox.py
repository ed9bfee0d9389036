"""Messages on their way out: a bounded queue before the client library, and what the broker has yet to confirm."""

from __future__ import annotations

import threading
from collections import deque

from edge_runtime.mqtt.packet import Outgoing


class Outbox:
    """Takes messages only while connected, never more than its bounds, and forgets all when the connection is lost.

    Nothing is kept for the next connection: a reply that comes a reconnect later has nobody waiting for it, and a
    request that does would be asked again by its sender.

    Args:
        max_messages: how many may wait, unconfirmed ones not counted.
        max_bytes: how much may wait; a single larger message passes when nothing else waits.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages, self._max_bytes = max_messages, max_bytes
        self._lock = threading.Lock()  # taken itself where nobody is waited for: a condition costs four times as much
        self._changed = threading.Condition(self._lock)
        self._waiting: deque[Outgoing] = deque()
        self._waiting_bytes = 0
        self._unconfirmed: dict[int, str] = {}
        self._window = 0
        self._open = self._sealed = self._writing = False
        self._lost = 0

    def open(self, window: int) -> None:
        """Connected: at most `window` messages with QoS 1 may be unconfirmed at once."""
        with self._lock:
            self._window, self._open = window, True

    def seal(self) -> None:
        """Take no more, except with `force`."""
        with self._lock:
            self._sealed = True

    def put(self, packet: Outgoing, *, force: bool = False, minor: bool = False) -> bool:
        """Queue; False when disconnected, sealed or full.

        Args:
            packet: to send.
            force: pass the seal and the bounds.
            minor: take half of the room at most, so that a flood of such messages crowds nothing else out.
        """
        with self._lock:
            if not self._open or (not force and (self._sealed or not self._has_room(packet, 2 if minor else 1))):
                return False
            self._waiting.append(packet)
            self._waiting_bytes += packet.size_bytes
            return True

    def take(self) -> Outgoing | None:
        """The next to write, or None: nothing waits, or too many are unconfirmed. `written()` must follow."""
        with self._lock:
            if not self._waiting or (self._waiting[0].qos and len(self._unconfirmed) >= self._window):
                return None
            packet = self._waiting.popleft()
            self._waiting_bytes -= packet.size_bytes
            self._writing = True
            return packet

    def expect(self, packet_id: int, topic: str) -> None:
        """This packet was handed over with QoS 1 and waits for its confirmation."""
        with self._lock:
            self._unconfirmed[packet_id] = topic

    def is_awaited(self, packet_id: int) -> bool:
        """Whether this id waits for its confirmation, so that it must not be given to another packet."""
        return packet_id in self._unconfirmed

    def confirm(self, packet_id: int) -> str | None:
        """The broker confirmed a packet; its topic, or None if it is none of ours."""
        with self._lock:
            topic = self._unconfirmed.pop(packet_id, None)
            self._changed.notify_all()
            return topic

    def written(self, *, all_of_it: bool) -> None:
        """What was taken is with the kernel, or some of it still has to wait for room there."""
        with self._lock:
            if self._writing and all_of_it:
                self._changed.notify_all()
            self._writing = not all_of_it

    def lose(self) -> tuple[int, int]:
        """The connection is gone and all of this with it: how many were never written, and never confirmed."""
        with self._lock:
            lost = len(self._waiting), len(self._unconfirmed)
            self._lost += sum(lost) + self._writing
            self._waiting.clear()
            self._unconfirmed.clear()
            self._waiting_bytes = 0
            self._open = self._writing = False
            self._changed.notify_all()
            return lost

    def wait_settled(self, timeout_s: float) -> bool:
        """Wait until all is written and confirmed; False when time ran out or some of it was lost."""
        with self._changed:
            lost = self._lost
            self._changed.wait_for(lambda: self._settled() or self._lost != lost, timeout_s)
            return self._settled() and self._lost == lost

    def _settled(self) -> bool:
        return not (self._waiting or self._unconfirmed or self._writing)

    def _has_room(self, packet: Outgoing, share: int) -> bool:
        if not self._waiting:
            return True
        size_bytes = self._waiting_bytes + packet.size_bytes
        return len(self._waiting) < self._max_messages // share and size_bytes <= self._max_bytes // share
