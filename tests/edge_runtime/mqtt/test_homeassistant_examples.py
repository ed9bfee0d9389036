"""The YAML that docs/home-assistant.md shows: it names what is announced, and does what the document says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2.sandbox import SandboxedEnvironment

from edge_runtime.mqtt.homeassistant import HomeAssistant, ModelFacts
from edge_runtime.mqtt.topics import Topics

yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed")

DOCUMENT = Path(__file__).parents[3] / "docs" / "home-assistant.md"
EXAMPLES = 7


class Input(str):
    """The name of a blueprint's input."""


Loader: Any = type("Loader", (yaml.SafeLoader,), {})
Loader.add_constructor("!input", lambda loader, node: Input(loader.construct_scalar(node)))


def shown(key: str) -> list[Any]:
    """What the document's examples have under `key`."""
    fenced = re.findall(r"^```ya?ml\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    assert len(fenced) == EXAMPLES
    return [one[key] for one in (yaml.load(block, Loader) for block in fenced) if key in one]


def number(value: object, default: float = 0.0) -> float:
    """Home Assistant's filter `float`: of what is no number it makes its default."""
    return value if isinstance(value, int | float) else default


def rendered(template: str, **values: Any) -> str:
    environment = SandboxedEnvironment()
    environment.filters["float"] = number
    return environment.from_string(template).render(**values)


def test_examples_name_entities_that_are_announced() -> None:
    home = HomeAssistant(Topics("hub"), "1", rules=["too-warm"])
    document = json.loads(home.description([ModelFacts("home-intents-minilm", "1", True)]).payload)
    announced = {component["default_entity_id"] for component in document["components"].values()}
    named = set(re.findall(r"\b[a-z_]+\.edgert_hub_\w+", DOCUMENT.read_text(encoding="utf-8")))
    assert {name.split(".")[0] for name in named} == {"event", "notify", "sensor"}
    assert named <= announced


def test_an_automation_does_not_obey_an_old_answer_when_the_device_comes_back() -> None:
    automations = [one for several in shown("automation") for one in several]
    triggers = [trigger for one in automations for trigger in one["triggers"]]
    triggers += [trigger for several in shown("triggers") for trigger in several]
    assert {trigger["trigger"] for trigger in triggers} == {"mqtt", "state"}
    assert all(trigger["not_from"] == "unavailable" for trigger in triggers if trigger["trigger"] == "state")


def test_the_blueprint_uses_the_inputs_that_it_asks_for_and_obeys_a_sure_answer_only() -> None:
    (blueprint,), (variables,), (triggers,), (conditions,), (actions,) = map(
        shown, ("blueprint", "variables", "triggers", "conditions", "actions")
    )
    used = {*variables.values(), triggers[0]["entity_id"], actions}
    assert used == set(blueprint["input"])
    assert all(isinstance(one, Input) for one in used)
    wanted = {"intent": "HassTurnOn", "score": 0.5}
    for label, score, obeyed in (("HassTurnOn", 0.5, "True"), ("HassTurnOn", 0.4, "False"), ("error", None, "False")):
        state = SimpleNamespace(state=label, attributes={} if score is None else {"score": score})
        assert rendered(conditions[0], trigger=SimpleNamespace(to_state=state), **wanted) == obeyed


def test_what_is_heard_is_asked_and_an_event_is_told() -> None:
    by_alias = {one["alias"]: one for several in shown("automation") for one in several}
    asking = by_alias["Ask what was heard at the door"]
    heard = SimpleNamespace(payload_json={"text": 'say "hi"'})
    assert rendered(asking["conditions"][0], trigger=heard) == "True"
    assert rendered(asking["conditions"][0], trigger=SimpleNamespace(payload_json={"noise": 1})) == "False"
    assert rendered(asking["actions"][0]["data"]["message"], trigger=heard) == 'say "hi"'
    warm = by_alias["The room is too warm"]
    event = {"event_type": "start", "value": 26.5, "topic": "zigbee2mqtt/living/climate"}
    told = SimpleNamespace(to_state=SimpleNamespace(attributes=event))
    assert rendered(warm["conditions"][0], trigger=told) == "True"
    assert rendered(warm["actions"][0]["data"]["message"], trigger=told) == (
        "26.5 degrees, says zigbee2mqtt/living/climate"
    )
