"""A cable between a daemon and its broker that is cut in silence: real processes in network namespaces."""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator

import pytest

from edge_runtime.client import Client
from edge_runtime.errors import RequestTimeout
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny
from tests.brokers import Inbox, resident_kb
from tests.cable import Net, Place
from tests.logged_daemon import LoggedDaemon

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
PANEL = TOPICS.reply("anonymous", "panel")
GROUP, KEEPALIVE_S = "kitchen", 4
NOTICED_S, NOTICED_IDLE_S = 4.0, 2.0 * KEEPALIVE_S + 2.0  # a second until it looks, before the ping and after it
BACK_S = 5.0  # a second between two tries, and a try whose first packets were lost
MOST_GROWTH_KB = 8_000
LOST, BACK = "trying again in", "connected to"
REQUESTS = 3000
TEXT = "turn on the light"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    net = Net(tmp_path_factory.mktemp("net"))
    yield net
    net.close()


@pytest.fixture(scope="module")
def hub(net: Net, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoggedDaemon]:
    bundle = tiny.write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    settings = {"EDGERT_GROUP": GROUP, "EDGERT_BROKER_KEEPALIVE_S": str(KEEPALIVE_S), "EDGERT_METRICS_STATS_S": "0"}
    with LoggedDaemon(net.board.enter, net.address, bundle, **settings) as daemon:
        served.wait_online(net.outside)
        yield daemon


@pytest.fixture
def client(net: Net, hub: LoggedDaemon) -> Iterator[Client]:
    with Client(net.outside, device=served.DEVICE) as client:
        assert client.wait_online(served.DEVICE, served.START_S)
        yield client


@pytest.fixture
def replies() -> queue.Queue[Message]:
    return queue.Queue()


@pytest.fixture
def panel(net: Net, hub: LoggedDaemon, replies: queue.Queue[Message]) -> Iterator[Connection]:
    """A client that sends as it likes; what it is answered is in `replies`."""
    connection = Connection(net.outside, "panel", subscriptions=[(PANEL, 1)], on_message=replies.put, max_queued=4096)
    connection.start_within(5)
    yield connection
    connection.stop()


def question(qos: int = 0, correlation: bytes = b"c", **user: str) -> Message:
    payload = json.dumps({"text": TEXT}).encode()
    topic = TOPICS.infer("tiny")
    return Message(topic, payload, qos, response_topic=PANEL, correlation=correlation, user=tuple(user.items()))


def keep_busy(panel: Connection, replies: queue.Queue[Message]) -> None:
    """Returns in the midst of it: the daemon has answered some requests and has many before it."""
    for _ in range(REQUESTS):
        assert panel.publish(question())
    for _ in range(20):
        replies.get(timeout=5)


def assert_back(hub: LoggedDaemon, lost_s: float) -> None:
    """The cable was mended just now; the daemon that lost its broker then finds it in time."""
    mended_s = time.monotonic()
    assert hub.wait_for_line(BACK, 30, after_s=lost_s) - mended_s < BACK_S


@pytest.mark.parametrize("place", ["board", "broker"])
def test_a_cut_under_load_is_noticed_in_four_seconds_and_costs_no_memory(
    net: Net, hub: LoggedDaemon, client: Client, panel: Connection, replies: queue.Queue[Message], place: Place
) -> None:
    expected = client.infer("tiny", TEXT).body
    before_kb = resident_kb(hub.pid)
    keep_busy(panel, replies)
    with net.cut(place) as cut_s:
        lost_s = hub.wait_for_line(LOST, 10, after_s=cut_s)
        assert lost_s - cut_s < NOTICED_S
        assert replies.qsize() < REQUESTS - 20, "it was not under load"
        assert resident_kb(hub.pid) - before_kb < MOST_GROWTH_KB
    assert_back(hub, lost_s)
    assert client.infer("tiny", TEXT).body == expected
    assert resident_kb(hub.pid) - before_kb < MOST_GROWTH_KB
    assert "the broker's machine does not answer any more" in hub.log
    assert "another client uses the id" not in hub.log


@pytest.mark.parametrize("place", ["board", "broker"])
def test_after_a_long_cut_that_an_idle_daemon_noticed_it_is_back_with_every_subscription(
    net: Net, hub: LoggedDaemon, client: Client, place: Place
) -> None:
    status, homes = Inbox(), Inbox()
    watcher = Connection(net.outside, "watcher", subscriptions=[(TOPICS.status, 1)], on_message=status)
    home = Connection(net.outside, "home", subscriptions=[("homeassistant/device/+/config", 1)], on_message=homes)
    for connection in (watcher, home):
        connection.start_within(5)
    assert status.get().payload == b"online"
    with net.cut(place) as cut_s:
        lost_s = hub.wait_for_line(LOST, 20, after_s=cut_s)
        assert lost_s - cut_s < NOTICED_IDLE_S
        assert status.get(timeout_s=10).payload == b"offline"
        hub.wait_for_line(LOST, 20, after_s=lost_s + 0.001)  # it has tried in vain
    assert_back(hub, lost_s)
    assert status.get().payload == b"online"
    assert client.infer("tiny", TEXT).device == served.DEVICE
    assert client.infer("tiny", TEXT, group=GROUP).device == served.DEVICE
    assert homes.get()
    while not homes.is_empty():  # the retained one, and that of the reconnecting
        homes.get()
    home.publish(Message("homeassistant/status", b"online", qos=1))
    assert b"edgert" in homes.get(timeout_s=10).payload
    for connection in (watcher, home):
        connection.stop()


def test_a_request_into_a_cut_is_not_answered_and_by_its_id_it_is_when_the_cable_is_whole(
    net: Net, hub: LoggedDaemon, client: Client, panel: Connection, replies: queue.Queue[Message]
) -> None:
    expected = client.infer("tiny", TEXT).body
    with net.cut("broker") as cut_s:
        assert panel.publish(question(qos=1, correlation=b"lost"))
        with pytest.raises(RequestTimeout):
            client.infer("tiny", TEXT, timeout_s=2, tries=2, request_id="mine")
        assert replies.empty()
        lost_s = hub.wait_for_line(LOST, 20, after_s=cut_s)
    assert_back(hub, lost_s)
    assert client.infer("tiny", TEXT, request_id="mine").body == expected
    assert panel.publish(question(qos=1, correlation=b"again"))
    assert replies.get(timeout=5).correlation == b"again"  # what the broker kept for the lost connection is not run
    assert replies.empty()
