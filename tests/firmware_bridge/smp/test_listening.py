from __future__ import annotations

import contextlib
import hashlib
import queue
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from firmware_bridge.errors import BadTarget, LinkLost
from firmware_bridge.link import Link, LinkAddress
from firmware_bridge.smp.limits import MOST_TCP_LINKS
from firmware_bridge.smp.listening import Listener, Ways
from firmware_bridge.smp.message import READ, WRITE, Message, read_message
from firmware_bridge.smp.stream import Deframer, framed
from tests.edge_runtime.bundle.signed import bundle_bytes
from tests.firmware_bridge.smp.hub_bench import HubBench, PtyLink, pty

ECHO = Message(WRITE, 0, 0, {"d": "hi"}, 9).to_bytes()
ECHOED = Message(WRITE, 0, 0, {"d": "hi"}, 9).answer({"r": "hi"}).to_bytes()
WAIT_S = 20.0


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path)


@pytest.fixture
def listener(bench: HubBench) -> Iterator[Listener]:
    made = Listener(bench.server, Ways(udp_port=0, tcp_port=0))
    made.start()
    yield made
    made.stop()


def udp(listener: Listener) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(WAIT_S)
    made.connect(("127.0.0.1", listener.udp_port))
    return made


def tcp(listener: Listener) -> socket.socket:
    return socket.create_connection(("127.0.0.1", listener.tcp_port), WAIT_S)


def answer_over(connected: socket.socket) -> bytes:
    deframer = Deframer()
    while True:
        data = connected.recv(65536)
        assert data, "the server has ended the connection"
        for _, message in deframer.feed(data):
            return message


def test_a_datagram_is_a_message_and_damaged_ones_get_no_answer(listener: Listener) -> None:
    with udp(listener) as client:
        for damaged in (b"", b"x", ECHO[:-1], ECHO + b"x"):
            client.send(damaged)
        client.send(ECHO)
        assert client.recv(65536) == ECHOED


def test_a_tcp_link_has_serial_framing(listener: Listener) -> None:
    with tcp(listener) as client:
        client.sendall(b"noise\n" + framed("cobs", ECHO))
        assert answer_over(client) == ECHOED


def test_links_are_served_at_once_and_each_has_its_own_upload(listener: Listener, bench: HubBench) -> None:
    images = [bundle_bytes(f"1.0.{index}", 1) for index in range(2)]
    with tcp(listener) as one, udp(listener) as two:

        def send(index: int, at: int) -> int:
            data = images[index]
            first = {"len": len(data), "sha": hashlib.sha256(data).digest()} if at == 0 else {}
            wire = Message(WRITE, 1, 1, {"off": at, "data": data[at : at + 3000], **first}, 1).to_bytes()
            if index:
                two.send(wire)
                said = two.recv(65536)
            else:
                one.sendall(framed("console", wire))
                said = answer_over(one)
            off = read_message(said).body["off"]
            assert isinstance(off, int)
            return off

        places = [0, 0]
        while any(place < len(data) for place, data in zip(places, images, strict=True)):
            for index in (0, 1):
                if places[index] < len(images[index]):
                    places[index] = send(index, places[index])
    waiting = bench.store.slots("tiny").waiting
    assert waiting is not None
    assert waiting.version == "1.0.1"


def test_more_tcp_links_than_there_is_room_for_are_turned_away(listener: Listener) -> None:
    with contextlib.ExitStack() as stack:
        links = [stack.enter_context(tcp(listener)) for _ in range(MOST_TCP_LINKS)]
        for link in links:
            link.sendall(framed("console", ECHO))
            assert answer_over(link) == ECHOED
        extra = stack.enter_context(tcp(listener))
        assert extra.recv(1) == b""


def test_a_link_that_ends_makes_room_for_another(listener: Listener) -> None:
    for _ in range(2 * MOST_TCP_LINKS):
        with tcp(listener) as link:
            link.sendall(framed("cobs", ECHO))
            assert answer_over(link) == ECHOED
            link.shutdown(socket.SHUT_WR)
            assert link.recv(1) == b"", "the server lets go of it, too"


def test_ports_listen_on_this_machine_only_unless_somebody_says_otherwise() -> None:
    assert Ways().host == "127.0.0.1"


def test_a_port_that_is_taken_is_an_error_that_names_it(bench: HubBench, listener: Listener) -> None:
    with pytest.raises(ConfigError, match=str(listener.tcp_port)):
        Listener(bench.server, Ways(udp_port=0, tcp_port=listener.tcp_port))
    with pytest.raises(ConfigError, match="cannot listen on"):
        Listener(bench.server, Ways("203.0.113.77", udp_port=0))


class PulledLink(PtyLink):
    """A port that a test can pull."""

    def __init__(self) -> None:
        super().__init__()
        self.pulled = False

    def read(self, timeout_s: float) -> bytes:
        if self.pulled:
            raise LinkLost("the plug was pulled")
        return super().read(timeout_s)


def test_a_device_that_was_pulled_is_served_again_when_it_is_back(bench: HubBench) -> None:
    opened: queue.SimpleQueue[PulledLink | None] = queue.SimpleQueue()
    plugged = [PulledLink(), None, PulledLink()]

    def open_device(address: LinkAddress) -> Link:
        link = plugged.pop(0) if plugged else None
        opened.put(link)
        if link is None:
            raise BadTarget("there is no such port")
        return link

    listener = Listener(bench.server, Ways(devices=(LinkAddress("serial", "/dev/x"),)), open_device)
    listener.start()
    try:
        for expected in (True, False, True):
            link = opened.get(timeout=WAIT_S)
            assert (link is not None) == expected
            if link is not None:
                assert asked_over(link) == ECHOED
                link.pulled = True
    finally:
        listener.stop()


def asked_over(link: PtyLink) -> bytes:
    with Path(link.path).open("r+b", buffering=0) as port:
        port.write(framed("console", ECHO))
        deframer = Deframer()
        while True:
            for _, message in deframer.feed(port.read(4096)):
                return message


def test_a_device_is_asked_for_its_speed_and_ports_are_not(bench: HubBench) -> None:
    hello = Message(READ, 0x4547, 0, {"baud": 921600}, 1).to_bytes()
    with pty() as link:
        address = LinkAddress("serial", link.path, baud=115200)
        listener = Listener(bench.server, Ways(devices=(address,)), lambda address: link)
        listener.start()
        with Path(link.path).open("r+b", buffering=0) as port:
            port.write(framed("console", hello))
            said, deframer = [], Deframer()
            while not said:
                said = deframer.feed(port.read(4096))
        listener.stop()
    assert read_message(said[0][1]).body["baud"] == 921600
    assert link.bauds[0] == 921600
