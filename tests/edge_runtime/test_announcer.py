"""What a device publishes of itself, in which order, and when again."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

from edge_runtime.announcer import BIRTH_PAUSE_S, Announcer
from edge_runtime.bundle.manifest import Manifest, TaskSpec
from edge_runtime.config import Config
from edge_runtime.mqtt.homeassistant import HomeAssistant, NewerBundle
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import tiny

TOPICS = Topics("hub")
BIRTH = Message("homeassistant/status", b"online")


class Told:
    """An announcer with models that a test changes, and what it published."""

    def __init__(self, *, home: bool = True) -> None:
        self.models: list[tuple[Manifest, bool]] = [(tiny.manifest("classify", "one"), True)]
        self.messages: list[Message] = []
        described = HomeAssistant(TOPICS, "1") if home else None
        self.newer: dict[str, NewerBundle] = {}
        self.announcer = Announcer(
            Config(device="hub"),
            TOPICS,
            lambda: self.models,
            self.messages.append,
            described,
            lambda manifest: self.newer.get(manifest.name),
        )

    def last(self, topic: str) -> dict[str, Any] | None:
        payload = [message.payload for message in self.messages if message.topic == topic][-1]
        return json.loads(payload) if payload else None


def test_online_comes_last_and_all_is_retained() -> None:
    told = Told()
    told.announcer.everything()
    assert [message.topic for message in told.messages] == [
        TOPICS.info,
        TOPICS.model("one"),
        "homeassistant/device/edgert_hub/config",
        TOPICS.status,
    ]
    assert told.messages[-1].payload == b"online"
    assert all(message.retain for message in told.messages)


def test_a_bundle_that_waits_is_told_to_home_assistant() -> None:
    told = Told()
    told.announcer.everything()
    told.newer["one"] = NewerBundle("9.9.9", installable=True)
    told.announcer.changed("one")
    home = told.last("homeassistant/device/edgert_hub/config")
    assert home is not None
    assert "9.9.9" in home["components"]["one_update"]["value_template"]


def test_a_model_that_is_put_away_is_still_there_to_be_asked() -> None:
    told = Told()
    told.announcer.everything()
    told.models[0] = told.models[0][0], False
    told.announcer.changed("one")
    document = told.last(TOPICS.model("one"))
    assert document is not None
    assert document["ready"] is False
    home = told.last("homeassistant/device/edgert_hub/config")
    assert home is not None
    assert len(home["components"]["one_ask"]) > 1


def test_a_model_that_is_gone_leaves_an_empty_document_and_no_entity() -> None:
    told = Told()
    told.announcer.everything()
    told.models.clear()
    told.announcer.changed("one")
    assert told.last(TOPICS.model("one")) is None
    info, home = told.last(TOPICS.info), told.last("homeassistant/device/edgert_hub/config")
    assert info is not None
    assert info["models"] == []
    assert home is not None
    assert home["components"]["one_ask"] == {"platform": "text"}


def test_home_assistant_s_start_is_answered_after_a_while() -> None:
    told = Told()
    assert told.announcer.heard(BIRTH)
    told.announcer.tick(time.monotonic() - 1)
    assert told.messages == []
    told.announcer.tick(time.monotonic() + BIRTH_PAUSE_S)
    told.announcer.tick(time.monotonic() + BIRTH_PAUSE_S + 1)
    assert [message.topic for message in told.messages] == ["homeassistant/device/edgert_hub/config"]
    assert told.announcer.heard(dataclasses.replace(BIRTH, payload=b"offline"))
    assert not told.announcer.heard(Message("sensors/x", b"online"))


def test_entities_of_a_model_that_left_before_a_restart_are_taken_back() -> None:
    before, told = Told(), Told()
    before.models.append((tiny.manifest("embed", "old"), True))
    before.announcer.everything()
    kept = next(message for message in before.messages if message.topic.startswith("homeassistant/"))
    assert told.announcer.heard(kept)
    told.announcer.everything()
    home = told.last(kept.topic)
    assert home is not None
    assert home["components"]["old_ask"] == {"platform": "text"}
    told.messages.clear()
    assert told.announcer.heard(dataclasses.replace(kept, retain=False))  # what we have just said ourselves
    told.announcer.tick(time.monotonic() + 60)
    told.announcer.tick(time.monotonic() + 60)
    assert len(told.messages) <= 1


def test_without_home_assistant_nothing_is_said_to_it() -> None:
    told = Told(home=False)
    told.announcer.everything()
    assert not told.announcer.heard(BIRTH)
    assert told.announcer.subscriptions == []
    assert all(message.topic.startswith("edgert/") for message in told.messages)


def test_home_assistant_is_offered_a_text_field_only_for_models_that_read_texts() -> None:
    told = Told()
    pictures = tiny.manifest("classify", "two")
    told.models.append((dataclasses.replace(pictures, task=TaskSpec("image-classify", ("cat", "dog"))), True))
    told.announcer.everything()
    home = told.last("homeassistant/device/edgert_hub/config")
    assert home is not None
    asked = {key for key in home["components"] if key.endswith(("_ask", "_notify"))}
    assert asked == {"one_ask", "one_notify"}
    assert "two_version" in home["components"]
