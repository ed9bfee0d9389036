"""A message's payload -> what a rule looks at. What cannot be read is no sample; nothing here raises."""

from __future__ import annotations

import json
from functools import cached_property

from edge_runtime.rules.events import Sample
from edge_runtime.rules.paths import Path, as_number, as_text, look_up, parse_path
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.template import Template

MOST_BYTES = 65536  # of a payload: sensors send less, and reading JSON holds up the network thread


class Payload:
    """A payload, read once for all rules."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @cached_property
    def text(self) -> str | None:
        """All of it as text; None: too long, or not UTF-8."""
        try:
            return self._data.decode() if len(self._data) <= MOST_BYTES else None
        except UnicodeDecodeError:
            return None

    @cached_property
    def document(self) -> object:
        """The JSON in it; None: none."""
        try:
            return None if self.text is None else _DECODER.decode(self.text)
        except (ValueError, RecursionError):
            return None

    def at(self, path: Path) -> object:
        """What is at a place; None: nothing."""
        return look_up(self.document, path) if path else self.text


class Reader:
    """Reads payloads for one rule."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._value, self._text = parse_path(rule.value), Template(rule.text)
        self._gaps = {gap: parse_path(gap) for gap in self._text.gaps if gap not in ("value", "topic")}
        self._numeric = rule.above is not None or rule.below is not None

    def read(self, topic: str, payload: Payload) -> Sample | None:
        """The sample in a message; None: the value, or what a gap of the text asks for, is not in it."""
        value = payload.at(self._value)
        if value is None:
            return None
        if self._numeric and isinstance(value, str):
            value = as_number(value)
        text = self._text.fill(lambda gap: self._fill(gap, topic, value, payload)) if self._rule.model else ""
        return None if text is None else Sample(topic, value, text)

    def _fill(self, gap: str, topic: str, value: object, payload: Payload) -> str | None:
        if gap == "topic":
            return topic
        found = value if gap == "value" else payload.at(self._gaps[gap])
        return None if found is None else as_text(found)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
