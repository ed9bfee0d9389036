"""What Home Assistant is told so that a device and its entities appear by themselves. Pure: documents, no I/O.

One message describes the whole device (MQTT device discovery). Source: "MQTT Discovery" in Home Assistant's
documentation; `homeassistant/components/mqtt/{discovery,schemas,sensor,binary_sensor,text,notify,event,update}.py` of
https://github.com/home-assistant/core.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

URL = "https://pypi.org/project/edgert/"
EVENT_TYPES = ("start", "end", "match")
PLATFORMS = ("binary_sensor", "event", "notify", "sensor", "text", "update")
_MISSED = 3  # reports that may be missing before a sensor is unknown
_NO_OBJECT_ID = re.compile(r"[^A-Za-z0-9_-]")
_NO_ENTITY_ID = re.compile(r"[^a-z0-9]+")

Component = dict[str, object]


@dataclass(frozen=True)
class NewerBundle:
    """The newest bundle of a model that the store has: one that waits to take its place, or the one that runs.

    Attributes:
        installable: `load` may be asked for; else Home Assistant only tells of it (`control.load` is off).
    """

    version: str
    installable: bool = False


@dataclass(frozen=True)
class ModelFacts:
    """What Home Assistant shows of a model; `classifies`: its answer is a label; `reads_texts`: it can be asked so."""

    name: str
    version: str
    classifies: bool
    newer: NewerBundle | None = None
    reads_texts: bool = True


class HomeAssistant:
    """Describes one device, and remembers which entities it has announced, so that those that are gone can be removed.

    Args:
        topics: the device's.
        version: of edgert.
        prefix: where Home Assistant looks.
        stats_s: every how many seconds `stats` is published; 0: never, then there are no sensors of it.
        rules: names of the rules whose events are JSON documents.
        has_temperature: the board tells its temperature.
    """

    def __init__(
        self,
        topics: Topics,
        version: str,
        *,
        prefix: str = "homeassistant",
        stats_s: int = 10,
        rules: Sequence[str] = (),
        has_temperature: bool = False,
    ) -> None:
        self._topics, self._version, self._prefix, self._stats_s = topics, version, prefix, stats_s
        self._rules, self._has_temperature = tuple(rules), has_temperature
        self._id = f"edgert_{_NO_OBJECT_ID.sub('_', topics.device)}"
        self._name = f"edgert {topics.device}"
        self._announced: dict[str, str] = {}

    @property
    def birth(self) -> str:
        """Where Home Assistant says that it has started."""
        return f"{self._prefix}/status"

    def is_birth(self, message: Message) -> bool:
        """Whether Home Assistant has just started and wants to hear everything again."""
        return message.topic == self.birth and message.payload == b"online" and not message.retain

    @property
    def topic(self) -> str:
        """Where the device is described."""
        return f"{self._prefix}/device/{self._id}/config"

    def description(self, models: Sequence[ModelFacts]) -> Message:
        """Describe the device; entities that were announced before and are no more are taken back."""
        components = {key: self._completed(key, component) for key, component in self._components(models)}
        gone: dict[str, Component] = {
            key: {"platform": kind} for key, kind in self._announced.items() if key not in components
        }
        self._announced = {key: str(component["platform"]) for key, component in components.items()}
        return self._message({**components, **gone})

    def recall(self, message: Message) -> bool:
        """Learn from the description that this device left before it was restarted what else was announced.

        Args:
            message: any; only our own description counts, if the broker had kept it.

        Returns:
            Whether there was more in it than now, so that the device must be described again.
        """
        if message.topic != self.topic or not message.retain:
            return False
        more = {key: kind for key, kind in _announced_in(message.payload).items() if key not in self._announced}
        self._announced.update(more)
        return bool(more)

    def removal(self) -> Message:
        """Make the device and its entities disappear."""
        return Message(self.topic, b"", qos=1, retain=True)

    def _message(self, components: dict[str, Component]) -> Message:
        document = {
            "device": {
                "identifiers": [self._id],
                "name": self._name,
                "manufacturer": "edgert",
                "model": "edge inference device",
                "sw_version": self._version,
            },
            "origin": {"name": "edgert", "sw_version": self._version, "support_url": URL},
            "availability_topic": self._topics.status,
            "components": components,
        }
        payload = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        return Message(self.topic, payload, qos=1, retain=True)

    def _completed(self, key: str, component: Component) -> Component:
        slug = _NO_ENTITY_ID.sub("_", f"{self._name} {component['name']}".lower()).strip("_")
        # `qos` for all at once is not handed down by every release, and what is asked with 0 is answered with 0.
        return {
            **component,
            "qos": 1,
            "unique_id": f"{self._id}_{key}",
            "default_entity_id": f"{component['platform']}.{slug}",
        }

    def _components(self, models: Sequence[ModelFacts]) -> Iterator[tuple[str, Component]]:
        yield "connected", self._connected()
        if self._stats_s:
            yield from self._sensors()
        for model in models:
            yield from self._of_model(model)
        for rule in self._rules:
            yield f"event:{rule}", self._event(rule)  # a colon cannot be in a model's name

    def _connected(self) -> Component:
        return {
            "platform": "binary_sensor",
            "name": "Connection",
            "device_class": "connectivity",
            "state_topic": self._topics.status,
            "payload_on": "online",
            "payload_off": "offline",
            # It is there to be looked at while the device is away, so unlike the others it is always available.
            "availability_topic": self._topics.status,
            "availability_template": "{{ 'online' }}",
            "entity_category": "diagnostic",
        }

    def _sensors(self) -> Iterator[tuple[str, Component]]:
        yield "queued", self._stat("Queue", "queued", icon="mdi:tray-full")
        yield "answered", self._stat("Answered", "answered", state_class="total_increasing", icon="mdi:check")
        yield "refused", self._stat("Refused", "refused", state_class="total_increasing", icon="mdi:close")
        for quantile in ("p50", "p95"):
            about = {"device_class": "duration", "unit_of_measurement": "ms", "suggested_display_precision": 1}
            yield quantile, self._stat(f"Answer time {quantile}", f"{quantile}_ms", **about)
        yield "memory", self._stat("Memory", "memory_mb", device_class="data_size", unit_of_measurement="MiB")
        if self._has_temperature:
            about = {"device_class": "temperature", "unit_of_measurement": "°C"}
            yield "temperature", self._stat("Temperature", "temperature_c", **about)

    def _stat(self, name: str, field: str, **more: object) -> Component:
        return {
            "platform": "sensor",
            "name": name,
            "state_topic": self._topics.stats,
            "value_template": f"{{{{ value_json.{field} }}}}",
            "state_class": "measurement",
            "entity_category": "diagnostic",
            "expire_after": _MISSED * self._stats_s + 5,
            **more,
        }

    def _of_model(self, model: ModelFacts) -> Iterator[tuple[str, Component]]:
        key = model.name
        yield (
            f"{key}_version",
            {
                "platform": "sensor",
                "name": f"{model.name} version",
                "state_topic": self._topics.model(model.name),
                "value_template": "{{ value_json.versions[0] }}",
                "entity_category": "diagnostic",
                "icon": "mdi:tag",
            },
        )
        if model.reads_texts:
            ask = self._ask(model.name)
            yield f"{key}_ask", {"platform": "text", **ask}
            yield f"{key}_notify", {"platform": "notify", **ask}
        if model.classifies:
            yield f"{key}_answer", self._answer(model.name)
        if model.newer:
            yield f"{key}_update", self._update(model.name, model.newer)

    def _ask(self, name: str) -> Component:
        return {
            "name": f"Ask {name}",
            "command_topic": self._topics.infer(name),
            # to_json writes quotes, line feeds and other characters as JSON needs them.
            "command_template": "{{ {'text': value} | to_json }}",
            "icon": "mdi:message-question",
        }

    def _answer(self, name: str) -> Component:
        answer = self._topics.shared_reply(name)
        return {
            "platform": "sensor",
            "name": f"{name} answer",
            "state_topic": answer,
            "value_template": "{{ value_json.data.label if value_json.status == 'ok' else 'error' }}",
            "json_attributes_topic": answer,
            "json_attributes_template": (
                "{{ (value_json.data if value_json.status == 'ok' else value_json.error) | to_json }}"
            ),
            "force_update": True,
            "icon": "mdi:message-reply-text",
        }

    def _update(self, name: str, newer: NewerBundle) -> Component:
        latest = json.dumps(newer.version)  # as a literal: a version is no template
        install: Component = {
            "command_topic": self._topics.control("load"),
            "payload_install": json.dumps({"model": name}),
        }
        return {
            "platform": "update",
            "name": f"{name} update",
            "title": name,
            "state_topic": self._topics.model(name),
            "value_template": (
                f"{{{{ {{'installed_version': value_json.versions[0], 'latest_version': {latest}}} | to_json }}}}"
            ),
            "entity_category": "config" if newer.installable else "diagnostic",
            **(install if newer.installable else {}),
        }

    def _event(self, rule: str) -> Component:
        return {
            "platform": "event",
            "name": rule,
            "state_topic": self._topics.event(rule),
            "event_types": list(EVENT_TYPES),
            # Home Assistant wants the type under its own name.
            "value_template": "{{ dict(value_json, event_type=value_json.type) | to_json }}",
        }


def _announced_in(payload: bytes) -> dict[str, str]:
    """Key and platform of each entity in a description; none if it is not one of ours.

    A platform that Home Assistant does not know would make it refuse all that is published with it.
    """
    try:
        components = json.loads(payload)["components"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        key: one["platform"]
        for key, one in components
        if isinstance(one, dict) and len(one) > 1 and one.get("platform") in PLATFORMS
    }
