"""Sending past paho's `publish`: the bytes, the packet ids and what the kernel has no room for."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from edge_runtime.mqtt import client
from edge_runtime.mqtt.address import BrokerAddress
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
