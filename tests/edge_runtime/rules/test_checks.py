"""A rule that makes no sense, or that could feed itself, is refused by its place and name."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.rules.checks import MOST_RULES, check_models, check_rules
from edge_runtime.rules.rule import Rule
from edge_runtime.strict import StrictError, decode

HOT: dict[str, Any] = {"name": "hot", "topic": "home/+/sensor", "value": "temperature", "above": 28}


def rule(**keys: Any) -> Rule:
    return decode(Rule, {**HOT, **keys})


def asking(**keys: Any) -> Rule:
    return decode(Rule, {"name": "said", "topic": "door/said", "model": "m", "labels": ["yes"], **keys})


def check(*rules: Rule) -> None:
    check_rules(rules, "edgert/v1", "hub")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"below": 10, "hysteresis": 1.5},
        {"at_least": 3, "of_last": 5, "for_s": 60, "clear_s": 5, "cooldown_s": 600, "every_s": 1},
        {"publish": "home/alarm", "payload": "ON", "end_payload": "OFF {{value}} {value}", "retain": True, "qos": 0},
        {"topic": "$SYS/broker/load/#"},
        {"topic": "edgert/v1/d/hub/stats", "value": "temperature_c"},
        {"topic": "edgert/v1/d/+/event/door"},
        {"publish": "edgert/v1/d/hub/event/too-hot"},
        {"above": None, "equals": ["open", "true"]},
        {"above": None, "events": "each"},
    ],
)
def test_sensible_rules_are_taken(keys: dict[str, Any]) -> None:
    check(rule(**keys))


@pytest.mark.parametrize(
    "keys", [{}, {"score": 0.5, "hysteresis": 0.1}, {"labels": [], "events": "each"}, {"text": "{topic}: {a.b[0]}"}]
)
def test_sensible_rules_with_a_model_are_taken(keys: dict[str, Any]) -> None:
    check(asking(**keys))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"name": "living room"}, r"rules\[0\] 'living room': name must be"),
        ({"topic": "home/#/sensor"}, "no MQTT filter"),
        ({"topic": ""}, "no MQTT filter"),
        ({"topic": "$share/g/home/x"}, "shared subscription"),
        ({"value": "a..b"}, "value: 'a..b' is no place in JSON"),
        ({"above": None}, "there is no condition"),
        ({"above": float("nan")}, "above is nan"),
        ({"above": 10, "below": 20}, "below 20 is over above 10"),
        ({"equals": ["x"]}, "equals and above or below"),
        ({"labels": ["x"]}, "labels and score judge a model's answer"),
        ({"text": "it is {value}"}, "text is what a model is asked"),
        ({"hysteresis": -1}, "hysteresis is -1"),
        ({"hysteresis": float("inf")}, "hysteresis is inf"),
        ({"above": None, "equals": ["x"], "hysteresis": 1}, "hysteresis needs above"),
        ({"at_least": 2}, "at_least is 2, must be 1 to 1"),
        ({"of_last": 1001}, "of_last is 1001, must be 1 to 1000"),
        ({"of_last": 0}, "of_last is 0"),
        ({"for_s": -1}, "for_s is -1"),
        ({"cooldown_s": float("nan")}, "cooldown_s is nan"),
        ({"qos": 2}, "qos is 2, must be 0 to 1"),
        ({"payload": "{password}"}, r"payload has a gap \{password\}, expected one of at, device"),
        ({"payload": "{value.__class__}"}, r"gap \{value.__class__\}"),
        ({"end_payload": "}"}, "end_payload: a lone brace"),
        ({"events": "start", "end_payload": "x"}, "end_payload is never published"),
        ({"events": "each", "for_s": 1}, 'not to events = "each"'),
        ({"publish": "home/+"}, "no topic"),
        ({"publish": "$SYS/x"}, "no topic"),
        ({"publish": "edgert/v1/d/hub/status"}, "must not be under edgert/v1/"),
        ({"publish": "edgert/v1/d/other/event/x"}, "must not be under edgert/v1/"),
        ({"publish": "edgert/v1"}, "must not be under edgert/v1/"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_name(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check(rule(**keys))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"above": 3}, "judge a value"),
        ({"equals": ["x"]}, "judge a value"),
        ({"labels": []}, "there is no condition"),
        ({"score": 1.5}, "score is 1.5, must be 0 to 1"),
        ({"hysteresis": 0.1}, "hysteresis needs above, below or score"),
        ({"text": "{}"}, "empty gap"),
        ({"text": "{a b..}"}, "text: .* is no place in JSON"),
        ({"text": "{value"}, "lone brace at character 1"),
        ({"topic": "edgert/v1/d/hub/load"}, "where a rule would hear itself"),
    ],
)
def test_a_rule_with_a_model_that_makes_no_sense_is_refused(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check(asking(**keys))


@pytest.mark.parametrize(
    "topic",
    [
        "#",
        "+/#",
        "edgert/#",
        "edgert/v1/d/hub/req/infer/m",
        "edgert/v1/d/+/+/infer/m",
        "edgert/v1/g/+/req/#",
        "edgert/v1/r/panel/1",
        "edgert/+/r/#",
        "edgert/v1/d/hub/res/infer/m",
        "+/+/+/+/res/list",
    ],
)
def test_requests_and_replies_are_no_input(topic: str) -> None:
    with pytest.raises(ConfigError, match="hear itself"):
        check(rule(topic=topic))


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"rules\[1\] 'hot': name is taken"):
        check(rule(), rule())


def test_events_that_come_back_are_refused_however_long_the_way() -> None:
    check(rule(name="a", topic="x", publish="y"), rule(name="b", topic="y", publish="z"))
    with pytest.raises(ConfigError, match=r"rules\[0\] 'a': its events go to its own topic"):
        check(rule(name="a", topic="x/+", publish="x/y"))
    with pytest.raises(ConfigError, match=r"rules\[0\] 'hot': its events go to its own topic"):
        check(rule(topic="edgert/v1/d/hub/event/#"))
    with pytest.raises(ConfigError, match="to the topics of other rules back to it"):
        check(
            rule(name="a", topic="x", publish="y"),
            rule(name="b", topic="y", publish="z"),
            rule(name="c", topic="+", publish="x"),
        )


def test_the_number_of_rules_is_limited() -> None:
    rules = [rule(name=f"r{at}") for at in range(MOST_RULES + 1)]
    check(*rules[:-1])
    with pytest.raises(ConfigError, match="257 entries"):
        check(*rules)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"hot": 1}, "hot: unknown key, expected one of name, topic"),
        ({"events": "sometimes"}, "events: expected one of 'change', 'start', 'each'"),
        ({"for_s": "60"}, "for_s: expected a number"),
        ({"labels": "yes"}, "labels: expected a list"),
    ],
)
def test_keys_and_kinds_are_read_strictly(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(StrictError, match=says):
        rule(**keys)


def test_models_and_labels_are_known_at_the_start() -> None:
    check_models([rule(), asking()], {"m": ["yes", "no"]})
    for labels, says in (
        ({}, r"model 'm' is not served here: use one of \(none\)"),
        ({"m": []}, "gives no labels"),
        ({"m": ["no"]}, "has no label 'yes': it has no"),
    ):
        with pytest.raises(ConfigError, match=r"rules\[1\] 'said': .*" + says):
            check_models([rule(), asking()], labels)
