"""Whether rules make sense before anything runs: each by itself, and that together they cannot feed themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from edge_runtime.errors import ConfigError
from edge_runtime.rules.events import GAPS
from edge_runtime.rules.filters import is_filter, is_topic, matches, overlap
from edge_runtime.rules.paths import parse_path
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.template import Template

MOST_RULES, MOST_SAMPLES, MOST_S = 256, 1000, 7 * 86400.0
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TEXT_GAPS = ("value", "topic")
_T = TypeVar("_T")


def check_rules(rules: Sequence[Rule], root: str, device: str) -> None:
    """Check rules as they stand in the config of a device.

    Raises:
        ConfigError: names the rule, the key, what was found and what was expected.
    """
    if len(rules) > MOST_RULES:
        raise ConfigError(f"rules has {len(rules)} entries, at most {MOST_RULES} are taken")
    for at, rule in enumerate(rules):
        place = f"rules[{at}] {rule.name[:64]!r}"
        if not _WORD.fullmatch(rule.name):
            raise ConfigError(f"{place}: name must be 1 to 64 of A-Z a-z 0-9 _ . -")
        if any(other.name == rule.name for other in rules[:at]):
            raise ConfigError(f"{place}: name is taken by an earlier rule: choose another")
        for check in (_check_numbers, _check_condition, _check_texts):
            check(place, rule)
        _check_topics(place, rule, root, device)
    _check_no_circle(rules, root, device)


def check_models(rules: Sequence[Rule], labels: Mapping[str, Sequence[str]]) -> None:
    """Check rules against the models of a daemon.

    Args:
        labels: of each model; empty for one that does not classify.

    Raises:
        ConfigError: a rule's model is not there, does not classify, or has not the label.
    """
    for at, rule in enumerate(rules):
        if not rule.model:
            continue
        place = f"rules[{at}] {rule.name!r}"
        if rule.model not in labels:
            known = ", ".join(sorted(labels)) or "(none)"
            raise ConfigError(f"{place}: model {rule.model[:64]!r} is not served here: use one of {known}")
        known_labels = labels[rule.model]
        if not known_labels:
            raise ConfigError(f"{place}: model {rule.model!r} gives no labels: use one that classifies")
        for label in rule.labels:
            if label not in known_labels:
                some = ", ".join(known_labels[:8]) + (", ..." if len(known_labels) > 8 else "")
                raise ConfigError(f"{place}: model {rule.model!r} has no label {label[:64]!r}: it has {some}")


def _check_numbers(place: str, rule: Rule) -> None:
    for key in ("above", "below"):
        value = getattr(rule, key)
        if value is not None and not math.isfinite(value):
            raise ConfigError(f"{place}: {key} is {value}, expected a finite number")
    ranges: dict[str, tuple[float, float]] = {
        "score": (0.0, 1.0),
        "of_last": (1, MOST_SAMPLES),
        "at_least": (1, rule.of_last),
        "qos": (0, 1),
        **dict.fromkeys(("for_s", "clear_s", "cooldown_s", "every_s"), (0.0, MOST_S)),
    }
    for key, (least, most) in ranges.items():
        if not least <= getattr(rule, key) <= most:  # nan is in no range
            raise ConfigError(f"{place}: {key} is {getattr(rule, key)}, must be {least:g} to {most:g}")
    if not 0.0 <= rule.hysteresis < math.inf:
        raise ConfigError(f"{place}: hysteresis is {rule.hysteresis}, must be 0 or more")
    if rule.above is not None and rule.below is not None and rule.below > rule.above:
        raise ConfigError(f"{place}: below {rule.below:g} is over above {rule.above:g}: every value would fulfil it")


def _check_condition(place: str, rule: Rule) -> None:
    numeric = rule.above is not None or rule.below is not None
    if rule.model:
        if numeric or rule.equals:
            raise ConfigError(f"{place}: above, below and equals judge a value: with a model use labels and score")
        unconditional = not rule.labels and rule.score == 0.0
    else:
        if rule.labels or rule.score:
            raise ConfigError(
                f"{place}: labels and score judge a model's answer: give model, or use above, below, equals"
            )
        if rule.text != "{value}":
            raise ConfigError(f"{place}: text is what a model is asked: give model or leave it out")
        if numeric and rule.equals:
            raise ConfigError(f"{place}: equals and above or below judge the same value: give one of them")
        unconditional = not numeric and not rule.equals
    if unconditional and rule.events != "each":
        raise ConfigError(f'{place}: there is no condition: give one, or events = "each" to publish every sample')
    if rule.hysteresis and not (numeric or rule.score):
        raise ConfigError(f"{place}: hysteresis needs above, below or score")
    if rule.events == "each" and (rule.for_s or rule.clear_s or rule.end_payload):
        raise ConfigError(f'{place}: for_s, clear_s and end_payload belong to starts and ends, not to events = "each"')
    if rule.events == "start" and rule.end_payload:
        raise ConfigError(f'{place}: end_payload is never published with events = "start"')


def _check_texts(place: str, rule: Rule) -> None:
    _attempt(f"{place}: value", parse_path, rule.value)
    for gap in _attempt(f"{place}: text", Template, rule.text).gaps:
        if not gap:
            raise ConfigError(f"{place}: text has an empty gap: write {{value}}")
        if gap not in _TEXT_GAPS:
            _attempt(f"{place}: text", parse_path, gap)
    for key in ("payload", "end_payload"):
        for gap in _attempt(f"{place}: {key}", Template, getattr(rule, key)).gaps:
            if gap not in GAPS:
                raise ConfigError(f"{place}: {key} has a gap {{{gap[:40]}}}, expected one of {', '.join(GAPS)}")


def _attempt(place: str, read: Callable[[str], _T], text: str) -> _T:
    try:
        return read(text)
    except ValueError as error:
        raise ConfigError(f"{place}: {error}") from error


def _check_topics(place: str, rule: Rule, root: str, device: str) -> None:
    if not is_filter(rule.topic):
        raise ConfigError(
            f"{place}: topic {rule.topic[:80]!r} is no MQTT filter: + and # stand for whole levels, # last"
        )
    if rule.topic.startswith("$share"):
        raise ConfigError(f"{place}: topic {rule.topic[:80]!r} is a shared subscription, which rules do not take")
    asked = (f"{root}/d/+/req/#", f"{root}/g/+/req/#", f"{root}/r/#", f"{root}/d/+/res/#")
    own = tuple(f"{root}/d/{device}/{kind}" for kind in ("status", "info", "load", "stats", "model/#"))
    for forbidden in asked + (own if rule.model else ()):
        if overlap(rule.topic, forbidden):
            raise ConfigError(
                f"{place}: topic {rule.topic[:80]!r} takes in {forbidden}, where a rule would hear itself: narrow it"
            )
    if not rule.publish:
        return
    if not is_topic(rule.publish) or rule.publish.startswith("$"):
        raise ConfigError(f"{place}: publish {rule.publish[:80]!r} is no topic: no +, # or $")
    if matches(f"{root}/#", rule.publish) and not rule.publish.startswith(f"{root}/d/{device}/event/"):
        raise ConfigError(
            f"{place}: publish {rule.publish[:80]!r} must not be under {root}/ but in {root}/d/{device}/event/"
        )


def _check_no_circle(rules: Sequence[Rule], root: str, device: str) -> None:
    """Refuse rules whose events come back to them, by themselves or through others."""
    outputs = {rule.name: rule.publish or f"{root}/d/{device}/event/{rule.name}" for rule in rules}
    feeds = {name: [other.name for other in rules if matches(other.topic, topic)] for name, topic in outputs.items()}
    for at, rule in enumerate(rules):
        seen: set[str] = set()
        reached = list(feeds[rule.name])
        while reached:
            name = reached.pop()
            if name == rule.name:
                way = "its own topic" if name in feeds[name] else "the topics of other rules back to it"
                raise ConfigError(f"rules[{at}] {name!r}: its events go to {way}: publish elsewhere or narrow topic")
            if name not in seen:
                seen.add(name)
                reached += feeds[name]
