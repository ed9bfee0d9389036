"""From a message to its reply: the one place where errors become replies.

`take` and `attend` run on the network thread and never hold it up for long: models run on the worker threads, but for a
single request that is known to be shorter than the way to a worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from edge_runtime.config import LimitsConfig, SchedulerConfig
from edge_runtime.engine.cores import Cores, cores_here
from edge_runtime.errors import BadRequest, Busy, Cancelled, Draining, EdgertError, InputTooLong
from edge_runtime.model import Model, takes_of
from edge_runtime.mqtt.contract import Address, Control, Refused, Request, json_body, parse
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.service.desk import Desk
from edge_runtime.service.job import Job, Outcome
from edge_runtime.service.models import Models
from edge_runtime.service.replier import Counters, Replier
from edge_runtime.service.replies import RememberedReplies
from edge_runtime.service.runs import Finished, Runs
from edge_runtime.service.scheduler import Scheduler
from edge_runtime.service.workers import Workers, late, waited
from edge_runtime.takes import TEXTS_ONLY, Takes

_STANDARD = SchedulerConfig()


class Service:
    """Answers requests for a set of models.

    Attributes:
        workers: runs at once, at most.

    Args:
        models: name -> model; a dictionary may be changed while the service runs.
        topics: the device's topics.
        limits: queue, payload and text limits.
        publish: sends a reply; returns False when it could not be sent. Called from any thread.
        publish_minor: sends a refusal of what never was in the queue, of which a flood makes many.
        clock: monotonic seconds.
        scheduling: workers and batches.
        control: answers a control request; called on the network thread. None refuses them all.
        takes: what the model of a name can be asked with; by default, what a loaded one says.
        wanted: told the name of a known model that a request waits for and that is not loaded.
        finished: told of every request that was run.
        cores: how models share the board's; None: as `scheduling` says.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        topics: Topics,
        limits: LimitsConfig,
        publish: Callable[[Message], bool],
        publish_minor: Callable[[Message], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        scheduling: SchedulerConfig = _STANDARD,
        control: Callable[[Control], None] | None = None,
        takes: Callable[[str], Takes] | None = None,
        wanted: Callable[[str], None] = lambda name: None,
        finished: Finished | None = None,
        cores: Cores | None = None,
    ) -> None:
        self._topics, self._limits = topics, limits
        cores = cores or Cores(cores_here(), 0, scheduling.workers, scheduling.per_model)
        self.workers = cores.runs
        self._clock, self._control, self._wanted = clock, control, wanted
        self.models = Models.of(models)
        self._takes = takes or self._takes_of_loaded
        scheduler = Scheduler(limits.queue_requests, limits.queue_bytes, scheduling.batch_tokens)
        replies = RememberedReplies(limits.remembered_ids, limits.remembered_bytes, limits.remembered_s)
        self._desk = Desk(self.models, scheduler, replies)
        self._replier = Replier(publish, publish_minor or publish)
        self._workers = Workers(self._desk, self._replier, Runs(finished), scheduling, cores, clock)

    def start(self) -> None:
        """Start the workers."""
        self._workers.start()

    # --- the network thread ------------------------------------------------------------------------------------------

    def take(self, message: Message) -> None:
        """Take a message from a request topic: queue it, join it to a running repeat, or reply why not.

        What was queued waits for `attend()`: a worker that is woken while the next message is read takes turns with
        the reader at Python's lock, and both are late.
        """
        self.counters.received += 1
        try:
            asked = parse(message, self._topics, self._limits.payload_bytes, self._takes)
        except Refused as refused:
            self._replier.refuse(refused.address, refused.error, minor=True)
            return
        try:
            if isinstance(asked, Control):
                self._obey(asked)
            else:
                self._admit(asked)
        except EdgertError as error:
            self._replier.refuse(asked.address, error, minor=True)

    def attend(self) -> None:
        """See to what was taken: a single short request is run here and now, for the rest workers are woken."""
        self._workers.attend(here=True)

    def receive(self, message: Message) -> None:
        """Take a message, on any thread; a worker runs it."""
        self.take(message)
        self._workers.attend()

    def _obey(self, asked: Control) -> None:
        if asked.verb == "cancel":
            self.reply(asked.address, self.cancel(asked.user, asked.id or ""))
        elif self._control is None:
            raise BadRequest(f"{asked.verb} is not answered here")
        else:
            self._control(asked)

    def _admit(self, request: Request) -> None:
        model = self.models.check(request.model)
        if model is not None:
            model.check(request)  # a queue of many tiny texts would be large
        longest = max(map(len, (*request.texts, *request.pairs, *request.labels)), default=0)
        if longest > self._limits.text_chars:  # before tokenizing: a megabyte of text would hold up everybody
            raise InputTooLong(longest, self._limits.text_chars, "characters")
        desk, out = self._desk, list[Job]()
        with desk.lock:
            if desk.draining:
                raise Draining("this daemon is shutting down: send it to another or again later")
            now_s = self._clock()
            running, known = desk.replies.under_way(request), desk.replies.stored(request, now_s)
            if running is not None:
                self._join(running, request, now_s)
            elif known is None:
                out = self._enqueue(request, now_s)
        if out:
            self._dismiss(out, lambda job, now_s: late(job, now_s) if job.ends_s <= now_s else self._busy())
        if known is not None or running is not None:
            self.counters.repeated += 1
        elif model is None:
            self._wanted(request.model)
        if known is not None:
            self._replier.send([request.address], known)

    def _join(self, job: Job, request: Request, now_s: float) -> None:
        replies = self._desk.replies
        if replies.joined >= self._limits.queue_requests:
            raise Busy(replies.joined, max(1, round(self._desk.typical_ms)))
        replies.join(job, request, now_s)

    def _enqueue(self, request: Request, now_s: float) -> list[Job]:
        """Let a request wait; gives those that have to leave for it: too late, or of a client that has too many."""
        scheduler, out = self._desk.scheduler, list[Job]()
        if not scheduler.has_room(request.size_bytes):
            out = scheduler.expired(now_s)
        if not scheduler.has_room(request.size_bytes):
            victim = scheduler.one_too_many_of(request.user)
            if victim is not None and not scheduler.has_room(request.size_bytes):
                scheduler.add(victim)
            elif victim is not None:
                out.append(victim)
        if not scheduler.has_room(request.size_bytes):
            raise self._busy()
        scheduler.add(self._desk.replies.begin(request, now_s))
        self._desk.fresh += 1
        return out

    def _takes_of_loaded(self, name: str) -> Takes:
        model = self.models.loaded.get(name)
        return TEXTS_ONLY if model is None else takes_of(model.manifest)

    def _busy(self) -> Busy:
        waiting = self._desk.scheduler.queued
        return Busy(waiting, max(1, round(self._desk.typical_ms * (waiting + 1) / 2 / self.workers)))

    # --- any thread --------------------------------------------------------------------------------------------------

    @property
    def counters(self) -> Counters:
        """What happened since the start."""
        return self._replier.counters

    @property
    def draining(self) -> bool:
        """Whether `drain` was called."""
        return self._desk.draining

    @property
    def queued(self) -> int:
        """Requests that wait or run."""
        return self._desk.scheduler.queued + self.running

    @property
    def running(self) -> int:
        """Requests that run."""
        return len(self._desk.running)

    @property
    def typical_ms(self) -> float:
        """What a request takes in its model, a moving mean."""
        return self._desk.typical_ms

    def reply(self, address: Address, body: Mapping[str, object]) -> None:
        """Answer a control request."""
        self._replier.send([address], Outcome(json_body(body), None, {}))

    def refuse(self, address: Address, error: EdgertError) -> None:
        """Answer a control request with an error."""
        self._replier.refuse(address, error)

    def cancel(self, user: str, request_id: str) -> dict[str, object]:
        """Answer 409 to who waits for a request: one that waits is never run, one that streams ends."""
        desk = self._desk
        with desk.lock:
            jobs = desk.replies.named(user, request_id)
            waiting = [job for job in desk.scheduler if job in jobs]
            for job in waiting:
                desk.scheduler.remove(job)
            for job in jobs:
                job.cancelled = True
        cancelled = Cancelled(f"request {request_id[:64]!r} was cancelled")
        self._dismiss(jobs, lambda job, now_s: cancelled)
        state = "unknown" if not jobs else "waiting" if waiting else "running"
        return {"id": request_id, "cancelled": len(jobs), "was": state}

    def model_changed(self) -> None:
        """A model was loaded: what waited for it can run."""
        self._workers.wake()

    def fail(self, model: str, error: EdgertError) -> None:
        """Answer everyone who waits for a model that cannot be loaded."""
        desk = self._desk
        with desk.lock:
            jobs = desk.scheduler.waiting_for(model)
            for job in jobs:
                desk.scheduler.remove(job)
        self._dismiss(jobs, lambda job, now_s: error)

    def retire(self, model: str, timeout_s: float) -> bool:
        """Take nothing new for a model, run what waits for it, take it out; False if that was not done in time."""
        desk = self._desk

        def is_idle() -> bool:
            return not desk.scheduler.waiting_for(model) and not desk.scheduler.running[model]

        with desk.lock:
            self.models.leaving.add(model)
            idle = desk.changed.wait_for(is_idle, timeout_s)
            if idle:
                self.models.loaded.pop(model, None)
                self.models.known.discard(model)
                desk.scheduler.forget(model)
                desk.pace.forget(model)
            self.models.leaving.discard(model)
            return idle

    def is_awaited(self, model: str) -> bool:
        """Whether a request waits for a model."""
        with self._desk.lock:
            return bool(self._desk.scheduler.waiting_for(model))

    def wait_for_runs(self, model: str, timeout_s: float) -> bool:
        """Wait until no request of a model runs, so that what it took is free; False if one still does."""
        with self._desk.lock:
            return self._desk.changed.wait_for(lambda: not self._desk.scheduler.running[model], timeout_s)

    def drain(self, timeout_s: float) -> bool:
        """Take nothing new, finish what is queued, stop the workers.

        Returns:
            False if it did not finish in time: then who still waits was told so, and what runs is left running.
        """
        desk = self._desk
        with desk.lock:
            desk.draining = True
        self._workers.wake()
        ended = self._workers.join(timeout_s)
        with desk.lock:
            jobs = [*desk.running, *desk.scheduler]
            for job in list(desk.scheduler):
                desk.scheduler.remove(job)
            for job in jobs:
                job.cancelled = True
        self._workers.wake()
        ending = Draining("this daemon is shutting down and had no time left: send it again later")
        self._dismiss(jobs, lambda job, now_s: ending)
        return ended

    def _dismiss(self, jobs: Iterable[Job], why: Callable[[Job, float], EdgertError]) -> None:
        """Answer who waits for jobs that will not be run, or whose result nobody will wait for."""
        now_s = self._clock()
        for job in jobs:
            outcome = Outcome(b"", why(job, now_s), waited(job, now_s))
            with self._desk.lock:
                addresses = self._desk.replies.finish(job, outcome, now_s)
            self._replier.send(addresses, outcome)
