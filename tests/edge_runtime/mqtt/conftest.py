"""Brokers and connections for the tests of this folder; every connection is stopped at the end of its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from tests.brokers import Inbox, broker, plain_mosquitto, private_mosquitto

__all__ = ["broker", "connect", "plain_mosquitto", "private_mosquitto"]

QUICK = (0.05, 0.2)  # backoff for tests
Connect = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Start a `Connection` (to an address, by id, with its keywords); waits until it is ready unless `wait=False`."""
    made: list[Connection] = []

    def start(address: BrokerAddress, client_id: str = "test", *, wait: bool = True, **keywords: Any) -> Connection:
        keywords.setdefault("on_message", Inbox())
        connection = Connection(address, client_id, **keywords)
        made.append(connection)
        connection.start()
        assert not wait or connection.wait_ready(5), connection.last_error
        return connection

    yield start
    for connection in made:
        connection.stop(timeout_s=0.5)
