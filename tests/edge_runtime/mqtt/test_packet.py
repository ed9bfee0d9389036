"""PUBLISH packets <-> messages: what may be sent, and what is made of what comes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.packet import MalformedPublish, Outgoing, check_topic, read_publish
from edge_runtime.mqtt.properties import PublishProperties, packed_text

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
TOPIC = st.text(st.characters(exclude_characters="\0#+", exclude_categories=["Cs"]), min_size=1, max_size=30)
MESSAGES = st.builds(
    Message,
    topic=TOPIC,
    payload=st.binary(max_size=100),
    qos=st.integers(0, 1),
    retain=st.booleans(),
    response_topic=st.none() | TEXT,
    correlation=st.none() | st.binary(max_size=70),
    content_type=st.none() | TEXT,
    expiry_s=st.none() | st.integers(0, 2**32 - 1),
    user=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
)


def publish(packet: Outgoing, packet_id: int) -> tuple[int, bytes]:
    """First byte and body of the PUBLISH that paho makes of it."""
    number = packet_id.to_bytes(2, "big") if packet.qos else b""
    return 0x30 | packet.qos << 1 | packet.retain, packed_text(packet.topic) + number + packet.pack() + packet.payload


@given(MESSAGES, st.integers(1, 65_535))
def test_a_message_survives_the_way_through_a_packet(message: Message, packet_id: int) -> None:
    first, body = publish(Outgoing.of(message), packet_id)
    for buffer in (body, bytearray(body)):
        assert read_publish(first, buffer) == (message, packet_id if message.qos else 0)


@given(MESSAGES)
def test_the_size_is_never_understated(message: Message) -> None:
    packet = Outgoing.of(message)
    fixed_header = 5  # at most
    assert packet.size_bytes >= len(publish(packet, 1)[1]) + fixed_header


@given(st.integers(0x30, 0x3F), st.binary(max_size=60))
def test_random_bodies_give_a_message_or_malformed(first: int, body: bytes) -> None:
    try:
        message, _ = read_publish(first, body)
    except MalformedPublish:
        return
    check_topic(message.topic)


@pytest.mark.parametrize(
    ("first", "body", "complaint", "packet_id"),
    [
        (0x30, b"", "cut off", 0),
        (0x30, b"\0", "cut off", 0),
        (0x30, b"\0\1", "cut off", 0),
        (0x32, b"\0\1t\0", "cut off", 0),
        (0x34, b"\0\1t\0\1\0", "QoS is 2", 0),
        (0x36, b"\0\1t\0\1\0", "QoS is 3", 0),
        (0x30, b"\0\0\0", "topic is empty", 0),
        (0x32, b"\0\1#\0\7\0", "wildcard", 7),
        (0x32, b"\0\3a/+\0\7\0", "wildcard", 7),
        (0x32, b"\0\1\0\0\7\0", "NUL", 7),
        (0x32, b"\0\2\xc3\x28\0\7\0", "codec can't decode", 7),
        (0x32, b"\0\1t\0\7\5\1\1", "only 2 are there", 7),
        (0x32, b"\0\1t\0\7\2\1\2", "must be 0 or 1", 7),
        (0x32, b"\0\1t\0\7\3\x23\0\1", "topic alias", 7),
    ],
)
def test_a_malformed_publish_says_why_and_what_to_confirm(
    first: int, body: bytes, complaint: str, packet_id: int
) -> None:
    with pytest.raises(MalformedPublish, match=complaint) as caught:
        read_publish(first, body)
    assert caught.value.packet_id == packet_id


@pytest.mark.parametrize(
    "topic", ["", "#", "+", "a/#", "a/+/b", "a+b", "\0", "a/\0", "\ud800", "a" * 65_536, "é" * 32_768]
)
def test_a_topic_that_no_broker_takes_is_refused(topic: str) -> None:
    with pytest.raises(ValueError):
        check_topic(topic)
    with pytest.raises(ValueError):
        Outgoing.of(Message(topic, b""))


@pytest.mark.parametrize("topic", ["a", "/", "a//b", " ", "$SYS/x", "\ufeff", "a" * 65_535, "é" * 32_767])
def test_every_other_topic_is_taken(topic: str) -> None:
    assert Outgoing.of(Message(topic, b"")).topic == topic


@pytest.mark.parametrize("qos", [-1, 2, 3])
def test_other_qualities_of_service_are_refused(qos: int) -> None:
    with pytest.raises(ValueError, match="QoS"):
        Outgoing.of(Message("a", b"", qos=qos))


def test_a_payload_of_many_megabytes_is_copied_once() -> None:
    import tracemalloc

    size = 8 << 20
    body = packed_text("t") + PublishProperties(correlation=b"c", user=(("a", "b"),) * 20).pack() + bytes(size)
    tracemalloc.start()
    try:
        message, _ = read_publish(0x30, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(message.payload) == size
    assert peak < size * 1.1
