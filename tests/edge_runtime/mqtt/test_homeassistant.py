"""Discovery for Home Assistant: the documents it gets, and that its templates give what our contract and its own want.

The keys are those of Home Assistant's own schemas (`homeassistant/components/mqtt/{schemas,entity,sensor,text,notify,
event}.py`, https://github.com/home-assistant/core, 2025). Its package for this Python knows no device discovery.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import SandboxedEnvironment

from edge_runtime.errors import Busy
from edge_runtime.mqtt.contract import Address, Request, encode_answer, encode_error, parse
from edge_runtime.mqtt.homeassistant import HomeAssistant, ModelFacts
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

TOPICS = Topics("hub")
MODELS = [ModelFacts("home-intents", "1.0.0", True), ModelFacts("embed.v2", "2", False)]
GOLDEN = Path(__file__).parents[2] / "vectors" / "home_assistant_device.json"

ROOT = {"device", "origin", "components", "availability_topic", "qos", "state_topic", "command_topic", "encoding"}
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
}
NEEDED = {"text": "command_topic", "notify": "command_topic", "sensor": "state_topic", "event": "event_types"}


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
        assert set(component) <= ENTITY | KEYS[kind], key
        assert NEEDED[kind] in component


def test_every_entity_has_an_id_of_its_own_that_does_not_change() -> None:
    first, second = (described(home().description(models)) for models in (MODELS, MODELS[::-1]))
    ids = [component["unique_id"] for component in first["components"].values()]
    assert len(set(ids)) == len(ids)
    assert {**first["components"]} == {**second["components"]}


def test_a_device_with_a_dot_in_its_name_has_an_id_that_home_assistant_takes() -> None:
    message = HomeAssistant(Topics("hub.attic"), "1").description([])
    assert message.topic == "homeassistant/device/edgert_hub_attic/config"
    assert described(message)["availability_topic"] == "edgert/v1/d/hub.attic/status"


def test_what_is_gone_is_taken_back_once() -> None:
    made = home()
    made.description(MODELS)
    components = described(made.description(MODELS[:1]))["components"]
    assert components["embed_v2_ask"] == {"platform": "text"}
    assert components["embed_v2_version"] == {"platform": "sensor"}
    assert "embed_v2_ask" not in described(made.description(MODELS[:1]))["components"]
    assert made.removal() == Message(made.topic, b"", qos=1, retain=True)


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
    component = described(home().description(MODELS))["components"]["event_too-warm"]
    event = {"rule": "too-warm", "type": "start", "id": "x", "value": 26.5}
    told = json.loads(rendered(component["value_template"], value_json=event))
    assert told == {**event, "event_type": "start"}
    assert told["event_type"] in component["event_types"]
    assert component["state_topic"] == TOPICS.event("too-warm")
