"""Many requests under way at once, for links on which waiting for each answer is what takes the time.

What is lost is told to whoever asked, at once and by itself: two answers to later requests, or time, are the signs. It
is not sent again here, so that it can be cut into other pieces first. Its answer still counts if it comes late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from firmware_bridge.errors import LinkLost, PeerRefused
from firmware_bridge.loopback import BITS_A_BYTE
from firmware_bridge.smp.client import Channel, answers, checked
from firmware_bridge.smp.message import Message

_LATER_ANSWERS = 2  # after which an earlier request is taken for lost; one may be a datagram that overtook
_LEAST_WAIT_S, _MOST_WAIT_S, _FIRST_WAIT_S = 0.4, 8.0, 1.0
_LOOK_S = 0.25


Key = TypeVar("Key")


@dataclass
class _Sent:
    request: Message
    key: Any
    size_bytes: int
    order: int
    sent_s: float
    due_s: float
    overtaken: int = 0


@dataclass(frozen=True)
class Asks(Generic[Key]):
    """Whoever has the requests.

    Attributes:
        next: the next request with a key of the asker's own, and None if there is none at the moment.
        answered: gets a key and what came; raises to end it all.
        lost: gets the key of a request to be asked again.
        refused: gets a key and why the board does not do it; raises to end it all, as it does if nothing else is said.
    """

    next: Callable[[], tuple[Key, Message] | None]
    answered: Callable[[Key, Mapping[str, object]], None]
    lost: Callable[[Key], None]
    refused: Callable[[Key, PeerRefused], None] = lambda key, error: _give_up(error)


class Window:
    """Keeps as many requests under way as both ends can take.

    Args:
        channel: of messages.
        most_requests, most_bytes: that may be under way.
        patience_s: how long nothing at all may come.
        baud: of the link, if it has one: nothing is lost before it can have arrived.
    """

    def __init__(
        self, channel: Channel, most_requests: int, most_bytes: int, *, patience_s: float = 10.0, baud: int = 0
    ) -> None:
        self._channel, self.most_requests, self.most_bytes = channel, most_requests, most_bytes
        self._patience_s, self._baud = patience_s, baud
        self._flight: dict[int, _Sent] = {}
        self._late: dict[int, _Sent] = {}
        self._order = 0
        self._round_s, self._spread_s, self._backoff = 0.0, 0.0, 1.0
        self._heard_s = time.monotonic()

    @property
    def under_way(self) -> int:
        """Requests that wait for an answer."""
        return len(self._flight)

    def run(self, asks: Asks[Any]) -> None:
        """Ask until there is nothing left to ask and to wait for.

        Raises:
            LinkLost: nothing came for `patience_s`, or the link is over.
            PeerRefused: a request is refused, and whoever asked makes nothing of it.
        """
        self._heard_s = time.monotonic()
        while True:
            sent = self._send_next(asks)
            if not self._flight:
                return
            for answer in self._channel.receive(0.0 if sent else self._wait_s()):
                self._take(answer, asks)
            self._drop_lost(asks)

    def _send_next(self, asks: Asks[Any]) -> bool:
        """Send one request, if there is one and room for it."""
        found = asks.next() if len(self._flight) < self.most_requests and self._room() else None
        if found is not None:
            self._send(*found)
        return found is not None

    def _room(self) -> bool:
        return not self._flight or sum(one.size_bytes for one in self._flight.values()) < self.most_bytes

    def _send(self, key: Any, request: Message) -> None:
        before = self._channel.counts.wire_bytes
        sequence = self._channel.send(request)
        size_bytes = self._channel.counts.wire_bytes - before
        self._late.pop(sequence, None)
        now_s = time.monotonic()
        due_s = now_s + self._limit_s(size_bytes)
        self._flight[sequence] = _Sent(request, key, size_bytes, self._order, now_s, due_s)
        self._order += 1

    def _limit_s(self, size_bytes: int) -> float:
        """How long an answer may take."""
        ahead_bytes = size_bytes + sum(one.size_bytes for one in self._flight.values())
        wire_s = ahead_bytes * BITS_A_BYTE / self._baud if self._baud else 0.0
        measured_s = self._round_s + 4 * self._spread_s if self._round_s else _FIRST_WAIT_S
        return max(_LEAST_WAIT_S, min(_MOST_WAIT_S, max(measured_s, 2 * wire_s + _LEAST_WAIT_S) * self._backoff))

    def _wait_s(self) -> float:
        first_s = min(one.due_s for one in self._flight.values())
        return max(0.0, min(_LOOK_S, first_s - time.monotonic()))

    def _take(self, answer: Message, asks: Asks[Any]) -> None:
        sent = self._flight.get(answer.sequence) or self._late.get(answer.sequence)
        if sent is None or not answers(answer, sent.request):
            return
        now_s = self._heard_s = time.monotonic()
        if self._flight.pop(answer.sequence, None) is not None:
            self._measure(now_s - sent.sent_s)
        self._late.pop(answer.sequence, None)
        for other in self._flight.values():
            other.overtaken += other.order < sent.order
        try:
            body = checked(answer)
        except PeerRefused as error:
            asks.refused(sent.key, error)
        else:
            asks.answered(sent.key, body)

    def _measure(self, round_s: float) -> None:
        """Smooth the time of a round as RFC 6298 does."""
        self._backoff = 1.0
        if not self._round_s:
            self._round_s, self._spread_s = round_s, round_s / 2
            return
        self._spread_s += (abs(self._round_s - round_s) - self._spread_s) / 4
        self._round_s += (round_s - self._round_s) / 8

    def _drop_lost(self, asks: Asks[Any]) -> None:
        now_s = time.monotonic()
        lost = [
            sequence for sequence, one in self._flight.items() if one.overtaken >= _LATER_ANSWERS or now_s >= one.due_s
        ]
        late = any(self._flight[sequence].overtaken < _LATER_ANSWERS for sequence in lost)
        if late:
            self._backoff = min(16.0, self._backoff * 2)
        for sequence in lost:
            one = self._late[sequence] = self._flight.pop(sequence)
            self._channel.counts.lost += 1
            asks.lost(one.key)
        if now_s - self._heard_s > self._patience_s:
            raise LinkLost(f"no answer from the board for {self._patience_s:g} s")


def _give_up(error: PeerRefused) -> None:
    raise error
