"""What is lost in the middle of a stream, and what comes too late to be run; on a real Mosquitto."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.client import Chunk, Client
from edge_runtime.errors import StreamGap
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.contract import Address, encode_chunk, parse_request
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny
from tests.brokers import PlainMosquitto, wait_until

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
WAIT_S = 15.0
RECEIVE_MAXIMUM = 64  # so many QoS 1 messages the broker has sent ahead, and can take back no more
EXPIRY_S, REQUESTS = 1, 200


class StreamingDevice:
    """A device that streams as far as a test says."""

    def __init__(self, broker: PlainMosquitto) -> None:
        self._asked: queue.Queue[Address] = queue.Queue()
        self.connection = Connection(
            broker.address, "device", subscriptions=[(TOPICS.requests, 1)], on_message=self._take
        )
        self.connection.start_within(5)

    def _take(self, message: Message) -> None:
        if TOPICS.verb_of(message.topic) is None:
            self._asked.put(parse_request(message, TOPICS, 1 << 20).address)

    def asked(self) -> Address:
        """Where the answer to the next request goes."""
        return self._asked.get(timeout=WAIT_S)

    def say(self, address: Address, number: int, *, last: bool = False) -> None:
        """Send a piece."""
        assert self.connection.publish(encode_chunk(address, b'{"n":%d}' % number, number, last=last))


@pytest.fixture
def device(plain_mosquitto: PlainMosquitto) -> Iterator[StreamingDevice]:
    plain_mosquitto.start()
    made = StreamingDevice(plain_mosquitto)
    yield made
    made.connection.stop()


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_stream_whose_broker_is_killed_is_a_gap_and_never_a_shorter_answer(
    plain_mosquitto: PlainMosquitto, device: StreamingDevice, goes_on: bool
) -> None:
    heard: list[Chunk] = []
    caught: list[StreamGap] = []
    with Client(plain_mosquitto.address, device=served.DEVICE) as client:

        def read() -> None:
            try:
                for chunk in client.stream("m", {"text": "x"}, timeout_s=WAIT_S if goes_on else 3.0, tries=1):
                    heard.append(chunk)
            except StreamGap as gap:
                caught.append(gap)

        reader = threading.Thread(target=read)
        reader.start()
        address = device.asked()
        for number in range(2):
            device.say(address, number)
        wait_until("two pieces are read", lambda: len(heard) == 2)
        plain_mosquitto.kill()
        wait_until("the device notices", lambda: not device.connection.ready)
        if goes_on:
            plain_mosquitto.start()
            assert device.connection.wait_ready(WAIT_S)
            assert client._connection.wait_ready(WAIT_S)
            device.say(address, 3, last=True)  # 2 was lost
        reader.join(2 * WAIT_S)
        assert not reader.is_alive()
    assert [chunk.seq for chunk in heard] == [0, 1]
    assert ("piece 3 came, 2 was expected" if goes_on else "no more came") in str(caught[0])


def stands_still(pid: int) -> bool:
    """Whether every thread of a process has taken notice of SIGSTOP: until then requests are answered."""
    states = [file.read_text().rpartition(")")[2].split()[0] for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


def test_what_expired_while_the_daemon_stood_still_is_not_run(plain_mosquitto: PlainMosquitto, tmp_path: Path) -> None:
    plain_mosquitto.start()
    replies: queue.Queue[Message] = queue.Queue()
    topic = TOPICS.reply("anonymous", "panel")
    with contextlib.ExitStack() as stack:
        bundle = tiny.write_bundle(tmp_path / "bundle")
        process = stack.enter_context(served.daemon(plain_mosquitto.address, [bundle]))
        served.wait_online(plain_mosquitto.address)
        panel = Connection(plain_mosquitto.address, "panel", subscriptions=[(topic, 1)], on_message=replies.put)
        panel.start_within(5)
        stack.callback(panel.stop)

        def ask(correlation: bytes, expiry_s: int) -> None:
            payload = json.dumps({"text": "turn on the light"}).encode()
            assert panel.publish(
                Message(TOPICS.infer("tiny"), payload, 1, False, topic, correlation, expiry_s=expiry_s)
            )

        process.send_signal(signal.SIGSTOP)
        try:
            wait_until("it stands still", lambda: stands_still(process.pid))
            for _ in range(REQUESTS):
                ask(b"late", EXPIRY_S)
            assert panel.flush(WAIT_S)
            over_s = time.monotonic() + EXPIRY_S + 1.1  # brokers count whole seconds
            wait_until("they have expired", lambda: time.monotonic() > over_s)
        finally:
            process.send_signal(signal.SIGCONT)
        ask(b"now", 60)
        answered: list[bytes | None] = []
        while not answered or answered[-1] != b"now":
            answered.append(replies.get(timeout=WAIT_S).correlation)
    assert answered.count(b"late") <= RECEIVE_MAXIMUM
