"""A connection against real brokers: both that `edgert up` can start, and Mosquitto with Debian's defaults."""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.mqtt import client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.link import Link
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.session import Session
from tests.brokers import Inbox, PlainMosquitto, wait_until
from tests.edge_runtime.mqtt.conftest import Connect

pytestmark = pytest.mark.broker

ROOT = "edgert/v1"
FULL = Message(
    f"{ROOT}/d/board/req/infer/m",
    b"\x00\xffpayload",
    qos=1,
    response_topic=f"{ROOT}/r/home/c",
    correlation=b"\x00\x01\xff",
    content_type="application/json",
    expiry_s=60,
    user=(("id", "1"), ("é", "ü"), ("id", "2"), ("", "")),
)


@pytest.fixture(params=["shortcuts", "stock paho"])
def link_class(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """With our ways through paho, and as with a version of it that we do not know."""
    client._link_class.cache_clear()
    if request.param == "stock paho":
        monkeypatch.setattr(client, "PAHO_VERSION", "2.99.0")
    yield request.param
    client._link_class.cache_clear()


@pytest.mark.parametrize("qos", [0, 1])
def test_every_property_arrives_as_it_was_sent(
    broker: RunningBroker, connect: Connect, link_class: str, qos: int
) -> None:
    inbox = Inbox()
    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    assert connection.publish(dataclasses.replace(FULL, qos=qos))
    arrived = inbox.get()
    assert (arrived.payload, arrived.topic, arrived.retain) == (FULL.payload, FULL.topic, False)
    assert arrived.user == FULL.user
    assert (arrived.response_topic, arrived.correlation, arrived.content_type) == (
        FULL.response_topic,
        FULL.correlation,
        FULL.content_type,
    )
    assert arrived.expiry_s in (59, 60)
    assert connection.flush(2)


def test_a_character_that_stock_paho_chokes_on_costs_no_connection(broker: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    connection.publish(Message(f"{ROOT}/x", b"", user=(("\ufeff", "byte order mark"),)))
    assert inbox.get().user == (("\ufeff", "byte order mark"),)


def test_the_shortcuts_fit_the_installed_paho() -> None:
    assert client.shortcuts_work()
    assert client._link_class() is client._FastLink


def test_a_shortcut_that_does_not_fit_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client._FastLink, "_packet_handle", lambda self: 0)
    assert not client.shortcuts_work()


def test_quality_0_and_1_keep_what_they_ask_for(private_mosquitto: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    connection = connect(private_mosquitto.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    for qos in (0, 1):
        connection.publish(Message(f"{ROOT}/x", b"", qos=qos))
        assert inbox.get().qos == qos


def test_a_retained_message_comes_with_its_flag(broker: RunningBroker, connect: Connect) -> None:
    first = connect(broker.address, "first")
    assert first.publish(Message(f"{ROOT}/kept", b"1", qos=1, retain=True))
    assert first.flush(2)
    inbox = Inbox()
    connect(broker.address, "second", subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    assert inbox.get() == Message(f"{ROOT}/kept", b"1", qos=1, retain=True)


def test_a_unix_socket_works_as_well(
    plain_mosquitto: PlainMosquitto, connect: Connect, link_class: str, tmp_path: Path
) -> None:
    plain_mosquitto.set(f"listener 0 {tmp_path / 'sock'}")
    plain_mosquitto.start()
    inbox = Inbox()
    address = BrokerAddress("unix", path=str(tmp_path / "sock"))
    connection = connect(address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    connection.publish(FULL)
    assert inbox.get().correlation == FULL.correlation


def test_a_message_of_four_megabytes_arrives(broker: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    payload = bytes(range(256)) * (4 << 12)
    assert connection.publish(Message(f"{ROOT}/big", payload, qos=1, correlation=b"c"))
    assert inbox.get().payload == payload


def test_a_burst_arrives_whole_and_in_order(broker: RunningBroker, connect: Connect) -> None:
    inbox, count = Inbox(), 2000
    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox, max_queued=count)
    for number in range(count):
        assert connection.publish(Message(f"{ROOT}/n", b"%d" % number, qos=1))
    assert [int(inbox.get().payload) for _ in range(count)] == list(range(count))
    assert connection.flush(2)
    assert (connection.counters.published, connection.counters.dropped) == (count, 0)


def test_many_threads_may_publish_at_once(private_mosquitto: RunningBroker, connect: Connect) -> None:
    inbox, each = Inbox(), 200
    connection = connect(private_mosquitto.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox, max_queued=5000)

    def publish(name: int) -> None:
        for number in range(each):
            assert connection.publish(Message(f"{ROOT}/{name}", b"%d" % number, qos=number % 2))

    threads = [threading.Thread(target=publish, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    arrived = [inbox.get() for _ in range(8 * each)]
    for thread in threads:
        thread.join()
    for name in range(8):
        numbers = [int(message.payload) for message in arrived if message.topic == f"{ROOT}/{name}"]
        assert sorted(numbers) == list(range(each))


def test_on_ready_runs_before_ready_and_may_publish_more_than_the_queue_holds(
    broker: RunningBroker, connect: Connect
) -> None:
    inbox, events = Inbox(), []

    def announce() -> None:
        events.append(connection.ready)
        events.extend(connection.publish(Message(f"{ROOT}/{number}", b"", qos=number % 2)) for number in range(40))

    connection = Connection(
        broker.address,
        "announcer",
        subscriptions=[(f"{ROOT}/#", 1)],
        on_message=inbox,
        on_ready=announce,
        max_queued=4,
    )
    connection.start()
    try:
        assert connection.wait_ready(5)
        assert events[0] is False
        topics = [inbox.get().topic for _ in range(sum(events[1:]))]
        assert topics == [f"{ROOT}/{number}" for number in range(40)]
    finally:
        connection.stop()


def test_what_a_callback_raises_is_counted_and_the_next_message_still_arrives(
    broker: RunningBroker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()

    def fragile(message: Message) -> None:
        if message.payload == b"bad":
            raise RuntimeError("boom")
        inbox(message)

    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=fragile)
    for payload in (b"bad", b"bad", b"good"):
        connection.publish(Message(f"{ROOT}/x", payload, qos=1))
    assert inbox.get().payload == b"good"
    assert (connection.counters.callback_errors, connection.alive, connection.ready) == (2, True, True)
    assert "boom" in caplog.text


def test_a_failing_on_ready_is_counted_and_the_connection_is_ready(broker: RunningBroker, connect: Connect) -> None:
    connection = connect(broker.address, on_ready=lambda: 1 / 0)
    assert connection.counters.callback_errors == 1


def test_the_process_is_told_when_the_network_thread_dies(private_mosquitto: RunningBroker, connect: Connect) -> None:
    told = threading.Event()

    def leave(_: Message) -> None:
        sys.exit(3)

    connection = connect(
        private_mosquitto.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=leave, on_fatal=told.set
    )
    connection.publish(Message(f"{ROOT}/x", b""))
    assert told.wait(5)
    assert not connection.ready
    assert not connection.publish(Message(f"{ROOT}/x", b""))


@pytest.mark.parametrize(
    "topic", ["#", "+", f"{ROOT}/+/x", f"{ROOT}/#", "", "a\0b", "\ud800", "x" * 65_536, "é" * 40_000]
)
def test_a_hostile_topic_is_dropped_and_costs_no_connection(
    private_mosquitto: RunningBroker, connect: Connect, topic: str
) -> None:
    inbox = Inbox()
    connection = connect(private_mosquitto.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    assert not connection.publish(Message(topic, b"x", qos=1))
    assert not connection.publish(Message(f"{ROOT}/x", b"x", content_type="a\0"))
    assert connection.publish(Message(f"{ROOT}/x", b"after"))
    assert inbox.get().payload == b"after"
    assert (connection.counters.dropped, connection.counters.reconnects) == (2, 0)


def test_the_broker_s_own_limits_are_kept(plain_mosquitto: PlainMosquitto, connect: Connect) -> None:
    plain_mosquitto.set("max_packet_size 2000", "max_qos 0", "retain_available false")
    plain_mosquitto.start()
    inbox = Inbox()
    connection = connect(plain_mosquitto.address, subscriptions=[("#", 1)], on_message=inbox)
    connection.publish(Message("big", bytes(3000)))
    connection.publish(Message("small", b"x", qos=1, retain=True))
    arrived = inbox.get()
    assert (arrived.topic, arrived.qos, arrived.retain) == ("small", 0, False)
    assert (connection.counters.dropped, connection.counters.reconnects) == (1, 0)


def test_the_answers_of_the_broker_to_our_messages_are_counted(
    private_mosquitto: RunningBroker, connect: Connect
) -> None:
    connection = connect(private_mosquitto.client_address)
    for topic in (f"{ROOT}/d/nobody/req/infer/m", f"{ROOT}/d/board/status"):
        connection.publish(Message(topic, b"", qos=1))
    assert connection.flush(2)
    assert (connection.counters.unmatched, connection.counters.refused) == (1, 1)


@pytest.mark.parametrize("qos", [0, 1])
def test_no_round_trip_waits_for_a_delayed_acknowledgement(
    plain_mosquitto: PlainMosquitto, connect: Connect, link_class: str, qos: int
) -> None:
    """Without `set_tcp_nodelay` in the broker; the plateau is 40 ms and more."""
    plain_mosquitto.start()
    median = round_trip_median_s(plain_mosquitto.address, connect, qos)
    assert median < 0.02


@pytest.mark.parametrize("qos", [0, 1])
def test_no_round_trip_waits_with_the_brokers_that_we_start(broker: RunningBroker, connect: Connect, qos: int) -> None:
    assert round_trip_median_s(broker.address, connect, qos) < 0.02


def round_trip_median_s(address: BrokerAddress, connect: Connect, qos: int, rounds: int = 50) -> float:
    """Seconds from request to reply between two connections."""
    inbox = Inbox()

    def answer(message: Message) -> None:
        assert message.response_topic is not None
        echo.publish(Message(message.response_topic, message.payload, qos=qos))

    echo = connect(address, "echo", subscriptions=[(f"{ROOT}/q/#", qos)], on_message=answer)
    asker = connect(address, "asker", subscriptions=[(f"{ROOT}/a/#", qos)], on_message=inbox)
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        asker.publish(Message(f"{ROOT}/q/x", b"x" * 64, qos=qos, response_topic=f"{ROOT}/a/1"))
        inbox.get()
        took.append(time.perf_counter() - begun)
    return statistics.median(took)


def test_a_clean_stop_says_the_farewell_and_not_the_will(broker: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    connect(broker.address, "watcher", subscriptions=[(f"{ROOT}/status", 1)], on_message=inbox)
    connection = connect(broker.address, "board", will=Message(f"{ROOT}/status", b"will", qos=1))
    begun = time.monotonic()
    connection.stop(farewell=[Message(f"{ROOT}/status", b"offline", qos=1)])
    assert time.monotonic() - begun < 2
    assert inbox.get().payload == b"offline"
    assert not connection.alive
    assert not connection.publish(Message(f"{ROOT}/x", b""))
    connect(broker.address, "last", on_ready=lambda: None).publish(Message(f"{ROOT}/status", b"marker", qos=1))
    assert inbox.get().payload == b"marker"


def test_the_will_is_published_when_the_process_is_killed(broker: RunningBroker, connect: Connect) -> None:
    source = f"""
import sys, threading
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
connection = Connection(
    BrokerAddress.parse(sys.stdin.readline().strip()), "board", on_message=print,
    will=Message("{ROOT}/status", b"offline", qos=1, retain=True),
)
connection.start()
assert connection.wait_ready(5)
print("ready", flush=True)
threading.Event().wait()
"""
    inbox = Inbox()
    connect(broker.address, "watcher", subscriptions=[(f"{ROOT}/status", 1)], on_message=inbox)
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as board:
        assert board.stdin is not None
        assert board.stdout is not None
        board.stdin.write(broker.address.url() + "\n")
        board.stdin.flush()
        assert board.stdout.readline() == "ready\n"
        board.kill()
    assert inbox.get().payload == b"offline"


def test_a_bug_below_costs_the_connection_and_not_the_publisher(broker: RunningBroker) -> None:
    class Fragile(Connection):
        def _make_link(self, session: Session) -> Link:
            link = super()._make_link(session)
            if not self.counters.published:
                self.counters.published = 1  # only the first link is broken
                link.send = lambda *_, **__: 1 // 0  # type: ignore[method-assign]
            return link

    connection = Fragile(broker.address, "fragile", on_message=Inbox(), backoff_s=(0.05, 0.1))
    connection.start()
    try:
        assert connection.wait_ready(5)
        connection.publish(Message(f"{ROOT}/x", b""))
        wait_until("the connection is made again", lambda: connection.counters.reconnects)
        assert connection.publish(Message(f"{ROOT}/x", b"", qos=1))
        assert connection.flush(2)
    finally:
        connection.stop()


def test_a_callback_may_stop_the_connection(broker: RunningBroker, connect: Connect) -> None:
    watched = Inbox()
    connect(broker.address, "watcher", subscriptions=[(f"{ROOT}/status", 1)], on_message=watched)
    farewell = [Message(f"{ROOT}/status", b"bye", qos=1)]
    connection: Connection = connect(
        broker.address,
        "board",
        subscriptions=[(f"{ROOT}/end", 1)],
        will=Message(f"{ROOT}/status", b"will"),
        on_message=lambda _: connection.stop(farewell),
    )
    connection.publish(Message(f"{ROOT}/end", b""))
    assert watched.get().payload == b"bye"
    wait_until("the thread ends", lambda: not connection.alive)
    assert watched.is_empty()


def test_stopping_before_anything_else_is_harmless(broker: RunningBroker) -> None:
    connection = Connection(broker.address, "idle", on_message=Inbox())
    connection.stop(farewell=[Message("x", b"")])
    assert connection.counters.dropped == 1
    with pytest.raises(ValueError, match="QoS"):
        Connection(broker.address, "idle", on_message=Inbox(), subscriptions=[("x", 2)])
