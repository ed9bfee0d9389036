"""What is published when a rule's condition starts, ends or is met: a JSON document, or the rule's own payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_runtime.mqtt.contract import JSON
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.rules.level import Change
from edge_runtime.rules.paths import as_text
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.template import Template

MOST_CHARS = 256  # of a value or text in a document
GAPS = ("at", "device", "id", "label", "lasted_s", "model", "rule", "score", "text", "topic", "type", "value")


@dataclass(frozen=True)
class Sample:
    """One message of a topic: the value that the rule looks at, what a model is asked, and what it said."""

    topic: str
    value: object
    text: str
    label: str | None = None
    score: float | None = None


def event_document(
    rule: Rule, change: Change, sample: Sample, device: str, at_s: float, began_at_s: float | None
) -> dict[str, object]:
    """The document of an event; what is unknown is left out.

    Args:
        sample: the last one.
        at_s: now, seconds since 1970.
        began_at_s: when it started; None: before this process did. Start and end of one event have one id, made of it.
    """
    lasted_s = None if began_at_s is None else round(max(0.0, at_s - began_at_s), 3)
    value = sample.value if isinstance(sample.value, int | float) else as_text(sample.value)[:MOST_CHARS]
    asked = {"model": rule.model, "label": sample.label, "score": sample.score, "text": sample.text[:MOST_CHARS]}
    known = {
        "rule": rule.name,
        "type": change,
        "id": f"{rule.name}-{int((at_s if began_at_s is None else began_at_s) * 1000)}",
        "device": device,
        "topic": sample.topic,
        **(asked if rule.model else {}),
        "value": value,
        "at": _iso(at_s),
        "lasted_s": lasted_s if change == "end" else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def event_message(rule: Rule, topics: Topics, document: Mapping[str, object]) -> Message | None:
    """The message of an event; None: this rule publishes nothing for it."""
    topic = rule.publish or topics.event(rule.name)
    ends = document["type"] == "end"
    own = rule.end_payload if ends else rule.payload
    if own:
        filled = Template(own).fill(lambda name: as_text(document.get(name, ""))) or ""
        return Message(topic, filled.encode(errors="replace"), qos=rule.qos, retain=rule.retain)
    if ends and rule.payload:
        return None
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Message(topic, body, qos=rule.qos, retain=rule.retain, content_type=JSON)


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
