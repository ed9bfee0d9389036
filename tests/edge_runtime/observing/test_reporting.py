"""When `load`, `stats` and signs of life go out."""

from __future__ import annotations

import json

import pytest

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.observing.metrics import Metrics, Moment
from edge_runtime.observing.reporting import Heartbeat, Reports
from edge_runtime.systemd.notifier import Notifier


class Desk:
    """What is published in `sent`; `up` says whether it can be."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.up, self.queued = True, 0

    def publish(self, message: Message) -> bool:
        self.sent += [message] if self.up else []
        return self.up

    def moment(self) -> Moment:
        return Moment(queued=self.queued, versions={"intents": "1"})

    def topics(self) -> list[str]:
        found = [message.topic.rpartition("/")[2] for message in self.sent]
        self.sent.clear()
        return found


@pytest.fixture
def desk() -> Desk:
    return Desk()


def reports(desk: Desk, stats_s: int = 10) -> Reports:
    return Reports(Topics("hub"), Metrics(lambda: 0.0), desk.moment, desk.publish, stats_s)


def test_load_is_retained_and_expires_and_stats_are_neither(desk: Desk) -> None:
    made = reports(desk)
    assert made.tick(0.0) is not None
    load, stats = desk.sent
    assert (load.topic, load.retain, load.qos, load.expiry_s) == ("edgert/v1/d/hub/load", True, 1, 30)
    assert (stats.topic, stats.retain, stats.qos, stats.expiry_s) == ("edgert/v1/d/hub/stats", False, 0, None)
    assert json.loads(load.payload)["models"] == ["intents"]
    assert json.loads(stats.payload)["device"] == "hub"


def test_a_quiet_daemon_says_stats_and_load_every_ten_seconds_and_a_change_of_load_at_once(desk: Desk) -> None:
    made = reports(desk)
    made.tick(0.0)
    desk.topics()
    for now_s in (0.5, 5.0, 9.9):
        made.tick(now_s)
    assert desk.topics() == []
    desk.queued = 7
    made.tick(9.95)
    assert desk.topics() == ["load"]
    made.tick(10.0)
    assert desk.topics() == ["stats"]
    made.tick(20.0)
    assert desk.topics() == ["load", "stats"]


def test_stats_can_be_switched_off(desk: Desk) -> None:
    made = reports(desk, stats_s=0)
    made.tick(0.0)
    assert desk.topics() == ["load"]


def test_what_could_not_be_sent_is_due_again_and_a_new_connection_gets_everything(desk: Desk) -> None:
    made = reports(desk)
    desk.up = False
    assert made.tick(0.0) is None
    desk.up = True
    made.tick(0.5)
    assert desk.topics() == ["load", "stats"]
    made.tick(1.0)
    assert desk.topics() == []
    made.connected()
    made.tick(1.1)
    assert desk.topics() == ["load", "stats"]


class Watched(Notifier):
    def __init__(self, every_s: float) -> None:
        super().__init__("", every_s * 2)
        self.beats = 0

    def watchdog(self) -> bool:
        self.beats += 1
        return True


def test_signs_of_life_stop_when_the_daemon_makes_no_progress() -> None:
    notifier, well = Watched(15.0), [True]
    heart = Heartbeat(notifier, lambda: well[0])
    for now_s in (0.0, 1.0, 14.9, 15.0):
        heart.tick(now_s)
    assert notifier.beats == 2
    well[0] = False
    heart.tick(100.0)
    assert notifier.beats == 2
    well[0] = True
    heart.tick(100.5)
    assert notifier.beats == 3


def test_no_signs_of_life_are_given_to_who_asks_for_none() -> None:
    notifier = Watched(0.0)
    Heartbeat(notifier, lambda: True).tick(0.0)
    assert notifier.beats == 0
