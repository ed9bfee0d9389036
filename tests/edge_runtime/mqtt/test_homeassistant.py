"""Discovery for Home Assistant: the documents it gets, and that its templates give what our contract and its own want.

The keys are those of Home Assistant's own schemas (`homeassistant/components/mqtt/{schemas,entity,sensor,binary_sensor,
text,notify,event,update}.py`, https://github.com/home-assistant/core, 2025). The newest release that installs on Python
3.11, 2024.3.3, knows no device discovery yet, but the entities' own schemas and templates: it judges them in one test.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import SandboxedEnvironment

from edge_runtime.errors import Busy
from edge_runtime.mqtt.contract import Address, Control, Request, encode_answer, encode_error, parse
from edge_runtime.mqtt.homeassistant import PLATFORMS, HomeAssistant, ModelFacts, NewerBundle
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

TOPICS = Topics("hub")
MODELS = [
    ModelFacts("home-intents", "1.0.0", True, NewerBundle("1.1.0", installable=True)),
    ModelFacts("embed.v2", "2", False),
]
GOLDEN = Path(__file__).parents[2] / "vectors" / "home_assistant_device.json"

ROOT = {"device", "origin", "components", "availability_topic", "state_topic", "command_topic", "encoding"}
DEVICE = {"identifiers", "connections", "manufacturer", "model", "name", "hw_version", "serial_number", "sw_version"}
DEVICE |= {"model_id", "via_device", "suggested_area", "configuration_url"}
ENTITY = {"platform", "name", "unique_id", "icon", "entity_category", "qos", "device_class", "enabled_by_default"}
ENTITY |= {"json_attributes_topic", "json_attributes_template", "default_entity_id"}
KEYS = {
    "sensor": {"state_topic", "value_template", "state_class", "unit_of_measurement", "expire_after", "force_update"}
    | {"suggested_display_precision", "options", "last_reset_value_template"},
    "text": {"command_topic", "command_template", "state_topic", "value_template", "min", "max", "mode", "pattern"},
    "notify": {"command_topic", "command_template", "retain"},
    "event": {"state_topic", "value_template", "event_types"},
    "binary_sensor": {"state_topic", "value_template", "payload_on", "payload_off", "off_delay", "expire_after"}
    | {"availability_topic", "availability_template"},
    "update": {"state_topic", "value_template", "latest_version_topic", "latest_version_template", "command_topic"}
    | {"payload_install", "title", "release_summary", "release_url", "retain"},
}
NEEDED = {"text": "command_topic", "notify": "command_topic", "sensor": "state_topic", "event": "event_types"}
NEEDED |= {"binary_sensor": "state_topic", "update": "state_topic"}
RELEASE = "HOME_ASSISTANT_PYTHON"


def home(**options: Any) -> HomeAssistant:
    return HomeAssistant(TOPICS, "0.1.0", rules=["too-warm"], has_temperature=True, **options)


def described(message: Message) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(message.payload)
    return document


def rendered(template: str, **values: Any) -> str:
    """As Home Assistant renders it: a sandbox, and its `to_json` filter."""
    environment = SandboxedEnvironment()
    environment.filters["to_json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(template).render(**values)


def test_the_description_is_the_golden_one() -> None:
    message = home().description(MODELS)
    assert message.topic == "homeassistant/device/edgert_hub/config"
    assert (message.qos, message.retain) == (1, True)
    assert described(message) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_key_is_one_that_home_assistant_knows() -> None:
    document = described(home().description(MODELS))
    assert set(document) <= ROOT
    assert set(document["device"]) <= DEVICE
    assert set(document["origin"]) <= {"name", "sw_version", "support_url"}
    for key, component in document["components"].items():
        kind = component["platform"]
        assert kind in PLATFORMS
        assert set(component) <= ENTITY | KEYS[kind], key
        assert NEEDED[kind] in component


def test_every_entity_has_an_id_of_its_own_that_does_not_change() -> None:
    first, second = (described(home().description(models)) for models in (MODELS, MODELS[::-1]))
    ids = [component["unique_id"] for component in first["components"].values()]
    assert len(set(ids)) == len(ids)
    assert {**first["components"]} == {**second["components"]}


def test_a_device_with_a_dot_in_its_name_has_an_id_that_home_assistant_takes() -> None:
    message = HomeAssistant(Topics("hub.attic"), "1").description([])
    assert message.topic == "homeassistant/device/edgert_hub_attic/config"  # as in `edgert broker init`'s access list
    assert described(message)["availability_topic"] == "edgert/v1/d/hub.attic/status"


def test_no_two_models_or_rules_share_an_id() -> None:
    names = ["a.b", "a_b", "a-b"]
    models = [ModelFacts(name, "1", True, NewerBundle("2")) for name in (*names, "event", "event_ask")]
    rules = [*names, "ask", "ask_ask", "queued"]
    components = described(HomeAssistant(TOPICS, "1", rules=rules).description(models))["components"]
    assert len(components) == len(described(HomeAssistant(TOPICS, "1").description([]))["components"]) + 5 * 5 + 6


def test_every_entity_has_the_name_in_automations_that_its_own_name_makes() -> None:
    for component in described(home().description(MODELS))["components"].values():
        slug = re.sub(r"[^a-z0-9]+", "_", f"edgert hub {component['name']}".lower())
        assert component["default_entity_id"] == f"{component['platform']}.{slug}"
        assert component["qos"] == 1


def test_what_is_gone_is_taken_back_once() -> None:
    made = home()
    made.description(MODELS)
    components = described(made.description(MODELS[:1]))["components"]
    assert components["embed.v2_ask"] == {"platform": "text"}
    assert components["embed.v2_version"] == {"platform": "sensor"}
    assert "embed.v2_ask" not in described(made.description(MODELS[:1]))["components"]
    assert made.removal() == Message(made.topic, b"", qos=1, retain=True)


def kept(message: Message) -> Message:
    """As the broker gives it to a daemon that has started again."""
    return Message(message.topic, message.payload, qos=1, retain=True)


@pytest.mark.parametrize("late", [False, True], ids=["before the first description", "after it"])
def test_what_was_announced_before_a_restart_and_is_gone_is_taken_back(late: bool) -> None:
    old, made = kept(home().description(MODELS)), home()
    if late:
        made.description(MODELS[:1])
    assert made.recall(old)
    components = described(made.description(MODELS[:1]))["components"]
    assert components["embed.v2_ask"] == {"platform": "text"}
    assert len(components["home-intents_ask"]) > 1
    assert "embed.v2_ask" not in described(made.description(MODELS[:1]))["components"]


def test_our_own_description_or_one_that_took_back_before_asks_for_nothing() -> None:
    made = home()
    now = made.description(MODELS)
    assert not made.recall(kept(now))
    assert not home().recall(Message(now.topic, now.payload))  # published just now, by ourselves
    less = made.description(MODELS[:1])
    again = home()
    again.description(MODELS[:1])
    assert not again.recall(kept(less))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"components":[1]}',
        b'{"components":{"x":1,"y":{"platform":"text"},"z":{"platform":"lock","a":1},"w":{"platform":["text"],"a":1}}}',
        b"[" * 100_000,
        b"\xff",
    ],
    ids=range(8),
)
def test_what_is_no_description_of_ours_is_not_recalled(payload: bytes) -> None:
    made = home()
    assert not made.recall(Message(made.topic, payload, qos=1, retain=True))


def test_home_assistant_s_start_is_heard_and_what_it_said_long_ago_is_not() -> None:
    made = home(prefix="ha")
    assert made.is_birth(Message("ha/status", b"online"))
    assert not made.is_birth(Message("ha/status", b"online", retain=True))
    assert not made.is_birth(Message("ha/status", b"offline"))
    assert not made.is_birth(Message("homeassistant/status", b"online"))


def test_without_stats_there_are_no_sensors_of_them() -> None:
    components = described(home(stats_s=0).description(MODELS))["components"]
    assert "queued" not in components
    assert "home-intents_ask" in components


@pytest.mark.parametrize(
    "text", ['say "hello"', "it's", "line\nfeed", "back\\slash", "{{ 7 * 7 }}", "ü 中文 🙂", "", "</script>", "\x00"]
)
@pytest.mark.parametrize("entity", ["home-intents_ask", "home-intents_notify"])
def test_whatever_is_typed_becomes_a_request(text: str, entity: str) -> None:
    component = described(home().description(MODELS))["components"][entity]
    payload = rendered(component["command_template"], value=text)
    request = parse(Message(component["command_topic"], payload.encode()), TOPICS, 1 << 20)
    assert isinstance(request, Request)
    assert (request.model, request.texts) == ("home-intents", (text,))
    assert (
        request.address.topic
        == described(home().description(MODELS))["components"]["home-intents_answer"]["state_topic"]
    )


def test_an_answer_becomes_a_state_with_attributes_and_an_error_shows() -> None:
    component = described(home().description(MODELS))["components"]["home-intents_answer"]
    address = Address(TOPICS.shared_reply("home-intents"), 0, enveloped=True, server="hub")
    body = b'{"model":"home-intents","version":"1","label":"HassTurnOn","score":0.98,"top":[]}'
    good = json.loads(encode_answer(address, body, {"queue-us": 1}).payload)
    bad = json.loads(encode_error(address, Busy(3, 100)).payload)
    assert rendered(component["value_template"], value_json=good) == "HassTurnOn"
    assert json.loads(rendered(component["json_attributes_template"], value_json=good))["score"] == 0.98
    assert rendered(component["value_template"], value_json=bad) == "error"
    assert json.loads(rendered(component["json_attributes_template"], value_json=bad))["reason"] == "busy"


def test_numbers_become_states_and_what_is_unknown_does_not_stop_home_assistant() -> None:
    components = described(home().description(MODELS))["components"]
    stats = {"queued": 0, "answered": 8, "refused": 1, "p50_ms": 3.1, "p95_ms": None, "memory_mb": 96.2}
    states = {
        key: rendered(component["value_template"], value_json={**stats, "temperature_c": None})
        for key, component in components.items()
        if component["platform"] == "sensor" and component.get("state_topic") == TOPICS.stats
    }
    assert states == {
        "queued": "0",
        "answered": "8",
        "refused": "1",
        "p50": "3.1",
        "p95": "None",  # Home Assistant's own word for unknown
        "memory": "96.2",
        "temperature": "None",
    }


def test_a_rule_s_event_has_the_type_under_home_assistant_s_name() -> None:
    component = described(home().description(MODELS))["components"]["event:too-warm"]
    event = {"rule": "too-warm", "type": "start", "id": "x", "value": 26.5}
    told = json.loads(rendered(component["value_template"], value_json=event))
    assert told == {**event, "event_type": "start"}
    assert told["event_type"] in component["event_types"]
    assert component["state_topic"] == TOPICS.event("too-warm")


@pytest.mark.parametrize("installable", [False, True])
def test_a_newer_bundle_shows_and_can_be_loaded_if_that_is_allowed(installable: bool) -> None:
    newer = NewerBundle('2 "}} {{ 7 * 7 }}\\ü', installable)
    components = described(home().description([ModelFacts("m", "1", True, newer)]))["components"]
    component = components["m_update"]
    told = json.loads(rendered(component["value_template"], value_json={"versions": ["1"]}))
    assert told == {"installed_version": "1", "latest_version": newer.version}
    assert component["state_topic"] == TOPICS.model("m")
    assert ("command_topic" in component) == installable
    if installable:
        asked = parse(Message(component["command_topic"], component["payload_install"].encode()), TOPICS, 1 << 20)
        assert isinstance(asked, Control)
        assert (asked.verb, asked.model) == ("load", "m")


def test_the_connection_is_told_while_the_device_is_away() -> None:
    component = described(home().description([]))["components"]["connected"]
    assert component["state_topic"] == TOPICS.status
    assert {component["payload_on"], component["payload_off"]} == {"online", "offline"}
    assert rendered(component["availability_template"], value="offline") == "online"  # its default word for available


JUDGE = """
import asyncio, importlib, json, sys
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

