"""A service with a model that waits to be let run, and its replies in a queue."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from edge_runtime.config import LimitsConfig, SchedulerConfig
from edge_runtime.engine.cores import Cores
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline, Result
from edge_runtime.service import Service

TOPICS = Topics("hub")
WAIT_S = 10.0


def request(
    text: object = "turn on the light",
    *,
    id: str | None = None,
    model: str = "tiny",
    client: str = "ann/phone",
    **user: str,
) -> Message:
    properties = tuple((key.replace("_", "-"), value) for key, value in user.items())
    identity = (("id", id),) if id else ()
    body = json.dumps({"text": text}).encode()
    reply = f"edgert/v1/r/{client}"
    return Message(TOPICS.infer(model), body, response_topic=reply, correlation=b"c", user=(*identity, *properties))


class Gate(Pipeline):
    """A real pipeline whose runs wait for `open`; counts them and may fail."""

    def __init__(self, inner: Pipeline) -> None:
        self.manifest, self.tokenizer, self.task = inner.manifest, inner.tokenizer, inner.task
        self._inner = inner
        self.entered, self.open = threading.Semaphore(0), threading.Semaphore(0)
        self.runs = 0
        self.failure: Exception | None = None

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        self.entered.release()
        assert self.open.acquire(timeout=WAIT_S)
        self.runs += 1
        if self.failure:
            raise self.failure
        return self._inner.run(texts, truncate)


class Clock:
    """Seconds that pass when told to; with a `step`, at each look too."""

    now = 100.0
    step = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Bench:
    """A service with its replies in a queue."""

    def __init__(
        self,
        model: Pipeline | dict[str, Pipeline],
        scheduling: SchedulerConfig | None = None,
        cores: Cores | None = None,
        **limits: int,
    ) -> None:
        self.replies: queue.Queue[Message] = queue.Queue()
        self.clock = Clock()
        self.wanted: list[str] = []
        self.taken: Callable[[Message], bool] = self._put
        self.service = Service(
            model if isinstance(model, dict) else {"tiny": model},
            TOPICS,
            LimitsConfig(**limits),
            self._publish,
            clock=self.clock,
            scheduling=scheduling or SchedulerConfig(workers=1),
            wanted=self.wanted.append,
            cores=cores,
        )
        self.service.start()

    def _publish(self, message: Message) -> bool:
        return self.taken(message)

    def _put(self, message: Message) -> bool:
        self.replies.put(message)
        return True

    def send(self, message: Message) -> None:
        self.service.receive(message)

    def statuses(self, count: int) -> list[int]:
        """The next replies' statuses."""
        return [self.next()[0] for _ in range(count)]

    def next(self) -> tuple[int, dict[str, Any]]:
        reply = self.replies.get(timeout=WAIT_S)
        return int(dict(reply.user)["status"]), json.loads(reply.payload)
