"""What a running daemon can be told: verbs, a config read again, a group, a stop; on a real broker."""

from __future__ import annotations

import json
import queue
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.config import Config
from edge_runtime.daemon import Daemon
from edge_runtime.errors import ConfigError
from edge_runtime.mqtt.broker import RunningBroker, mosquitto
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics, Verb
from edge_runtime.rules.rule import Rule
from tests import served, tiny
from tests.brokers import NEED_MOSQUITTO, PlainMosquitto

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE, group="kitchen")
WAIT_S = 15.0


class Operator:
    """A client with the rights of the daemon: sees every topic, asks anything."""

    def __init__(self, broker: RunningBroker) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        self.reply_topic = TOPICS.reply(broker.address.username or "anonymous", "operator")
        self._connection = Connection(
            broker.address,
            "operator",
            subscriptions=[(self.reply_topic, 1), (TOPICS.model("+"), 1), (TOPICS.info, 1)],
            on_message=self._receive,
        )
        self.documents: dict[str, Any] = {}
        self.changed: queue.Queue[str] = queue.Queue()
        self._connection.start()
        assert self._connection.wait_ready(WAIT_S)

    def _receive(self, message: Message) -> None:
        if message.topic == self.reply_topic:
            self.messages.put(message)
        else:
            self.documents[message.topic] = json.loads(message.payload) if message.payload else None
            self.changed.put(message.topic)

    def tell(self, verb: Verb, **body: object) -> tuple[int, dict[str, Any]]:
        return self.ask(TOPICS.control(verb), **body)

    def ask(self, topic: str, **body: object) -> tuple[int, dict[str, Any]]:
        self._connection.publish(
            Message(topic, json.dumps(body).encode(), qos=1, response_topic=self.reply_topic, correlation=b"c")
        )
        reply = self.messages.get(timeout=WAIT_S)
        assert reply.correlation == b"c"
        return int(dict(reply.user)["status"]), json.loads(reply.payload)

    def version_of(self, model: str) -> str | None:
        document = self.documents.get(TOPICS.model(model))
        return document["versions"][0] if document else None

    def wait_for_version(self, model: str, version: str | None) -> None:
        while self.version_of(model) != version:
            self.changed.get(timeout=WAIT_S)

    def close(self) -> None:
        self._connection.stop()


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    tiny.write_bundle(folder / "one", name="one")
    tiny.write_bundle(folder / "one-newer", name="one", version="2.0.0")
    tiny.write_bundle(folder / "two", name="two")
    return folder


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with served.broker("mosquitto") as running:
        yield running


@pytest.fixture
def operator(broker: RunningBroker) -> Iterator[Operator]:
    made = Operator(broker)
    yield made
    made.close()


def test_a_daemon_says_what_it_has_and_how_it_is(broker: RunningBroker, operator: Operator, bundles: Path) -> None:
    with served.daemon(broker.address, [bundles / "one", bundles / "two"]):
        served.wait_online(broker.client_address)
        status, body = operator.tell("list")
        assert status == 200
        assert [(model["name"], model["ready"]) for model in body["models"]] == [("one", True), ("two", True)]
        status, body = operator.tell("health")
        assert (status, body["live"], body["ready"]) == (200, True, True)
        assert operator.tell("cancel", id="nothing")[1]["was"] == "unknown"


def test_loading_over_mqtt_is_off_until_it_is_switched_on(
    broker: RunningBroker, operator: Operator, bundles: Path
) -> None:
    with served.daemon(broker.address, [bundles / "one"]):
        served.wait_online(broker.client_address)
        for verb, body in (("load", {"folder": str(bundles / "two")}), ("unload", {"model": "one"})):
            status, reply = operator.tell(verb, **body)  # type: ignore[arg-type]
            assert (status, reply["error"]["reason"]) == (403, "not_allowed")


def test_models_come_change_and_go_over_mqtt(broker: RunningBroker, operator: Operator, bundles: Path) -> None:
    settings = {"EDGERT_CONTROL_LOAD": "true", "EDGERT_CONTROL_FOLDERS": str(bundles)}
    with served.daemon(broker.address, [bundles / "one"], **settings):
        served.wait_online(broker.client_address)
        assert operator.tell("load", folder=str(bundles / "two"))[1] == {
            "model": "two",
            "version": "1.2.3",
            "replaced": None,
        }
        assert operator.tell("load", folder=str(bundles / "one-newer"))[1]["replaced"] == "1.2.3"
        operator.wait_for_version("one", "2.0.0")
        assert operator.ask(TOPICS.infer("one"), text="turn on")[1]["version"] == "2.0.0"
        assert operator.tell("unload", model="two") == (200, {"model": "two", "unloaded": True})
        operator.wait_for_version("two", None)
        assert operator.ask(TOPICS.infer("two"), text="turn on")[0] == 404
        assert operator.tell("load", folder="/etc")[0] == 400
        assert operator.tell("unload", model="two")[0] == 404


