"""A connection that keeps a `TopState` up to date, for `edgert top` and `edgert status`."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import ROOT, Topics
from edge_runtime.watching.state import TopState

_QUIET_S = 0.2  # a broker sends retained messages in one go; after such a pause no more come ...
_RETAINED_S = 2.0  # ... but many devices may never pause


class Watch:
    """Listens to what all devices publish; a context manager.

    Args:
        broker: URL or address.
        root: first levels of all topics.
        timeout_s: for connecting.
        clock: monotonic seconds.

    Raises:
        BrokerUnreachable: no connection in time; says why.
    """

    def __init__(
        self,
        broker: str | BrokerAddress,
        *,
        root: str = ROOT,
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        address = BrokerAddress.parse(broker) if isinstance(broker, str) else broker
        everyone = Topics("+", root)
        self._clock, self._state = clock, TopState(root)
        self._changed = threading.Condition()
        self._connection = Connection(
            address,
            client_id=f"top-{secrets.token_hex(6)}",
            subscriptions=[(topic, 0) for topic in (everyone.status, everyone.info, everyone.load, everyone.stats)],
            on_message=self._receive,
        )
        self._connection.start_within(timeout_s)

    def settle(self, wait_s: float) -> None:
        """Wait until the retained documents are here, then up to `wait_s` seconds in all for everybody's `stats`."""
        now_s = self._clock()
        deadline_s, quiet_by_s = now_s + wait_s, now_s + max(wait_s, _RETAINED_S)
        with self._changed:
            while self._changed.wait(_QUIET_S) and self._clock() < quiet_by_s:
                pass
            while self._state.is_incomplete() and self._clock() < deadline_s:
                self._changed.wait(deadline_s - self._clock())

    def table(self, width: int) -> str:
        """`TopState.render`, and a line if the broker is away."""
        with self._changed:
            text = self._state.render(width, self._clock())
        away = "" if self._connection.ready else f"broker is away: {self._connection.last_error}"
        return f"{away[:width]}\n{text}" if away else text

    def document(self) -> dict[str, object]:
        """`TopState.document`."""
        with self._changed:
            return self._state.document(self._clock())

    def missing(self, device: str | None = None) -> list[str]:
        """Devices that are offline; of one device, whether it is, or has never been heard of."""
        with self._changed:
            if device is None:
                return self._state.offline()
            is_there = device in self._state.devices and device not in self._state.offline()
            return [] if is_there else [device]

    def _receive(self, message: Message) -> None:
        with self._changed:
            self._state.feed(message.topic, message.payload, self._clock())
            self._changed.notify_all()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.stop()
