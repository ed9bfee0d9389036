"""What a connection calls after it has read: once all that came together was handed over."""

from __future__ import annotations

import pytest

from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from tests.brokers import Inbox
from tests.edge_runtime.mqtt.conftest import Connect

pytestmark = pytest.mark.broker

ASKED, TOLD = "edgert/v1/asked", "edgert/v1/told"


def test_what_is_published_after_reading_goes_out_at_once(broker: RunningBroker, connect: Connect) -> None:
    told = Inbox()
    taken: list[bytes] = []
    made: list[Connection] = []

    def pass_on() -> None:
        while taken:
            made[0].publish(Message(TOLD, taken.pop(0)))

    connect(broker.address, "reader", subscriptions=[(TOLD, 0)], on_message=told)
    made.append(
        connect(
            broker.address,
            "passer",
            subscriptions=[(ASKED, 1)],
            on_message=lambda message: taken.append(message.payload),
            on_read=pass_on,
        )
    )
    asker = connect(broker.address, "asker")
    for number in range(50):
        asker.publish(Message(ASKED, b"%d" % number, qos=number % 2))
    assert [told.get().payload for _ in range(50)] == [b"%d" % number for number in range(50)]


def test_what_it_raises_is_counted_and_the_connection_stands(
    broker: RunningBroker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()

    def stumble() -> None:
        raise RuntimeError("boom")

    connection = connect(broker.address, subscriptions=[(ASKED, 1)], on_message=inbox, on_read=stumble)
    for _ in range(2):
        connection.publish(Message(ASKED, b"x", qos=1))
        assert inbox.get().payload == b"x"
    assert connection.flush(2)
    assert connection.ready
    assert connection.counters.callback_errors >= 2
    assert "boom" in caplog.text
