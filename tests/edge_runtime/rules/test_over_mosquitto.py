"""From a sensor to an event through a real broker, wired as the daemon is."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from edge_runtime.config import LimitsConfig
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.runner import RuleRunner
from edge_runtime.service import Service
from tests.brokers import Inbox, PlainMosquitto, wait_until

pytestmark = pytest.mark.broker

TOPICS = Topics("hub")
RULES = (
    Rule("warm", "home/+/climate", value="temperature", above=26.0, hysteresis=1.0, retain=True),
    Rule("said", "home/door/heard", model="tiny", events="each"),
)


class Hub:
    """A service and its rules on a broker."""

    def __init__(self, address: BrokerAddress, models: dict[str, Pipeline], client_id: str = "hub") -> None:
        self.service = Service(models, TOPICS, LimitsConfig(), self._publish)
        self.runner = RuleRunner(RULES, TOPICS, self.service.receive, self._publish)
        subscriptions = [(TOPICS.requests, 1), *((text, 1) for text in self.runner.subscriptions)]
        self.connection = Connection(address, client_id, on_message=self._receive, subscriptions=subscriptions)
        self.service.start()
        self.runner.start()
        self.connection.start()
        assert self.connection.wait_ready(5)

    def _publish(self, message: Message) -> bool:
        return self.runner.take_reply(message) or self.connection.publish(message)

    def _receive(self, message: Message) -> None:
        if not self.runner.receive(message):
            self.service.receive(message)

    def stop(self) -> None:
        self.runner.stop()
        assert self.service.drain(10.0)
        self.connection.stop(timeout_s=0.5)


@pytest.fixture
def hub(plain_mosquitto: PlainMosquitto, pipeline: Pipeline) -> Iterator[Hub]:
    plain_mosquitto.start()
    made = Hub(plain_mosquitto.address, {"tiny": pipeline})
    yield made
    made.stop()


class Panel:
    """Somebody in the house who hears everything that is published."""

    def __init__(self, address: BrokerAddress) -> None:
        self.inbox = Inbox()
        self.connection = Connection(address, "panel", on_message=self.inbox, subscriptions=[("#", 1)])
        self.connection.start()
        assert self.connection.wait_ready(5)

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        assert self.connection.publish(Message(topic, payload, qos=1, retain=retain))

    def event_after(self, topic: str, payload: bytes) -> Message:
        """What is heard next after a message of a sensor."""
        self.send(topic, payload)
        assert self.inbox.get().payload == payload
        return self.inbox.get()


@pytest.fixture
def panel(plain_mosquitto: PlainMosquitto, hub: Hub) -> Iterator[Panel]:
    made = Panel(plain_mosquitto.address)
    yield made
    made.connection.stop(timeout_s=0.5)


def test_sensors_become_events_and_no_question_is_seen_outside(panel: Panel) -> None:
    start = panel.event_after("home/bath/climate", b'{"temperature": 27}')
    assert (start.topic, json.loads(start.payload)["type"]) == (TOPICS.event("warm"), "start")
    match = panel.event_after("home/door/heard", b"turn on the light")
    assert (match.topic, json.loads(match.payload)["text"]) == (TOPICS.event("said"), "turn on the light")
    end = panel.event_after("home/bath/climate", b'{"temperature": 20}')
    assert json.loads(end.payload)["id"] == json.loads(start.payload)["id"]
    assert panel.inbox.is_empty()


def test_a_new_connection_hears_the_sensors_state_and_takes_no_old_news(
    hub: Hub, panel: Panel, plain_mosquitto: PlainMosquitto, pipeline: Pipeline
) -> None:
    panel.send("home/bath/climate", b'{"temperature": 27}', retain=True)
    panel.send("home/door/heard", b"turn on the light", retain=True)
    wait_until("a start and a match", lambda: hub.runner.rules.counted.events == 2)
    later = Hub(plain_mosquitto.address, {"tiny": pipeline}, client_id="later")
    panel.send("home/door/heard", b"turn off the light")
    wait_until("the state, and what is new", lambda: later.runner.rules.counted.events == 2)
    assert later.runner.rules.counted.asked == 1
    later.stop()
