"""Rules beside a real service: a message of a sensor becomes an event, and nobody else can answer for the model."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from edge_runtime.config import LimitsConfig
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline
from edge_runtime.rules import runner as runner_module
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.runner import MOST_UNSENT, RuleRunner
from edge_runtime.service import Service
from tests.service_bench import WAIT_S

TOPICS = Topics("hub")


class House:
    """A service and a runner wired as in the daemon; `sent` holds what would reach the broker."""

    def __init__(self, models: dict[str, Pipeline], *rules: Rule) -> None:
        self.sent: queue.Queue[Message] = queue.Queue()
        self.now_s, self.online = 0.0, True
        self.service = Service(models, TOPICS, LimitsConfig(), self._publish)
        self.runner = RuleRunner(rules, TOPICS, self.service.receive, self._publish, lambda: self.now_s)
        self.service.start()

    def _publish(self, message: Message) -> bool:
        if self.runner.take_reply(message):
            return True
        if self.online:
            self.sent.put(message)
        return self.online

    def next(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.sent.get(timeout=WAIT_S).payload)
        return document


@pytest.fixture
def make_house() -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(models: dict[str, Pipeline], *rules: Rule) -> House:
        made.append(House(models, *rules))
        return made[-1]

    yield make
    for house in made:
        house.runner.stop()
        assert house.service.drain(WAIT_S)


def said(**keys: Any) -> Rule:
    return Rule(**{"name": "said", "topic": "door/+", "model": "tiny", "events": "each", **keys})


def test_a_sentence_becomes_an_event_by_way_of_the_model(make_house: Callable[..., House], pipeline: Pipeline) -> None:
    house = make_house({"tiny": pipeline}, said())
    assert house.runner.receive(Message("door/front", b"turn on the light"))
    event = house.next()
    (row,) = pipeline.vectors(["turn on the light"])
    assert event["label"] == pipeline.manifest.task.labels[int(row.argmax())]
    assert (event["rule"], event["model"], event["text"]) == ("said", "tiny", "turn on the light")
    assert house.sent.empty()  # neither the question nor its reply reached the broker


def test_what_no_rule_looks_at_is_left_to_others(make_house: Callable[..., House], pipeline: Pipeline) -> None:
    house = make_house({"tiny": pipeline}, said())
    assert not house.runner.receive(Message("garden/door", b"x"))
    assert not house.runner.take_reply(Message("edgert/v1/r/ann/phone", b"{}"))


def test_a_refusal_while_asking_neither_deadlocks_nor_makes_an_event(make_house: Callable[..., House]) -> None:
    house = make_house({}, said())
    for turn in range(3):
        house.runner.receive(Message(f"door/{turn}", b"open"))
        house.now_s += 2.0
        house.runner.tick()
    assert house.sent.empty()
    assert house.runner.rules.counted.failed >= 3


def test_a_stranger_who_names_the_reply_topic_of_rules_answers_nothing() -> None:
    asked, sent = list[Message](), list[Message]()

    def publish(message: Message) -> bool:
        sent.append(message)
        return True

    runner = RuleRunner([said()], TOPICS, asked.append, publish)
    runner.receive(Message("door/front", b"open"))
    (question,) = asked
    assert question.correlation is not None
    answer, ok = b'{"label": "yes", "score": 1.0}', (("status", "200"),)
    for correlation in (None, b"", question.correlation[16:], b"x" * 16 + question.correlation[16:]):
        assert runner.take_reply(Message(runner.reply_topic, answer, correlation=correlation, user=ok))
    assert sent == []
    runner.take_reply(Message(runner.reply_topic, answer, correlation=question.correlation, user=ok))
    assert len(sent) == 1


def test_events_wait_in_order_while_the_broker_is_away(make_house: Callable[..., House]) -> None:
    house = make_house({}, Rule(name="hot", topic="t", above=1.0))
    house.online = False
    for value in (b"2", b"0"):
        house.runner.receive(Message("t", value))
    house.online = True
    house.runner.tick()
    assert [house.next()["type"] for _ in range(2)] == ["start", "end"]
    house.online = False
    for turn in range(MOST_UNSENT * 2):
        house.runner.receive(Message("t", b"%d" % (turn % 2 * 2)))
    house.online = True
    house.runner.tick()
    assert house.sent.qsize() == MOST_UNSENT


def test_the_thread_lets_time_pass(monkeypatch: pytest.MonkeyPatch, make_house: Callable[..., House]) -> None:
    monkeypatch.setattr(runner_module, "TICK_S", 0.01)
    house = make_house({}, Rule(name="hot", topic="t", above=1.0, for_s=60.0))
    house.runner.start()
    house.runner.receive(Message("t", b"2"))
    house.now_s = 61.0
    assert house.next()["type"] == "start"


def test_the_reply_topic_is_one_that_the_service_takes() -> None:
    for topics in (TOPICS, Topics("hub", "home/ai"), Topics("hub", reply_prefixes=("answers/", "x/"))):
        runner = RuleRunner([], topics, lambda message: None, lambda message: True)
        assert topics.checked_reply_topic(runner.reply_topic) == runner.reply_topic
        assert runner.subscriptions == []
