"""Does one sample fulfil a rule? With hysteresis the answer depends on whether the one before did."""

from __future__ import annotations

from edge_runtime.rules.paths import as_number, as_text
from edge_runtime.rules.rule import Rule


class Condition:
    """The condition of a rule for the samples of one topic, one after another."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._side = ""  # where the last sample was: "above", "below", "in" the labels, or "" for none

    def of_value(self, value: object) -> bool | None:
        """Whether a value fulfils the rule; None: it cannot be judged, and changes nothing."""
        rule = self._rule
        if rule.equals and as_text(value) not in rule.equals:
            return self._now("")
        if rule.above is None and rule.below is None:
            return self._now("in")
        number = as_number(value)
        if number is None:
            return None
        if rule.above is not None and number > rule.above - self._slack("above"):
            return self._now("above")
        if rule.below is not None and number < rule.below + self._slack("below"):
            return self._now("below")
        return self._now("")

    def of_answer(self, label: str, score: float) -> bool:
        """Whether a model's answer fulfils the rule."""
        rule = self._rule
        wanted = not rule.labels or label in rule.labels
        return self._now("in" if wanted and score >= rule.score - self._slack("in") else "")

    def _slack(self, side: str) -> float:
        return self._rule.hysteresis if self._side == side else 0.0

    def _now(self, side: str) -> bool:
        self._side = side
        return bool(side)
