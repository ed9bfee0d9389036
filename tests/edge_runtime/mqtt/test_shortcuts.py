"""Sending past paho's `publish`: the bytes, the packet ids and what the kernel has no room for."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest

from edge_runtime.mqtt import client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.link import NOT_MQTT
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.outbox import Outbox
from edge_runtime.mqtt.packet import Outgoing

FULL = Message("a/b", b"payload", response_topic="r", correlation=b"c", content_type="t", expiry_s=9)


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection whose near end never blocks."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.settimeout(5)
    with near, far:
        yield near, far


def link_on(near: socket.socket, kind: type[client._Link] = client._FastLink) -> client._Link:
    link = kind(BrokerAddress("unix", path="/"), "test")
    link.is_awaited = Outbox(1, 1).is_awaited  # type: ignore[attr-defined]
    link._sock = near
    return link


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize("qos", [0, 1])
def test_the_bytes_are_those_that_paho_itself_sends(
    wire: tuple[socket.socket, socket.socket], qos: int, retain: bool
) -> None:
    near, far = wire
    sent = []
    links = [link_on(near, kind) for kind in (client._FastLink, client._Link)]  # one that goes closes its socket
    for link in links:
        assert link.send(Outgoing.of(FULL), qos, retain=retain) == qos
        sent.append(far.recv(4096))
    assert sent[0] == sent[1]


@pytest.mark.parametrize("qos", [0, 1])
def test_what_the_kernel_has_no_room_for_is_parked_and_written_later(
    wire: tuple[socket.socket, socket.socket], qos: int
) -> None:
    near, far = wire
    link, large = link_on(near), Outgoing.of(Message("a", bytes(range(256)) * 8192))
    for packet in (large, Outgoing.of(FULL)):
        assert link.send(packet, qos, retain=False) is not None
    expected = large.encode(qos, 1, retain=False) + Outgoing.of(FULL).encode(qos, 2, retain=False)
    arrived = bytearray()
    assert link.want_write()
    while len(arrived) < len(expected):
        arrived += far.recv(65_536)
        assert link.loop_write() == 0
    assert bytes(arrived) == expected
    assert not link.want_write()


def test_an_id_that_still_waits_for_its_confirmation_is_not_given_again(
    wire: tuple[socket.socket, socket.socket],
) -> None:
    outbox, link = Outbox(1, 1), link_on(wire[0])
    outbox.open(window=8)
    link.is_awaited = outbox.is_awaited  # type: ignore[attr-defined]
    outbox.expect(65_535, "slow")
    outbox.expect(1, "slower")
    link._last_mid = 65_534  # as after so many messages
    assert link.send(Outgoing.of(FULL), 1, retain=False) == 2


def test_a_broken_connection_is_said_and_not_raised(wire: tuple[socket.socket, socket.socket]) -> None:
    near, far = wire
    link = link_on(near)
    far.close()
    assert link.send(Outgoing.of(FULL), 1, retain=False) is None
    assert link.socket() is None


def stream_of_packets() -> tuple[bytes, list[object]]:
    """Messages large and small, confirmations and a packet of another kind, as a broker sends them; what they say."""
    messages = [
        Message("a/b", b"x" * size, qos=qos, correlation=b"c") for size in (0, 1, 100, 20_000, 3) for qos in (0, 1)
    ]
    packets = [Outgoing.of(one).encode(one.qos, 7, retain=False) for one in messages]
    heard: list[object] = [*messages]
    for place, (packet, said) in enumerate(
        [(b"\x40\x02\0\x09", (9, 0)), (b"\xd0\0", None), (b"\x40\x03\0\x0a\x10", (10, 16))]
    ):
        packets.insert(3 * place + 1, packet)
        if said:
            heard.insert(3 * place + 1 - (place == 2), said)
    return b"".join(packets), heard


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 1000, 16_384, 100_000])
def test_however_the_bytes_arrive_the_same_is_heard(wire: tuple[socket.socket, socket.socket], cut: int) -> None:
    near, far = wire
    data, expected = stream_of_packets()
    link = link_on(near)
    heard: list[object] = []
    link.deliver = link.complain = heard.append  # type: ignore[attr-defined]
    link.confirm = lambda packet_id, code: heard.append((packet_id, code))  # type: ignore[attr-defined]
    for begin in range(0, len(data), cut):
        far.sendall(data[begin : begin + cut])
        while link.loop_read() == 0 and (link.has_unread() or readable(near)):
            pass
    assert heard == expected
    confirmed = 5 * b"\x40\x02\0\x07"
    assert far.recv(len(confirmed) + 1) == confirmed
    assert link.socket() is near


def readable(near: socket.socket) -> bool:
    return bool(select.select([near], [], [], 0)[0])


def test_the_end_of_the_connection_is_noticed(wire: tuple[socket.socket, socket.socket]) -> None:
    near, far = wire
    link = link_on(near)
    far.close()
    assert link.loop_read() != 0
    assert link.socket() is None


def test_a_confirmation_without_a_packet_id_is_no_mqtt(wire: tuple[socket.socket, socket.socket]) -> None:
    near, far = wire
    link = link_on(near)
    far.sendall(b"\x40\x01\0")
    assert link.loop_read() == NOT_MQTT


def test_a_message_of_claimed_size_is_refused_before_it_is_read(wire: tuple[socket.socket, socket.socket]) -> None:
    near, far = wire
    link = link_on(near)
    link.max_packet_bytes = 10
    far.sendall(Outgoing.of(Message("t", b"x" * 20)).encode(0, 0, retain=False))
    assert link.loop_read() != 0
    assert "told to send at most 10" in link.broken
