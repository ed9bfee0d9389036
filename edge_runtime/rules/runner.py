"""The rules beside a service: their questions are ordinary requests, so all that holds for requests holds for them.

A question goes into the service as a message with a reply topic of its own; replies to that topic never reach the
broker, they come back here.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.rules.engine import ANSWER_S, Ask, Due, Rules
from edge_runtime.rules.rule import Rule

log = logging.getLogger("edgert.rules")

TICK_S = 1.0
MOST_UNSENT = 64  # events kept while the broker is away; then the oldest are lost
_KEY_BYTES = 16


class RuleRunner:
    """Runs rules. Safe to use from any thread.

    Args:
        rules: checked by `check_rules`.
        topics: the device's.
        ask: takes a request as if it had come from the broker, as `Service.receive` does.
        publish: sends an event; False when it could not be sent.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        topics: Topics,
        ask: Callable[[Message], None],
        publish: Callable[[Message], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rules = Rules(rules, topics)
        self._topics, self._ask, self._publish, self._clock = topics, ask, publish, clock
        prefix = topics.reply_prefixes[0] if topics.reply_prefixes else f"{topics.root}/r/"
        self.reply_topic = f"{prefix}edgert/rules-of-{topics.device}"
        self._key = secrets.token_bytes(_KEY_BYTES)  # whoever else names this reply topic cannot answer a rule
        self._unsent: deque[Message] = deque(maxlen=MOST_UNSENT)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="edgert-rules", daemon=True)

    @property
    def subscriptions(self) -> list[str]:
        """The filters to subscribe to."""
        return self.rules.subscriptions

    def start(self) -> None:
        """Start the thread that lets time pass; without rules there is none."""
        if self.subscriptions:
            self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def receive(self, message: Message) -> bool:
        """Take a message from the broker, on the network thread; False if no rule looks at its topic."""
        if not self.rules.wants(message.topic):
            return False
        self._do(lambda now_s: self.rules.on_message(message.topic, message.payload, now_s, retained=message.retain))
        return True

    def take_reply(self, message: Message) -> bool:
        """Take a message that is about to be published, if it answers a rule; False: publish it."""
        if message.topic != self.reply_topic:
            return False
        key, number = (message.correlation or b"")[:_KEY_BYTES], (message.correlation or b"")[_KEY_BYTES:]
        if not secrets.compare_digest(key, self._key):
            return True  # the answer to a stranger who gave our reply topic goes nowhere
        answer = _answer(message)
        self._do(lambda now_s: self._answered(int.from_bytes(number), answer, now_s))
        return True

    def tick(self) -> None:
        """Let time pass."""
        self._do(self.rules.on_tick)

    def _do(self, step: Callable[[float], Due]) -> None:
        with self._lock:  # events leave in the order in which they came about
            due = step(self._clock())
            self._unsent += due.messages
            while self._unsent and self._publish(self._unsent[0]):
                self._unsent.popleft()
        for ask in due.asks:  # not under the lock: a refusal comes back at once, by way of `take_reply`
            self._ask(self._question(ask))

    def _answered(self, number: int, answer: Mapping[str, object] | None, now_s: float) -> Due:
        ask = self.rules.under_way(number)
        return Due() if ask is None else self.rules.on_answer(ask, answer, now_s)

    def _question(self, ask: Ask) -> Message:
        body = json.dumps({"text": ask.text, "truncate": True}, ensure_ascii=False).encode(errors="replace")
        correlation = self._key + ask.number.to_bytes(8)
        topic, deadline = self._topics.infer(ask.model), ("deadline-ms", str(round(ANSWER_S * 1000)))
        return Message(topic, body, response_topic=self.reply_topic, correlation=correlation, user=(deadline,))

    def _work(self) -> None:
        while not self._stopped.wait(TICK_S):
            try:
                self.tick()
            except Exception:  # the thread must outlive whatever one tick runs into
                log.exception("a tick of the rules failed")


def _answer(message: Message) -> Mapping[str, object] | None:
    """The answer in a reply; None: it is an error."""
    if dict(message.user).get("status") != "200":
        log.info("a rule's question was refused: %s", message.payload[:300].decode(errors="replace"))
        return None
    answer = json.loads(message.payload)
    return answer if isinstance(answer, dict) else None
