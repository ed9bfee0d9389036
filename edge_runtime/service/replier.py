"""Outcomes to messages: who gets which, and what is counted."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_runtime.errors import BadRequest, Busy, EdgertError, ReaderGone
from edge_runtime.mqtt.contract import Address, encode_answer, encode_error
from edge_runtime.mqtt.message import Message
from edge_runtime.service.job import Job, Outcome

log = logging.getLogger("edgert.service")

_CHUNK_WITHIN_S, _CHUNK_PAUSE_S = 5.0, 0.002


@dataclass
class Counters:
    """What happened since the start; `refused` counts by error code."""

    received: int = 0
    answered: int = 0
    repeated: int = 0
    unsent: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)


class Replier:
    """Sends replies. Safe to use from any thread.

    Args:
        publish: sends a message; False when it could not be sent.
        publish_minor: the same for refusals of what never was in the queue, of which a flood makes many.
    """

    def __init__(self, publish: Callable[[Message], bool], publish_minor: Callable[[Message], bool]) -> None:
        self._publish, self._publish_minor = publish, publish_minor
        self.counters = Counters()

    def send(self, addresses: Sequence[Address], outcome: Outcome) -> None:
        """Send an outcome to everyone who waits for it."""
        for address in addresses:
            try:
                self._send(address, outcome)
            except Exception:  # without its workers the service would stand still
                self.counters.unsent += 1
                log.exception("a reply to %s failed", address.topic)

    def send_chunk(self, job: Job, chunk: Callable[[Address], Message]) -> None:
        """Send a piece of an answer to everyone who waits for it, as fast as the broker takes them.

        Raises:
            ReaderGone: the broker has taken none for seconds, and what is left of the answer is worth nothing.
        """
        for address in list(job.waiting):
            if not self._published(chunk(address), lambda: job.cancelled):
                self.counters.unsent += 1
                raise ReaderGone(f"the broker took no piece of the answer for {_CHUNK_WITHIN_S:g} s: it is ended")

    def refuse(
        self,
        address: Address | None,
        error: EdgertError,
        timing: Mapping[str, int] | None = None,
        *,
        minor: bool = False,
    ) -> None:
        """Send an error; without an address it is only counted."""
        self.counters.refused[error.code] += 1
        level = logging.DEBUG if isinstance(error, Busy | BadRequest) else logging.INFO
        about = {"request_id": address.id if address else None, "code": error.code, "status": error.status}
        log.log(level, "refused: %s", error, extra=about)
        publish = self._publish_minor if minor else self._publish
        if address is not None and not publish(encode_error(address, error, timing)):
            self.counters.unsent += 1

    def _send(self, address: Address, outcome: Outcome) -> None:
        if outcome.error is not None:
            self.refuse(address, outcome.error, outcome.timing)
            return
        message = encode_answer(address, outcome.body, outcome.timing, outcome.header_bytes)
        sent = self._published(message) if "last" in outcome.timing else self._publish(message)
        self.counters.answered += sent
        self.counters.unsent += not sent

    def _published(self, message: Message, given_up: Callable[[], bool] = lambda: False) -> bool:
        """Send a piece of a stream, and wait for room if there is none: without it the others are worth nothing."""
        until_s = time.monotonic() + _CHUNK_WITHIN_S
        while not self._publish(message):
            if given_up() or time.monotonic() > until_s:
                return False
            time.sleep(_CHUNK_PAUSE_S)
        return True
