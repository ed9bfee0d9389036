"""Messages become events: with thresholds at once, with a model by way of questions, bounded whatever comes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import ConfigError
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.rules.engine import ANSWER_S, MOST_TOPICS, RETRY_S, TRIES, Ask, Due, Rules
from edge_runtime.rules.rule import Rule

START_S = 1_790_000_000.0


class Wall:
    """The time of day, told to go on."""

    now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def rules_of(*rules: Rule, wall: Wall | None = None) -> Rules:
    return Rules(rules, Topics("hub"), wall or Wall())


def hot(**keys: Any) -> Rule:
    return Rule(**{"name": "hot", "topic": "home/+/t", "value": "c", "above": 28.0, **keys})


def said(**keys: Any) -> Rule:
    return Rule(**{"name": "said", "topic": "door/+", "model": "intents", "labels": ("open",), "score": 0.5, **keys})


def put(rules: Rules, payload: object, now_s: float = 0.0, topic: str = "home/bath/t", **more: bool) -> Due:
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return rules.on_message(topic, data, now_s, **more)


def documents(due: Due) -> list[dict[str, Any]]:
    return [json.loads(message.payload) for message in due.messages]


OPEN, OTHER = {"label": "open", "score": 0.9}, {"label": "close", "score": 0.9}


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_a_threshold_starts_and_ends_an_event_with_one_id() -> None:
    wall = Wall()
    rules = rules_of(hot(hysteresis=1.0), wall=wall)
    (start,) = put(rules, {"c": 28.5}).messages
    assert (start.topic, start.qos, start.retain) == ("edgert/v1/d/hub/event/hot", 1, False)
    assert start.content_type == "application/json"
    assert json.loads(start.payload) == {
        "rule": "hot",
        "type": "start",
        "id": "hot-1790000000000",
        "device": "hub",
        "topic": "home/bath/t",
        "value": 28.5,
        "at": "2026-09-21T14:13:20.000Z",
    }
    wall.now_s += 90.5
    assert put(rules, {"c": 27.5}, 60.0).messages == []
    (end,) = documents(put(rules, {"c": 26}, 90.5))
    assert (end["type"], end["id"], end["value"], end["lasted_s"]) == ("end", "hot-1790000000000", 26, 90.5)


def test_each_topic_has_its_own_state() -> None:
    rules = rules_of(hot())
    assert len(put(rules, {"c": 30}, topic="home/bath/t").messages) == 1
    assert put(rules, {"c": 20}, topic="home/hall/t").messages == []
    (start,) = documents(put(rules, {"c": 31}, topic="home/hall/t"))
    assert start["topic"] == "home/hall/t"
    assert put(rules, {"c": 30}, topic="garden/t").messages == []


def test_time_alone_starts_what_held_long_enough() -> None:
    rules = rules_of(hot(for_s=60.0))
    assert put(rules, {"c": 30}, 0.0).messages == []
    assert rules.on_tick(59.0).messages == []
    (start,) = documents(rules.on_tick(60.0))
    assert (start["type"], start["value"]) == ("start", 30)
    assert rules.on_tick(61.0).messages == []


def test_of_samples_that_come_too_fast_the_latest_counts() -> None:
    rules = rules_of(hot(every_s=10.0))
    assert put(rules, {"c": 20}, 0.0).messages == []
    assert put(rules, {"c": 35}, 1.0).messages == []
    assert put(rules, {"c": 30}, 2.0).messages == []
    assert rules.on_tick(9.0).messages == []
    (start,) = documents(rules.on_tick(10.0))
    assert start["value"] == 30


def test_one_message_may_concern_several_rules() -> None:
    rules = rules_of(hot(), hot(name="bath", topic="home/bath/#", above=10.0), hot(name="other", topic="x"))
    assert [document["rule"] for document in documents(put(rules, {"c": 30}))] == ["hot", "bath"]
    assert rules.subscriptions == ["home/+/t", "home/bath/#", "x"]


def test_what_cannot_be_read_or_judged_is_counted_and_changes_nothing() -> None:
    rules = rules_of(hot(hysteresis=5.0))
    put(rules, {"c": 30})
    for payload in (b"\xff", {"d": 1}, {"c": "offline"}, {"c": None}, {"c": [1]}):
        assert put(rules, payload) == Due()
    assert (rules.counted.samples, rules.counted.skipped, rules.counted.events) == (6, 5, 1)
    assert put(rules, {"c": 24}).messages == []  # still on: 23 would be the end


def test_retained_messages_are_a_state_but_no_news() -> None:
    rules = rules_of(hot(), hot(name="each", events="each"))
    assert [document["rule"] for document in documents(put(rules, {"c": 30}, retained=True))] == ["hot"]


def test_own_topic_payloads_retain_and_qos() -> None:
    rules = rules_of(
        hot(publish="home/alarm", payload="ON", end_payload="OFF {value} {{ok}} {label}", retain=True, qos=0)
    )
    assert put(rules, {"c": 30}).messages == [Message("home/alarm", b"ON", qos=0, retain=True)]
    assert put(rules, {"c": 3}).messages == [Message("home/alarm", b"OFF 3 {ok} ", qos=0, retain=True)]


def test_with_a_payload_of_its_own_alone_ends_are_silent() -> None:
    rules = rules_of(hot(payload="done"))
    assert [message.payload for message in put(rules, {"c": 30}).messages] == [b"done"]
    assert put(rules, {"c": 3}).messages == []
    assert [message.payload for message in put(rules, {"c": 30}).messages] == [b"done"]


def test_only_starts_are_told_if_asked_for() -> None:
    rules = rules_of(hot(events="start"))
    told = [documents(put(rules, {"c": value})) for value in (30, 3, 30)]
    assert [[document["type"] for document in due] for due in told] == [["start"], [], ["start"]]


def test_a_retained_state_of_an_earlier_run_is_ended_without_a_length() -> None:
    (end,) = documents(put(rules_of(hot(retain=True)), {"c": 3}))
    assert end["type"] == "end"
    assert "lasted_s" not in end


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_message_is_asked_about_and_the_answer_makes_the_event() -> None:
    rules = rules_of(said(value="heard", text="at {topic}: {value}", events="each"))
    due = put(rules, {"heard": "open up"}, topic="door/front")
    assert due == Due([Ask("said", "intents", "at door/front: open up", 1)], [])
    (match,) = documents(rules.on_answer(due.asks[0], OPEN, 0.1))
    assert (match["type"], match["model"], match["label"], match["score"]) == ("match", "intents", "open", 0.9)
    assert (match["value"], match["text"]) == ("open up", "at door/front: open up")


def test_an_answer_that_does_not_fulfil_the_rule_makes_none() -> None:
    rules = rules_of(said(events="each"))
    for answer in (OTHER, {"label": "open", "score": 0.4}):
        (ask,) = put(rules, b"x", topic="door/front").asks
        assert rules.on_answer(ask, answer, 0.1) == Due()


def test_one_question_at_a_time_and_of_each_topic_the_latest_message_waits() -> None:
    rules = rules_of(said())
    (first,) = put(rules, b"1", topic="door/a").asks
    for topic, payload in (("door/b", b"2"), ("door/a", b"3"), ("door/a", b"4")):
        assert put(rules, payload, topic=topic).asks == []
    (second,) = rules.on_answer(first, OTHER, 1.0).asks
    (third,) = rules.on_answer(second, OTHER, 2.0).asks
    assert (second.text, third.text) == ("2", "4")
    assert rules.on_answer(third, OTHER, 3.0) == Due()


def test_questions_about_a_topic_keep_their_distance() -> None:
    rules = rules_of(said(every_s=5.0))
    (first,) = put(rules, b"1", 0.0, "door/a").asks
    rules.on_answer(first, OTHER, 0.1)
    assert put(rules, b"2", 1.0, "door/a").asks == []
    assert [ask.text for ask in put(rules, b"3", 2.0, "door/b").asks] == ["3"]
    assert rules.on_tick(4.9).asks == []
    assert rules.under_way(2) is not None
    rules.on_answer(Ask("said", "intents", "3", 2), OTHER, 3.0)
    assert [ask.text for ask in rules.on_tick(5.0).asks] == ["2"]


def test_a_refused_question_is_asked_again_after_a_while_and_not_for_ever() -> None:
    rules, now_s = rules_of(said()), 0.0
    (ask,) = put(rules, b"open", now_s, "door/a").asks
    for _ in range(TRIES - 1):
        assert rules.on_answer(ask, None, now_s) == Due()
        assert rules.on_tick(now_s + RETRY_S / 2).asks == []
        now_s += RETRY_S
        (again,) = rules.on_tick(now_s).asks
        assert (again.text, again.number) == ("open", ask.number + 1)
        ask = again
    assert rules.on_answer(ask, {"error": {}}, now_s) == Due()
    assert rules.on_tick(now_s + 99).asks == []
    assert rules.counted.failed == TRIES


def test_a_newer_message_is_asked_about_instead_of_one_that_failed() -> None:
    rules = rules_of(said())
    (ask,) = put(rules, b"old", 0.0, "door/a").asks
    put(rules, b"new", 0.5, "door/a")
    rules.on_answer(ask, None, 1.0)
    assert [ask.text for ask in rules.on_tick(1.0 + RETRY_S).asks] == ["new"]


def test_an_answer_that_does_not_come_blocks_nobody_for_ever() -> None:
    rules = rules_of(said())
    (ask,) = put(rules, b"1", 0.0, "door/a").asks
    assert rules.on_tick(ANSWER_S).asks == []
    assert rules.on_tick(ANSWER_S + 1) == Due()
    (again,) = rules.on_tick(ANSWER_S + 1 + RETRY_S).asks
    assert rules.on_answer(ask, OPEN, ANSWER_S + 3) == Due()  # too late: it is another question now
    assert len(rules.on_answer(again, OPEN, ANSWER_S + 3).messages) == 1


def test_a_level_of_answers_starts_and_ends() -> None:
    rules = rules_of(said(at_least=2, of_last=3))
    told = []
    for answer in (OPEN, OTHER, OPEN, OTHER, OTHER):
        (ask,) = put(rules, b"x", topic="door/a").asks
        told += [document["type"] for document in documents(rules.on_answer(ask, answer, 0.0))]
    assert told == ["start", "end"]


def test_models_that_are_not_there_are_told_at_the_start() -> None:
    rules_of(said(), hot()).check({"intents": ("open", "close")})
    with pytest.raises(ConfigError, match="not served here"):
        rules_of(said()).check({})


# --- bounds ----------------------------------------------------------------------------------------------------------


def test_a_flood_of_topics_makes_room_by_forgetting_those_where_nothing_goes_on() -> None:
    rules = rules_of(hot())
    assert len(put(rules, {"c": 30}, topic="home/first/t").messages) == 1
    for number in range(MOST_TOPICS * 2):
        put(rules, {"c": 3}, topic=f"home/{number}/t")
    assert [document["type"] for document in documents(put(rules, {"c": 3}, topic="home/first/t"))] == ["end"]


def test_the_topic_heard_longest_ago_is_forgotten_first() -> None:
    rules = rules_of(hot(at_least=3, of_last=3))
    for number in (*range(MOST_TOPICS), 0, MOST_TOPICS):
        assert put(rules, {"c": 30}, topic=f"home/{number}/t") == Due()
    assert len(put(rules, {"c": 30}, topic="home/0/t").messages) == 1
    assert [put(rules, {"c": 30}, topic="home/1/t") for _ in range(2)] == [Due(), Due()]


def test_a_flood_of_topics_neither_forgets_what_is_asked_about_nor_what_waits() -> None:
    rules = rules_of(said())
    (ask,) = put(rules, b"first", topic="door/first").asks
    for number in range(MOST_TOPICS * 2):
        assert put(rules, b"x", topic=f"door/{number}") == Due()
    due = rules.on_answer(ask, OPEN, 0.0)
    assert [document["topic"] for document in documents(due)] == ["door/first"]
    assert due.asks[0].number == 2


def test_when_something_goes_on_everywhere_further_topics_are_not_heard() -> None:
    rules = rules_of(hot())
    for number in range(MOST_TOPICS):
        assert len(put(rules, {"c": 30}, topic=f"home/{number}/t").messages) == 1
    assert put(rules, {"c": 30}, topic="home/late/t") == Due()
    assert rules.counted.skipped == 1


def test_long_values_are_cut_in_documents() -> None:
    rules = rules_of(said(events="each"))
    (ask,) = put(rules, b"x" * 5000, topic="door/a").asks
    assert len(ask.text) == 5000
    (message,) = rules.on_answer(ask, OPEN, 0.0).messages
    assert len(message.payload) < 1000


steps = st.lists(
    st.tuples(
        st.sampled_from(["message", "message", "answer", "refusal", "tick", "stale"]),
        st.sampled_from(["door/a", "door/b", "home/x/t", "other"]),
        st.sampled_from([b"open", b"\xff", b'{"c": 30}', b'{"c": 1}', b""]),
        st.floats(0.0, 40.0),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps, st.sampled_from([0.0, 3.0]))
def test_there_is_never_a_second_question_under_way(steps: list[Any], every_s: float) -> None:
    rules, now_s, under_way = rules_of(said(every_s=every_s, for_s=2.0), hot()), 0.0, list[Ask]()
    stale = Ask("said", "intents", "open", 10**9)
    for kind, topic, payload, gap_s in steps:
        now_s += gap_s
        if kind == "message":
            due = rules.on_message(topic, payload, now_s)
        elif kind == "tick":
            due = rules.on_tick(now_s)
        elif kind == "stale" or not under_way:
            due = rules.on_answer(stale, OPEN, now_s)
            assert due == Due()
        else:
            due = rules.on_answer(under_way.pop(), OPEN if kind == "answer" else None, now_s)
        if kind == "tick" and under_way and rules.under_way(under_way[0].number) is None:
            under_way.clear()  # it was given up
        under_way += due.asks
        assert len(under_way) <= 1
        assert all(rules.under_way(ask.number) == ask for ask in under_way)