def test_sighup_exchanges_bundles_and_a_broken_one_changes_nothing(
    broker: RunningBroker, operator: Operator, bundles: Path, tmp_path: Path
) -> None:
    live = tmp_path / "live"
    shutil.copytree(bundles / "one", live)
    with served.daemon(broker.address, [live]) as process:
        served.wait_online(broker.client_address)
        operator.wait_for_version("one", "1.2.3")
        shutil.rmtree(live)
        shutil.copytree(bundles / "one-newer", live)
        process.send_signal(signal.SIGHUP)
        operator.wait_for_version("one", "2.0.0")
        (live / "model.onnx").write_bytes(b"broken")
        process.send_signal(signal.SIGHUP)
        assert operator.ask(TOPICS.infer("one"), text="turn on")[1]["version"] == "2.0.0"
        assert operator.tell("list")[1]["models"][0]["versions"] == ["2.0.0"]


def test_a_request_to_the_group_is_answered_by_name(broker: RunningBroker, operator: Operator, bundles: Path) -> None:
    with served.daemon(broker.address, [bundles / "one"], EDGERT_GROUP="kitchen"):
        served.wait_online(broker.client_address)
        status, body = operator.ask(TOPICS.group_infer("kitchen", "one"), text="turn on")
        assert (status, body["model"]) == (200, "one")
        assert operator.documents[TOPICS.info]["groups"] == ["kitchen"]


def test_home_assistant_finds_the_device_and_is_told_again_when_it_starts(bundles: Path, tmp_path: Path) -> None:
    if mosquitto.find() is None:
        pytest.skip(NEED_MOSQUITTO)
    told: queue.Queue[Message] = queue.Queue()
    broker = PlainMosquitto(tmp_path)
    broker.start()
    try:
        with served.daemon(broker.address, [bundles / "one"]):
            served.wait_online(broker.address)
            home = Connection(
                broker.address, "home", subscriptions=[("homeassistant/device/+/config", 1)], on_message=told.put
            )
            home.start()
            first = told.get(timeout=WAIT_S)
            assert first.retain
            components = json.loads(first.payload)["components"]
            assert {"queued", "one_ask", "one_answer"} <= set(components)
            home.publish(Message("homeassistant/status", b"online", qos=1))
            again = told.get(timeout=WAIT_S)
            assert (again.topic, again.payload, again.retain) == (first.topic, first.payload, False)
            home.stop()
    finally:
        broker.kill()


RULES = """
[[rules]]
name = "too-warm"
topic = "sensors/+/climate"
value = "temperature"
above = 26.0
hysteresis = 1.0

[[rules]]
name = "said"
topic = "door/words"
model = "one"
events = "each"
score = 0.01
"""


def test_rules_turn_what_sensors_say_into_events(bundles: Path, tmp_path: Path) -> None:
    if mosquitto.find() is None:
        pytest.skip(NEED_MOSQUITTO)
    (tmp_path / "edgert.toml").write_text(RULES)
    events: queue.Queue[Message] = queue.Queue()
    broker = PlainMosquitto(tmp_path)
    broker.start()
    try:
        with served.daemon(broker.address, [bundles / "one"], tmp_path / "edgert.toml"):
            served.wait_online(broker.address)
            house = Connection(broker.address, "house", subscriptions=[(TOPICS.event("+"), 1)], on_message=events.put)
            house.start()
            assert house.wait_ready(WAIT_S)
            for celsius in (20.0, 26.5, 25.5, 24.9):
                house.publish(Message("sensors/kitchen/climate", json.dumps({"temperature": celsius}).encode(), qos=1))
            told = [json.loads(events.get(timeout=WAIT_S).payload) for _ in range(2)]
            assert [(event["rule"], event["type"], event["value"]) for event in told] == [
                ("too-warm", "start", 26.5),
                ("too-warm", "end", 24.9),
            ]
            house.publish(Message("door/words", b"turn on the light", qos=1))
            event = json.loads(events.get(timeout=WAIT_S).payload)
            assert event["rule"] == "said"
            assert event["label"] in tiny.LABELS
            house.stop()
    finally:
        broker.kill()


def test_a_rule_cannot_look_at_a_model_that_reads_no_texts(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    from tests.tiny_pictures import write_classifier

    name = read_bundle(write_classifier(tmp_path / "colours")).name
    rule = Rule(name="seen", topic="door/picture", model=name, events="each")
    config = Config(device="hub", bundles=(str(tmp_path / "colours"),), rules=(rule,))
    with pytest.raises(ConfigError, match=f"model '{name}' gives no labels"):
        Daemon(config)
