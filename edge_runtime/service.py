"""From a message to its reply: bounded queue, one worker, repeats by id, and the one place where errors become replies.

`receive` runs on the network thread and never blocks; models run on the worker thread alone.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from edge_runtime.config import LimitsConfig
from edge_runtime.errors import BadRequest, Busy, DeadlinePassed, Draining, EdgertError, InputTooLong, ModelNotFound
from edge_runtime.mqtt.contract import (
    Address,
    Refused,
    Request,
    answer_body,
    encode_answer,
    encode_error,
    parse_request,
    tensor_body,
)
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline, Result
from edge_runtime.replies import Job, Outcome, RememberedReplies

log = logging.getLogger("edgert.service")

_GUESS_MS = 50.0  # a request's duration before the first was measured


@dataclass
class Counters:
    """What happened since the start; `refused` counts by error code."""

    received: int = 0
    answered: int = 0
    repeated: int = 0
    unsent: int = 0
    refused: collections.Counter[str] = field(default_factory=collections.Counter)


class Service:
    """Answers requests for a set of loaded models.

    Args:
        models: name -> pipeline.
        topics: the device's topics.
        limits: queue, payload and text limits.
        publish: sends a reply; returns False when it could not be sent. Called from both threads.
        publish_minor: sends a refusal of what never was in the queue, of which a flood makes many.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        models: Mapping[str, Pipeline],
        topics: Topics,
        limits: LimitsConfig,
        publish: Callable[[Message], bool],
        publish_minor: Callable[[Message], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models, self._topics, self._limits = models, topics, limits
        self._publish, self._publish_minor, self._clock = publish, publish_minor or publish, clock
        self._jobs: collections.deque[Job] = collections.deque()
        self._queued_bytes = 0
        self._running: Job | None = None
        self._typical_ms = _GUESS_MS
        self._draining = False
        self._changed = threading.Condition()
        self._replies = RememberedReplies(limits.remembered_ids, limits.remembered_bytes, limits.remembered_s)
        self._worker = threading.Thread(target=self._work, name="edgert-worker", daemon=True)
        self.counters = Counters()

    def start(self) -> None:
        """Start the worker."""
        self._worker.start()

    def receive(self, message: Message) -> None:
        """Take a message from a request topic: queue it, join it to a running repeat, or reply why not."""
        self.counters.received += 1
        try:
            request = parse_request(message, self._topics, self._limits.payload_bytes)
        except Refused as refused:
            self._refuse(refused.address, refused.error, self._publish_minor)
            return
        try:
            self._admit(request)
        except EdgertError as error:
            self._refuse(request.address, error, self._publish_minor)

    def drain(self, timeout_s: float) -> bool:
        """Take nothing new, finish what is queued, stop the worker.

        Returns:
            False if it did not finish in time: then who still waits was told so, and what runs is left running.
        """
        with self._changed:
            self._draining = True
            self._changed.notify_all()
        if self._worker.is_alive():
            self._worker.join(timeout_s)
        self._dismiss()
        return not self._worker.is_alive()

    @property
    def draining(self) -> bool:
        """Whether `drain` was called."""
        return self._draining

    @property
    def queued(self) -> int:
        """Requests that wait or run."""
        return len(self._jobs) + (self._running is not None)

    def _admit(self, request: Request) -> None:
        if request.model not in self._models:
            raise ModelNotFound(request.model, sorted(self._models))
        self._models[request.model].check_count(len(request.texts))  # a queue of many tiny texts would be large
        longest = max(map(len, request.texts), default=0)
        if longest > self._limits.text_chars:  # before tokenizing: a megabyte of text would hold up everybody
            raise InputTooLong(longest, self._limits.text_chars, "characters")
        with self._changed:
            if self._draining:
                raise Draining("this daemon is shutting down: send it to another or again later")
            now_s = self._clock()
            running, known = self._replies.under_way(request), self._replies.stored(request, now_s)
            if running is not None:
                self._join(running, request, now_s)
            elif known is None:
                self._enqueue(request, now_s)
                return
        self.counters.repeated += 1
        if known is not None:
            self._reply(request.address, known)

    def _join(self, job: Job, request: Request, now_s: float) -> None:
        if self._replies.joined >= self._limits.queue_requests:
            raise Busy(self._replies.joined, max(1, round(self._typical_ms)))
        self._replies.join(job, request, now_s)

    def _enqueue(self, request: Request, now_s: float) -> None:
        waiting = len(self._jobs)
        if waiting >= self._limits.queue_requests or self._queued_bytes + request.size_bytes > self._limits.queue_bytes:
            raise Busy(waiting, max(1, round(self._typical_ms * (waiting + 1) / 2)))
        self._jobs.append(self._replies.begin(request, now_s))
        self._queued_bytes += request.size_bytes
        self._changed.notify()

    def _work(self) -> None:
        while (job := self._next_job()) is not None:
            outcome = self._outcome(job)
            with self._changed:
                addresses = self._replies.finish(job, outcome, self._clock())
                self._running = None
            self._reply_all(addresses, outcome)

    def _dismiss(self) -> None:
        """Tell everyone who waits that the time for shutting down is over."""
        outcome = Outcome(b"", Draining("this daemon is shutting down and had no time left: send it again later"), {})
        with self._changed:
            jobs = [*([self._running] if self._running else []), *self._jobs]
            self._jobs.clear()
            self._queued_bytes = 0
            addresses = [address for job in jobs for address in self._replies.finish(job, outcome, self._clock())]
        self._reply_all(addresses, outcome)

    def _next_job(self) -> Job | None:
        with self._changed:
            while not self._jobs:
                if self._draining:
                    return None
                self._changed.wait()
            job = self._jobs.popleft()
            self._queued_bytes -= job.request.size_bytes
            self._running = job
            return job

    def _outcome(self, job: Job) -> Outcome:
        now_s = self._clock()
        timing = {"queue-us": round((now_s - job.arrived_s) * 1e6)}
        try:
            if now_s >= job.ends_s:
                deadline_s, waited_s = job.ends_s - job.arrived_s, now_s - job.arrived_s
                raise DeadlinePassed(
                    f"deadline of {deadline_s:g} s passed after {waited_s:.3f} s in the queue: not run"
                )
            result = self._models[job.request.model].run(job.request.texts, job.request.truncate)
            body = self._body(job.request, result)
        except EdgertError as error:
            return Outcome(b"", error, timing)
        except Exception as error:
            log.exception("model %s failed", job.request.model)
            reason = f"the model failed ({type(error).__name__}): the daemon's log has more"
            return Outcome(b"", EdgertError(reason), timing)
        timing["infer-us"] = (result.encode_ns + result.run_ns + result.answer_ns) // 1000
        self._typical_ms += 0.1 * (timing["infer-us"] / 1000 - self._typical_ms)
        return Outcome(body, None, timing)

    def _body(self, request: Request, result: Result) -> bytes:
        pipeline = self._models[request.model]
        version = pipeline.manifest.version
        if request.form == "tensors":
            outputs = pipeline.task.tensors(result.values)
            return tensor_body(request, version, [tensor.plain() for tensor in outputs])
        return answer_body(request, version, [pipeline.task.plain(row) for row in result.values], result.truncated)

    def _reply_all(self, addresses: Sequence[Address], outcome: Outcome) -> None:
        for address in addresses:
            try:
                self._reply(address, outcome)
            except Exception:  # without its worker the service would stand still
                self.counters.unsent += 1
                log.exception("a reply to %s failed", address.topic)

    def _reply(self, address: Address, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._refuse(address, outcome.error, self._publish, outcome.timing)
            return
        sent = self._publish(encode_answer(address, outcome.body, outcome.timing))
        self.counters.answered += sent
        self.counters.unsent += not sent

    def _refuse(
        self,
        address: Address | None,
        error: EdgertError,
        publish: Callable[[Message], bool],
        timing: Mapping[str, int] | None = None,
    ) -> None:
        self.counters.refused[error.code] += 1
        log.log(logging.DEBUG if isinstance(error, Busy | BadRequest) else logging.INFO, "refused: %s", error)
        if address is not None and not publish(encode_error(address, error, timing)):
            self.counters.unsent += 1
