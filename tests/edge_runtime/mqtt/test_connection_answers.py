"""What a broker may answer that it should not, from a far end that sends given bytes."""

from __future__ import annotations

import re
import time

import pytest

from edge_runtime.mqtt import session
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from tests.brokers import Inbox, resident_kb, wait_until
from tests.edge_runtime.mqtt.conftest import QUICK, Connect
from tests.edge_runtime.mqtt.fake_broker import CONNACK, SUBACK, FakeBroker


def problem_of(connection: Connection) -> str:
    """Why it could not connect."""
    wait_until("a reason is given", lambda: connection.last_error)
    return str(connection.last_error)


@pytest.mark.parametrize(
    ("connack", "complaint"),
    [
        (b"\x20\x02\x00\x01", "does not speak MQTT 5"),
        (b"\x20\x02\x00\x00", "does not speak MQTT 5"),
        (b"\x20\x03\x00\x84\x00", "does not speak MQTT 5"),
        (b"\x20\x02\x00\x04", "wrong user name or password"),
        (b"\x20\x02\x00\x05", "may not connect"),
        (b"\x20\x02\x00\x63", "unspecified error"),
        (b"\x20\x03\x00\x86\x00", "wrong user name or password (0x86)"),
        (b"\x20\x03\x00\x87\x00", "may not connect (0x87)"),
        (b"\x20\x03\x00\x88\x00", "server unavailable (0x88)"),
        (b"\x20\x03\x00\xff\x00", "unknown reason (0xFF)"),
        (b"\x20\x03\x00\x01\x00", "unknown reason (0x01)"),
        (b"\x20\x00", "cannot be read"),
        (b"\x20\x01\x00", "cannot be read"),
        (b"\x20\x04\x00\x00\x05\x21", "cannot be read"),
        (b"\xff\xff\xff\xff\xff\xff", "cannot be read"),
        (None, "without an answer: wrong user, password or certificate, a TLS port"),
        (CONNACK + CONNACK, "accepted the connection twice"),
    ],
)
def test_a_bad_answer_to_connect_is_named_and_the_thread_lives(
    connect: Connect, connack: bytes | None, complaint: str
) -> None:
    with FakeBroker(connack) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1)])
        assert complaint in problem_of(connection)
        assert (connection.alive, connection.ready) == (True, False)


@pytest.mark.parametrize(
    ("suback", "complaint"),
    [
        (b"\x90\x04\x00\x01\x00\x87", "refused the subscription x: not authorized"),
        (b"\x90\x04\x00\x01\x00\x9e", "no shared subscriptions, which a group needs"),
        (b"\x90\x03\x00\x01\x00", "no answer to subscribing"),
        (b"\x90\x04\x00\x01\x00\x63", "cannot be read"),
    ],
)
def test_a_subscription_that_is_not_granted_is_named_and_never_ready(
    connect: Connect, suback: bytes, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.mqtt.session.READY_WITHIN_S", 0.5)
    with FakeBroker(CONNACK, suback) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1)])
        assert complaint in problem_of(connection)
        assert not connection.ready


def test_an_optional_subscription_that_is_refused_is_told_and_done_without(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeBroker(CONNACK, b"\x90\x05\x00\x01\x00\x01\x87") as fake:
        connection = connect(fake.address, subscriptions=[("x", 1), ("y", 1)], optional=["y"])
        assert connection.ready
    assert "refused the subscription y: not authorized" in caplog.text


def test_the_others_are_still_needed_beside_an_optional_one(connect: Connect) -> None:
    with FakeBroker(CONNACK, b"\x90\x05\x00\x01\x00\x87\x01") as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1), ("y", 1)], optional=["y"])
        assert "refused the subscription x" in problem_of(connection)


def test_a_filter_that_is_none_is_named(connect: Connect) -> None:
    with FakeBroker(CONNACK) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("a/#/b", 1)])
        assert "cannot subscribe" in problem_of(connection)


def test_a_broker_without_shared_subscriptions_is_named(connect: Connect) -> None:
    with FakeBroker(b"\x20\x05\x00\x00\x02\x2a\x00") as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("$share/g/x", 1)])
        assert re.search(r"no shared subscriptions.*RabbitMQ.*Mosquitto", problem_of(connection))


