"""One rule as the config says it: plain data, checked in `checks.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Events = Literal["change", "start", "each"]


@dataclass(frozen=True)
class Rule:
    """Messages of `topic` -> (a model ->) a condition -> events.

    Attributes:
        name: a topic word; the events' topic ends with it if `publish` does not say otherwise.
        topic: MQTT filter of the messages to look at; each topic that matches has its own state.
        value: place in the JSON payload, as `temperature` or `a.b[0]`; empty: the whole payload as text.
        text: what the model is asked: `{value}`, `{topic}` and places in the payload are filled in.
        model: who is asked; empty: the value itself is judged.
        labels, score: the answer's label is one of these (empty: any), and its score at least this.
        equals: the value, as text, is one of these.
        above, below: the value is over, or under, this number.
        hysteresis: by how much the value or score must come back before the condition ends.
        at_least, of_last: so many of the last so many samples must fulfil it.
        for_s: so long it must hold before it starts.
        clear_s: so long it must not hold before it ends.
        cooldown_s: so long after a start there is no other.
        every_s: at most one sample of a topic in this time; the latest counts.
        events: `change`: start and end; `start`: only starts; `each`: every sample that fulfils it.
        publish: topic of the events.
        payload, end_payload: what is published instead of the JSON document; with the first alone ends are silent.
    """

    name: str
    topic: str
    value: str = ""
    text: str = "{value}"
    model: str = ""
    labels: tuple[str, ...] = ()
    score: float = 0.0
    equals: tuple[str, ...] = ()
    above: float | None = None
    below: float | None = None
    hysteresis: float = 0.0
    at_least: int = 1
    of_last: int = 1
    for_s: float = 0.0
    clear_s: float = 0.0
    cooldown_s: float = 0.0
    every_s: float = 0.0
    events: Events = "change"
    publish: str = ""
    payload: str = ""
    end_payload: str = ""
    retain: bool = False
    qos: int = 1
