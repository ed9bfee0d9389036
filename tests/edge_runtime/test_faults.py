"""Clients that do not read, floods, and requests from yesterday; on real brokers. docs/faults.md lists all faults."""

from __future__ import annotations

import contextlib
import json
import queue
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.client import Client
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny
from tests.brokers import resident_kb

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
WAIT_S = 15.0
MOST_GROWTH_KB = 20_000


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_bundle(tmp_path_factory.mktemp("bundles") / "one", name="one")


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with served.broker("mosquitto") as running:
        yield running


@contextlib.contextmanager
def connected(broker: RunningBroker, name: str, replies: queue.Queue[Message] | None = None) -> Iterator[Connection]:
    """A client with the daemon's rights; `replies` gets what comes to its reply topic."""
    reply_topic = TOPICS.reply(broker.address.username or "anonymous", name)
    connection = Connection(
        broker.address,
        name,
        subscriptions=[(reply_topic, 0)],
        on_message=(replies or queue.Queue[Message]()).put,
        max_queued=4096,
    )
    connection.start()
    assert connection.wait_ready(WAIT_S)
    yield connection
    connection.stop()


def question(name: str, broker: RunningBroker, text: str = "turn on the light", **user: str) -> Message:
    reply_topic = TOPICS.reply(broker.address.username or "anonymous", name)
    body = json.dumps({"text": text}).encode()
    return Message(TOPICS.infer("one"), body, response_topic=reply_topic, correlation=b"c", user=tuple(user.items()))


def test_a_requester_that_does_not_read_costs_no_memory_and_nobody_else_an_answer(
    broker: RunningBroker, bundle: Path
) -> None:
    with served.daemon(broker.address, [bundle]) as process:
        served.wait_online(broker.client_address)
        before = resident_kb(process.pid)
        held = queue.Queue[Message]()

        def stand_still(message: Message) -> None:
            held.put(message)
            time.sleep(3.0)  # its network thread: nothing of this connection is read meanwhile

        deaf = Connection(
            broker.address, "deaf", subscriptions=[(question("deaf", broker).response_topic or "", 0)],
            on_message=stand_still, max_queued=4096,
        )  # fmt: skip
        deaf.start()
        assert deaf.wait_ready(WAIT_S)
        for _ in range(3000):
            deaf.publish(question("deaf", broker))
        with Client(broker.client_address, device=served.DEVICE) as client:
            assert client.infer("one", "close the blind", timeout_s=WAIT_S).body["label"] in tiny.LABELS
        assert not held.empty()
        assert resident_kb(process.pid) - before < MOST_GROWTH_KB
        deaf.stop()


def test_after_a_flood_everybody_is_answered_at_once(broker: RunningBroker, bundle: Path) -> None:
    replies: queue.Queue[Message] = queue.Queue()
    with served.daemon(broker.address, [bundle]) as process, connected(broker, "flood", replies) as flood:
        served.wait_online(broker.client_address)
        before = resident_kb(process.pid)
        with Client(broker.client_address, device=served.DEVICE) as client:
            for _ in range(5):
                for _ in range(800):
                    flood.publish(question("flood", broker))
                assert client.infer("one", "close the blind", timeout_s=WAIT_S, tries=10).body["label"] in tiny.LABELS
            statuses = {dict(replies.get(timeout=WAIT_S).user)["status"] for _ in range(500)}
            assert statuses <= {"200", "429"}
            started = time.monotonic()
            client.infer("one", "open the blind", timeout_s=WAIT_S)
            assert time.monotonic() - started < 2.0
        assert resident_kb(process.pid) - before < MOST_GROWTH_KB


def test_a_request_from_before_the_daemon_started_is_not_run(broker: RunningBroker, bundle: Path) -> None:
    replies: queue.Queue[Message] = queue.Queue()
    with connected(broker, "early", replies) as early:
        with served.daemon(broker.address, [bundle]):
            served.wait_online(broker.client_address)
        early.publish(question("early", broker, "from yesterday"))  # the daemon is down, its session is gone
        assert early.flush(WAIT_S)
        with served.daemon(broker.address, [bundle]):
            served.wait_online(broker.client_address)
            early.publish(question("early", broker, "from today"))
            assert dict(replies.get(timeout=WAIT_S).user)["status"] == "200"
            with pytest.raises(queue.Empty):
                replies.get(timeout=0.3)