@pytest.mark.parametrize("answers", [(), (b"\x00",), (b"HTTP/1.1 400 Bad Request\r\n\r\n",)])
def test_a_broker_that_never_answers_in_full_is_left(
    connect: Connect, answers: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.mqtt.session.READY_WITHIN_S", 0.5)
    with FakeBroker(*answers) as fake:
        connection = connect(fake.address, wait=False)
        assert "no answer to connecting" in problem_of(connection)


def test_connect_asks_for_a_clean_start_and_says_our_limits(connect: Connect) -> None:
    with FakeBroker(CONNACK, SUBACK) as fake:
        connection = connect(
            fake.address, "board", subscriptions=[("x", 1)], max_packet_bytes=0x1234, receive_maximum=9
        )
        connection.stop()
        assert fake.closed_by_client.wait(5)
        wait_until("it is noted", lambda: fake.heard)
        heard = fake.heard[0]
    assert heard[2:10] == b"\x00\x04MQTT\x05\x02"  # version 5, clean start, no will, no login
    properties = heard[13 : 13 + heard[12]]
    assert b"\x11\x00\x00\x00\x00" in properties  # session expiry 0
    assert b"\x21\x00\x09" in properties  # receive maximum
    assert b"\x27\x00\x00\x12\x34" in properties  # maximum packet size
    assert b"\x00\x05board" in heard
    assert heard.endswith(b"\xe0\x00")  # DISCONNECT, reason 0x00


@pytest.mark.parametrize("length", [b"\xff\xff\xff\x7f", b"\x80\xad\xe2\x04"])
def test_a_claim_of_hundreds_of_megabytes_is_refused_before_anything_is_read(connect: Connect, length: bytes) -> None:
    before_kb = resident_kb()
    with FakeBroker(CONNACK, b"\x30" + length + bytes(100_000)) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1)])
        assert "it was told to send at most" in problem_of(connection)
    assert resident_kb() - before_kb < 4_000


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01t\x00\x07\x05\x01",  # properties longer than the packet
        b"\x00\x01t\x00\x07\x04\x01\x00\x01\x00",  # a property twice
        b"\x00\x02\xc3\x28\x00\x07\x00",  # topic is not UTF-8
        b"\x00\x01#\x00\x07\x00",  # wildcard in a topic
        b"\x00\x01t\x00\x07\x03\x23\x00\x01",  # topic alias
    ],
)
def test_a_message_that_cannot_be_read_is_confirmed_and_skipped(connect: Connect, body: bytes) -> None:
    inbox = Inbox()
    bad = bytes([0x32, len(body)]) + body
    good = b"\x30\x06\x00\x01t\x00ok"
    with FakeBroker(CONNACK, SUBACK + bad + good) as fake:
        connection = connect(fake.address, subscriptions=[("t", 1)], on_message=inbox)
        assert inbox.get() == Message("t", b"ok")
        assert (connection.counters.malformed, connection.counters.received, connection.ready) == (1, 1, True)
        connection.stop()
        wait_until("it is noted", lambda: fake.heard)
        assert b"\x40\x02\x00\x07" in fake.heard[0]  # PUBACK of packet 7


def test_a_disconnect_with_its_reason_is_named(connect: Connect) -> None:
    with FakeBroker(CONNACK + b"\xe0\x02\x8b\x00", None) as fake:
        connection = connect(fake.address, wait=False)
        assert "server shutting down (0x8B)" in problem_of(connection)
        assert connection.counters.takeovers == 0


def test_a_session_that_was_taken_over_is_named(connect: Connect) -> None:
    with FakeBroker(CONNACK + b"\xe0\x02\x8e\x00", None) as fake:
        connection = connect(fake.address, "board", wait=False)
        assert "another client uses the id 'board'" in problem_of(connection)
        assert connection.counters.takeovers == 1


def test_a_broker_that_closes_every_connection_is_not_asked_in_a_loop(connect: Connect) -> None:
    with FakeBroker(CONNACK, None) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1)])
        problem_of(connection)
        time.sleep(1.0)
        asked = [heard for heard in fake.heard if heard]  # not the bare looks whether the broker still listens
        assert 1 <= len(asked) <= 3


def test_a_close_is_not_taken_for_a_missing_ping(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TICK_S", 0.0)  # else only a close in the very turn of a tick would be
    with FakeBroker(CONNACK, None) as fake:
        connection = connect(fake.address, wait=False, subscriptions=[("x", 1)])
        assert "the broker closed the connection" in problem_of(connection)


def test_cut_anywhere_and_sent_byte_by_byte_the_packets_are_the_same(connect: Connect) -> None:
    inbox = Inbox()
    with FakeBroker(CONNACK, SUBACK, *(bytes([byte]) for byte in b"\x32\x08\x00\x01t\x00\x07\x00ok")) as fake:
        connection = connect(fake.address, subscriptions=[("t", 1)], on_message=inbox, backoff_s=QUICK)
        for _ in range(10):  # each makes the far end send one byte more
            connection.publish(Message("nudge", b""))
            time.sleep(0.01)
        assert inbox.get() == Message("t", b"ok", qos=1)
        connection.stop()