async def judge(document, asked):
    hass = HomeAssistant(sys.argv[1])
    shared = {key: document[key] for key in ("device", "origin", "availability_topic")}
    lost = {}
    for key, component in document["components"].items():
        kind = component["platform"]
        config = {**shared, **{name: value for name, value in component.items() if name != "platform"}}
        try:
            schema = importlib.import_module(f"homeassistant.components.mqtt.{kind}").DISCOVERY_SCHEMA
        except ModuleNotFoundError:
            lost[key] = "no such platform"
            continue
        taken = schema(dict(config))
        lost[key] = sorted(set(config) - set(taken))
    told = [Template(template, hass).async_render({"value": value}, parse_result=False) for template, value in asked]
    await hass.async_stop(force=True)
    return {"lost": lost, "told": told}

print(json.dumps(asyncio.run(judge(*json.load(sys.stdin)))))
"""


def test_a_release_of_home_assistant_takes_every_entity_and_fills_the_templates(tmp_path: Path) -> None:
    python = os.environ.get(RELEASE) or pytest.skip(f"{RELEASE} names no Python with homeassistant==2024.3.3")
    document = described(home().description(MODELS))
    texts = ['say "hello"', "it's", "line\nfeed", "back\\slash", "{{ 7 * 7 }}", "ü 中文 🙂", ""]
    asked = [(document["components"]["home-intents_ask"]["command_template"], text) for text in texts]
    judged = subprocess.run(
        [python, "-c", JUDGE, str(tmp_path)],
        input=json.dumps([document, asked]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert judged.returncode == 0, judged.stderr
    verdict = json.loads(judged.stdout)
    newer = {"default_entity_id"}  # since 2025.10
    for key, lost in verdict["lost"].items():
        # `notify` entities came with 2024.5.
        assert lost == "no such platform" if key.endswith("_notify") else set(lost) <= newer, key
    assert [json.loads(told)["text"] for told in verdict["told"]] == texts
