"""Clients that write whatever bytes they like to the broker's port: duplicates and garbage, beside a real daemon."""

from __future__ import annotations

import contextlib
import json
import queue
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.client import Client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import Kind
from edge_runtime.mqtt.broker.probe import connect_packet
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.packet import Outgoing
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
WAIT_S = 15.0
CONNACK, PUBACK = 0x20, 0x40
DUP = 0x08  # of a packet's first byte, MQTT 5.0 section 3.3.1.1
GARBAGE_CONNECTIONS = 30


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@contextlib.contextmanager
def connected(address: BrokerAddress) -> Iterator[socket.socket]:
    """A bare socket whose CONNECT the broker has accepted."""
    with socket.create_connection((address.host, address.port), WAIT_S) as raw:
        raw.sendall(connect_packet(address))
        assert raw.recv(4096)[0] == CONNACK
        yield raw


def test_a_request_sent_again_with_the_dup_flag_is_run_once(bundle: Path, tmp_path: Path) -> None:
    audit, replies = tmp_path / "audit.jsonl", queue.Queue[Message]()
    with served.broker("mosquitto") as broker:
        address = broker.client_address
        topic = TOPICS.reply(address.username, "raw")
        asked = Message(TOPICS.infer("tiny"), b'{"text":"turn on"}', 1, False, topic, b"c", user=(("id", "same"),))
        packet = Outgoing.of(asked).encode(1, 7, retain=False)
        settings = {"EDGERT_AUDIT_FILE": str(audit)}
        with served.daemon(broker.address, [bundle], None, **settings):
            served.wait_online(address)
            listener = Connection(address, "listener", subscriptions=[(topic, 1)], on_message=replies.put)
            listener.start_within(5)
            for first_byte in (packet[0], packet[0] | DUP):  # the second on a connection of its own, as after a loss
                with connected(address) as raw:
                    raw.sendall(bytes([first_byte]) + packet[1:])
                    assert raw.recv(4096)[0] == PUBACK
            first, again = (replies.get(timeout=WAIT_S) for _ in range(2))
            listener.stop()
    assert dict(first.user)["status"] == "200"
    assert (first.payload, first.correlation) == (again.payload, again.correlation)
    rows = [json.loads(line) for line in audit.read_text(encoding="ascii").splitlines()]
    assert [row["id"] for row in rows] == ["same"]


def garbage(address: BrokerAddress, chance: random.Random) -> bytes:
    """Noise, noise after a CONNECT, or a packet of a known kind with noise in it."""
    noise = chance.randbytes(chance.randrange(1, 200))
    kind = chance.randrange(3)
    if kind == 0:
        return noise
    head = connect_packet(address)
    return head + (noise if kind == 1 else bytes([chance.choice((0x30, 0x32, 0x82)), len(noise) & 0x7F]) + noise)


@pytest.mark.parametrize("kind", ["mosquitto", "embedded"])
def test_garbage_at_the_broker_s_port_costs_nobody_an_answer(kind: Kind, bundle: Path) -> None:
    chance = random.Random(5)
    with served.broker(kind) as broker, served.daemon(broker.address, [bundle]) as process:
        served.wait_online(broker.client_address)
        with Client(broker.client_address, device=served.DEVICE) as client:
            for _ in range(GARBAGE_CONNECTIONS):
                address = broker.client_address
                with socket.create_connection((address.host, address.port), WAIT_S) as raw:
                    raw.sendall(garbage(address, chance))
                assert client.infer("tiny", "turn on the light", timeout_s=WAIT_S).body["label"] in tiny.LABELS
        assert process.poll() is None
