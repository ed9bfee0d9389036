"""The threads that run models: each takes the next batch, runs it, replies."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from edge_runtime.config import SchedulerConfig
from edge_runtime.engine.cores import Cores
from edge_runtime.errors import DeadlinePassed, ModelNotFound
from edge_runtime.service.desk import Desk
from edge_runtime.service.job import Job, Outcome
from edge_runtime.service.replier import Replier
from edge_runtime.service.runs import Runs

_BATCH_TICK_S = 0.001  # how often a batch that waits for more looks again
_SHARE = 0.1  # of the newest run in the moving mean of durations


class Workers:
    """Threads that work off a desk.

    Args:
        desk: what waits.
        replier: where outcomes go.
        runs: runs a batch.
        scheduling: how long a batch waits for more.
        cores: how many threads, and who may run beside whom.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        desk: Desk,
        replier: Replier,
        runs: Runs,
        scheduling: SchedulerConfig,
        cores: Cores,
        clock: Callable[[], float],
    ) -> None:
        self._desk, self._replier, self._runs, self._clock = desk, replier, runs, clock
        self._scheduling, self._cores = scheduling, cores
        self._threads = [
            threading.Thread(target=self._work, name=f"edgert-worker-{number}", daemon=True)
            for number in range(cores.runs)
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Let every thread look again at what there is to do."""
        for _ in self._threads:
            self._desk.bell.put(None)

    def join(self, timeout_s: float) -> bool:
        """Wait until all have ended, after the desk has been told that it drains; False if one still runs."""
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def attend(self, *, here: bool = False) -> None:
        """See to the requests that were queued since the last call: wake workers for them.

        Args:
            here: run a single one on the calling thread instead, if nothing else is to be done and it is short.
        """
        desk = self._desk
        if not desk.fresh:
            return
        with desk.lock:
            fresh, desk.fresh = desk.fresh, 0
            alone = here and desk.scheduler.queued == 1 and not desk.running
            batch = self._taken() if alone and self._is_short(next(iter(desk.scheduler))) else None
        if batch:
            self._run(batch)
        else:
            for _ in self._threads[:fresh]:
                desk.bell.put(None)

    def _is_short(self, job: Job) -> bool:
        return not (job.request.stream or self._scheduling.batch_wait_ms) and self._desk.pace.is_short(job)

    def _work(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._run(batch)

    def _run(self, batch: list[Job]) -> None:
        outcomes = self._outcomes(batch)
        with self._desk.lock:
            now_s = self._clock()
            addresses = [
                self._desk.replies.finish(job, outcome, now_s) for job, outcome in zip(batch, outcomes, strict=True)
            ]
            self._desk.scheduler.done(batch)
            self._desk.running.difference_update(batch)
            self._desk.changed.notify_all()
            others_wait = self._desk.scheduler.queued and len(self._threads) > 1
        if others_wait:  # for this model's turn, perhaps
            self._desk.bell.put(None)
        for own, outcome in zip(addresses, outcomes, strict=True):
            self._replier.send(own, outcome)

    def _next_batch(self) -> list[Job] | None:
        """Give the next batch, waiting for one; None: there will be no more."""
        while True:
            with self._desk.lock:
                batch = self._taken()
                if batch or (self._desk.draining and not self._desk.scheduler.queued):
                    return batch
            self._desk.bell.get()

    def _taken(self) -> list[Job] | None:
        job = self._desk.scheduler.take(self._can_run)
        if job is None:
            return None
        batch = [job]
        self._desk.running.add(job)
        most_rows = self._rows_together(job)
        if most_rows > job.rows:
            self._desk.scheduler.join(batch, most_rows)
            self._desk.running.update(batch)
            self._wait_for_more(batch, most_rows)
            self._desk.running.update(batch)
        return batch

    def _wait_for_more(self, batch: list[Job], most_rows: int) -> None:
        until_s = batch[0].arrived_s + self._scheduling.batch_wait_ms / 1000
        while not self._desk.draining and sum(job.rows for job in batch) < most_rows and self._clock() < until_s:
            self._desk.changed.wait(_BATCH_TICK_S)
            self._desk.scheduler.join(batch, most_rows)

    def _can_run(self, model: str) -> bool:
        loaded = self._desk.models.loaded.get(model)
        if loaded is None:
            return model not in self._desk.models.known  # gone in the meantime: whoever waits is told so
        running, manifest = self._desk.scheduler.running, loaded.manifest
        if running[model] >= (self._cores.at_once(manifest) if loaded.parallel else 1):
            return False
        return not (self._cores.takes_all(manifest) and any(map(self._takes_all, running.keys() - {model})))

    def _takes_all(self, model: str) -> bool:
        """Whether a run that takes every core is under way."""
        loaded = self._desk.models.loaded.get(model)
        return loaded is not None and self._desk.scheduler.running[model] > 0 and self._cores.takes_all(loaded.manifest)

    def _rows_together(self, job: Job) -> int:
        """How many texts may be run with those of a job."""
        model = self._desk.models.loaded.get(job.request.model)
        if model is None or not model.joins or job.request.stream or not model.manifest.model.batch_invariant:
            return job.rows
        return model.manifest.limits.max_texts

    def _outcomes(self, batch: list[Job]) -> list[Outcome]:
        now_s = self._clock()
        name = batch[0].request.model
        too_late = [job for job in batch if now_s >= job.ends_s]
        rest = [job for job in batch if now_s < job.ends_s]
        outcomes = {job: Outcome(b"", late(job, now_s), waited(job, now_s)) for job in too_late}
        model = self._desk.models.loaded.get(name)
        if model is None:
            gone = ModelNotFound(name, self._desk.models.names)
            outcomes.update({job: Outcome(b"", gone, waited(job, now_s)) for job in rest})
        elif rest:
            ran = self._runs.run(model, rest, [waited(job, now_s) for job in rest], self._replier.send_chunk)
            outcomes.update(zip(rest, ran, strict=True))
            self._note(rest, max(outcome.timing.get("infer-us", 0) for outcome in ran) / 1e6)
        return [outcomes[job] for job in batch]

    def _note(self, ran: list[Job], took_s: float) -> None:
        desk = self._desk
        with desk.lock:
            desk.typical_ms += _SHARE * (took_s * 1000 / len(ran) - desk.typical_ms)
            if len(ran) == 1:
                desk.pace.note(ran[0], took_s)


def late(job: Job, now_s: float) -> DeadlinePassed:
    """Say that a request waited longer than its sender wants to."""
    deadline_s, waited_s = job.ends_s - job.arrived_s, now_s - job.arrived_s
    return DeadlinePassed(f"deadline of {deadline_s:g} s passed after {waited_s:.3f} s in the queue: not run")


def waited(job: Job, now_s: float) -> dict[str, int]:
    """Give the timing of a request that has waited until now."""
    return {"queue-us": round((now_s - job.arrived_s) * 1e6)}
