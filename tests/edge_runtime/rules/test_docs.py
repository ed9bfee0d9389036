"""The three rules of docs/rules.md do what the text around them says; every key there is one."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import load
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.rules.checks import check_rules
from edge_runtime.rules.engine import Rules
from edge_runtime.rules.events import GAPS
from edge_runtime.rules.rule import Rule
from edge_runtime.strict import decode

TEXT = (Path(__file__).resolve().parents[3] / "docs/rules.md").read_text(encoding="utf-8")
START_S = 1_790_000_000.0


def examples() -> dict[str, Rule]:
    blocks = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.M | re.S)
    rules = [decode(Rule, row) for block in blocks for row in tomllib.loads(block)["rules"]]
    return {rule.name: rule for rule in rules}


def running(name: str) -> Rules:
    return Rules([examples()[name]], Topics("hub"), lambda: START_S)


def feed(rules: Rules, topic: str, values: list[float], document: Any) -> list[tuple[int, bytes]]:
    """Which samples, one a second, bring about which events."""
    found = []
    for at, value in enumerate(values):
        due = rules.on_message(topic, json.dumps(document(value)).encode(), float(at))
        found += [(at, message.payload) for message in due.messages]
    return found


def test_all_examples_together_make_a_config() -> None:
    rules = list(examples().values())
    assert len(rules) == 3
    check_rules(rules, "edgert/v1", "hub")


def test_a_warm_room_gives_the_event_that_is_shown() -> None:
    rules = running("too-warm")
    (shown,) = (json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", TEXT, re.M | re.S))

    def feel(celsius: float, now_s: float) -> list[Message]:
        payload = json.dumps({"temperature": celsius}).encode()
        return rules.on_message(shown["topic"], payload, now_s).messages

    assert feel(26.5, 0.0) == rules.on_tick(119.0).messages == []
    (start,) = rules.on_tick(120.0).messages
    assert (start.topic, json.loads(start.payload)) == ("edgert/v1/d/hub/event/too-warm", shown)
    assert feel(25.1, 400.0) == []
    (end,) = feel(25.0, 401.0)
    assert {**shown, "type": "end", "value": 25.0, "lasted_s": 0.0} == json.loads(end.payload)


def test_a_pump_that_knocks_once_is_quiet_and_one_that_shakes_is_told_once() -> None:
    def axes(rms: float) -> dict[str, object]:
        return {"axes": [{}, {}, {"rms": rms}]}

    assert feed(running("pump-shakes"), "plant/pump/vibration", [5, 1, 1, 1, 5, 1, 1, 1], axes) == []
    shaking = [5.0, 5, 1, 5] + [1.0] * 40 + [5.0] * 20
    assert feed(running("pump-shakes"), "plant/pump/vibration", shaking, axes) == [(3, b"ON"), (35, b"OFF")]


@pytest.mark.parametrize(
    ("answer", "types"), [(("HassTurnOn", 0.5), ["match"]), (("HassTurnOn", 0.49), []), (("HassGetState", 0.9), [])]
)
def test_what_is_said_at_the_door_is_asked_and_told(answer: tuple[str, float], types: list[str]) -> None:
    rules = running("light-wanted")
    (ask,) = rules.on_message("door/heard", b'{"text": "turn on the light"}', 0.0).asks
    assert (ask.model, ask.text) == ("home-intents-minilm", "turn on the light")
    due = rules.on_answer(ask, dict(zip(("label", "score"), answer, strict=True)), 0.1)
    assert [json.loads(message.payload)["type"] for message in due.messages] == types


def test_the_model_of_the_example_has_its_label_and_gives_it(home_bundle: Path) -> None:
    rules, pipeline = running("light-wanted"), load(home_bundle)
    rules.check({pipeline.manifest.name: pipeline.manifest.task.labels})
    (ask,) = rules.on_message("door/heard", b'{"text": "turn on the light"}', 0.0).asks
    answer = pipeline.task.plain(pipeline.vectors([ask.text])[0])
    (event,) = rules.on_answer(ask, answer, 0.1).messages
    assert json.loads(event.payload)["label"] == "HassTurnOn"


def test_every_key_is_documented_with_its_default_and_every_gap_is_named() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", TEXT.partition("## Keys")[2], re.M)
    told = {key: default for keys, default in rows for key in re.findall(r"`(\w+)`", keys)}
    fields = {field.name: field.default for field in dataclasses.fields(Rule)}
    assert set(told) == set(fields)
    for key in ("score", "hysteresis", "for_s", "clear_s", "cooldown_s", "every_s", "retain", "qos"):
        assert told[key].strip() == str(fields[key]).lower()
    for key in ("events", "text"):
        assert told[key].strip(" `") == f'"{fields[key]}"'
    for gap in GAPS:
        assert f"`{{{gap}}}`" in TEXT
