"""All rules together: messages and models' answers in, questions and events out. No I/O, reads no clock but for `at`.

Bounded whatever comes: a rule has one question under way at most, of each topic the latest message waits, and the
topics of a rule are limited.
"""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.rules.checks import check_models
from edge_runtime.rules.condition import Condition
from edge_runtime.rules.events import Sample, event_document, event_message
from edge_runtime.rules.filters import matches, without_covered
from edge_runtime.rules.level import Change, Level
from edge_runtime.rules.reading import Payload, Reader
from edge_runtime.rules.rule import Rule

MOST_TOPICS = 256  # of a rule
ANSWER_S = 30.0  # then a question counts as failed
RETRY_S = 1.0  # after a failed question
TRIES = 3


@dataclass(frozen=True)
class Ask:
    """A question of a rule to a model; `number` tells it from all others."""

    rule: str
    model: str
    text: str
    number: int


@dataclass
class Due:
    """What is to be done: questions to ask, events to publish."""

    asks: list[Ask] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


@dataclass
class Counted:
    """What happened since the start; `skipped` messages could not be read or judged."""

    samples: int = 0
    skipped: int = 0
    asked: int = 0
    failed: int = 0
    events: int = 0


class _Source:
    """One topic of a rule."""

    def __init__(self, rule: Rule) -> None:
        self.condition, self.level = Condition(rule), Level(rule)
        self.sample = Sample("", None, "")
        self.began_at_s: float | None = None
        self.next_s = float("-inf")


class _State:
    """One rule with its topics, what waits of them, and the question under way."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.reader = rule, Reader(rule)
        self.sources: OrderedDict[str, _Source] = OrderedDict()  # the one heard longest ago first
        self.waiting: dict[str, tuple[Sample, int]] = {}  # of each topic the latest, and how often it was asked about
        self.asked: tuple[Ask, Sample, int] | None = None
        self.asked_s = 0.0
        self.free_s = float("-inf")

    def hear(self, topic: str) -> _Source | None:
        """The source of a topic; None: there are too many."""
        source = self.sources.get(topic)
        if source is None:
            if len(self.sources) >= MOST_TOPICS and not self._forget_one():
                return None
            source = self.sources[topic] = _Source(self.rule)
        self.sources.move_to_end(topic)
        return source

    def _forget_one(self) -> bool:
        asked = self.asked[1].topic if self.asked else None
        for topic, source in self.sources.items():
            if not source.level.on and topic != asked and topic not in self.waiting:
                del self.sources[topic]
                return True
        return False


class Rules:
    """The rules of a device. Not locked: one caller at a time.

    Args:
        rules: checked by `check_rules`.
        topics: the device's.
        wall_clock: seconds since 1970, for what events say of their time.

    Attributes:
        subscriptions: the filters to subscribe to.
    """

    def __init__(self, rules: Sequence[Rule], topics: Topics, wall_clock: Callable[[], float] = time.time) -> None:
        self._rules, self._topics, self._wall_clock = tuple(rules), topics, wall_clock
        self._states = {rule.name: _State(rule) for rule in rules}
        self._number = 0
        self.subscriptions = without_covered([rule.topic for rule in rules])
        self.counted = Counted()

    def check(self, labels: Mapping[str, Sequence[str]]) -> None:
        """Check that the models of the rules are there: name -> labels. ConfigError: what is missing."""
        check_models(self._rules, labels)

    def wants(self, topic: str) -> bool:
        """Whether a rule looks at this topic."""
        return any(matches(filter_text, topic) for filter_text in self.subscriptions)

    def under_way(self, number: int) -> Ask | None:
        """The question of this number, if it still waits for its answer."""
        asked = (state.asked[0] for state in self._states.values() if state.asked)
        return next((ask for ask in asked if ask.number == number), None)

    def on_message(self, topic: str, payload: bytes, now_s: float, *, retained: bool = False) -> Due:
        """Take a message. A retained one is not news: rules that tell of each sample leave it out."""
        due, read = Due(), Payload(payload)
        for state in self._states.values():
            if not matches(state.rule.topic, topic) or (retained and state.rule.events == "each"):
                continue
            self.counted.samples += 1
            sample = state.reader.read(topic, read)
            if sample is None or state.hear(topic) is None:
                self.counted.skipped += 1
                continue
            state.waiting[topic] = (sample, 0)
            self._go_on(state, now_s, due)
        return due

    def on_answer(self, ask: Ask, answer: Mapping[str, object] | None, now_s: float) -> Due:
        """Take a model's answer, `{"label": ..., "score": ...}`; None: there is none, it may be asked again."""
        due, state = Due(), self._states.get(ask.rule)
        if state is None or state.asked is None or state.asked[0] != ask:
            return due  # too late
        _, sample, tries = state.asked
        state.asked = None
        label, score = (answer or {}).get("label"), (answer or {}).get("score")
        if isinstance(label, str) and isinstance(score, int | float):
            source = state.sources[sample.topic]
            holds = source.condition.of_answer(label, score)
            self._judged(state, source, dataclasses.replace(sample, label=label, score=score), holds, now_s, due)
        else:
            self.counted.failed += 1
            state.free_s = now_s + RETRY_S
            if tries < TRIES:
                state.waiting.setdefault(sample.topic, (sample, tries))
                state.sources[sample.topic].next_s = now_s
        self._go_on(state, now_s, due)
        return due

    def on_tick(self, now_s: float) -> Due:
        """Time passes; to be called about once a second."""
        due = Due()
        for state in self._states.values():
            if state.asked is not None and now_s - state.asked_s > ANSWER_S:
                late = self.on_answer(state.asked[0], None, now_s)
                due.asks += late.asks
                due.messages += late.messages
            self._go_on(state, now_s, due)
            for source in state.sources.values():
                self._tell(state.rule, source, source.level.tick(now_s), due)
        return due

    def _go_on(self, state: _State, now_s: float, due: Due) -> None:
        """Judge or ask about what waits and may go now."""
        for topic, (sample, tries) in list(state.waiting.items()):
            source = state.sources[topic]
            if now_s < source.next_s:
                continue
            if state.rule.model and (state.asked is not None or now_s < state.free_s):
                return
            del state.waiting[topic]
            source.next_s = now_s + state.rule.every_s
            if state.rule.model:
                self._ask(state, sample, tries + 1, now_s, due)
            else:
                self._judged(state, source, sample, source.condition.of_value(sample.value), now_s, due)

    def _ask(self, state: _State, sample: Sample, tries: int, now_s: float, due: Due) -> None:
        self._number += 1
        self.counted.asked += 1
        ask = Ask(state.rule.name, state.rule.model, sample.text, self._number)
        state.asked, state.asked_s = (ask, sample, tries), now_s
        due.asks.append(ask)

    def _judged(
        self, state: _State, source: _Source, sample: Sample, holds: bool | None, now_s: float, due: Due
    ) -> None:
        if holds is None:
            self.counted.skipped += 1
            return
        source.sample = sample
        self._tell(state.rule, source, source.level.sample(holds, now_s), due)

    def _tell(self, rule: Rule, source: _Source, change: Change | None, due: Due) -> None:
        if change is None:
            return
        at_s = self._wall_clock()
        if change != "end":
            source.began_at_s = at_s
        elif rule.events == "start":
            return
        document = event_document(rule, change, source.sample, self._topics.device, at_s, source.began_at_s)
        message = event_message(rule, self._topics, document)
        if message is not None:
            self.counted.events += 1
            due.messages.append(message)
