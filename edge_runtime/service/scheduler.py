"""What runs next: three priorities of which none starves, clients in turn, batches of what fits together.

Pure: the caller holds its lock and brings the clock. Nothing here knows threads, MQTT or models.

Order. A request's class is the priority it asked for. The class whose oldest request has waited longest, after a
handicap of its priority, goes first: so a high one overtakes, and a low one that has waited out its handicap is
overtaken no more. Within a class the clients take turns by start-time fair queueing: each has a clock of its own that
runs by the texts it has had answered, and whose clock is behind is next.

Source: Goyal, Vin, Cheng 1996, "Start-time fair queueing", SIGCOMM.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator
from typing import Literal

from edge_runtime.service.job import Job

Priority = Literal["low", "normal", "high"]
HANDICAP_S: dict[Priority, float] = {"high": 0.0, "normal": 0.5, "low": 5.0}


class _Turns:
    """Requests of one model and one class, client by client."""

    def __init__(self) -> None:
        self._queues: dict[str, collections.deque[Job]] = {}
        self._clocks: dict[str, float] = {}
        self._now = 0.0

    def __iter__(self) -> Iterator[Job]:
        for queue in self._queues.values():
            yield from queue

    def __bool__(self) -> bool:
        return bool(self._queues)

    @property
    def oldest_s(self) -> float:
        """When the request that has waited longest came."""
        return min(queue[0].arrived_s for queue in self._queues.values())

    def add(self, job: Job) -> None:
        client = job.request.user
        if client not in self._queues:
            self._queues[client] = collections.deque()
            self._clocks[client] = max(self._now, self._clocks.get(client, 0.0))
        self._queues[client].append(job)

    def next(self, fits: Callable[[Job], bool]) -> Job | None:
        """Take the first request of the client whose turn it is; of the next one's if that does not fit."""
        for client in sorted(self._queues, key=lambda name: (self._clocks[name], self._queues[name][0].arrived_s)):
            job = self._queues[client][0]
            if fits(job):
                self._now = max(self._now, self._clocks[client])
                self._clocks[client] += max(1, job.rows)
                self.remove(job)
                return job
        return None

    def remove(self, job: Job) -> None:
        client = job.request.user
        self._queues[client].remove(job)
        if self._queues[client]:
            return
        del self._queues[client]
        if self._queues:  # a client that comes back must not find its clock set back: it is kept while it is ahead
            self._clocks = {name: at for name, at in self._clocks.items() if at > self._now or name in self._queues}
        else:
            self._clocks, self._now = {}, 0.0


class Scheduler:
    """Requests that wait, bounded by count and bytes, and how many run of each model.

    Args:
        most_requests, most_bytes: what may wait.
        batch_tokens: padded tokens of a batch, as estimated from the length of its texts.

    Attributes:
        queued, queued_bytes: what waits now.
        running: model -> requests that run.
    """

    def __init__(self, most_requests: int, most_bytes: int, batch_tokens: int) -> None:
        self._most_requests, self._most_bytes, self._batch_tokens = most_requests, most_bytes, batch_tokens
        self._classes: dict[str, dict[Priority, _Turns]] = {}
        self.queued = self.queued_bytes = 0
        self.running: collections.Counter[str] = collections.Counter()

    def __iter__(self) -> Iterator[Job]:
        for classes in self._classes.values():
            for turns in classes.values():
                yield from turns

    def forget(self, model: str) -> None:
        """A model is gone, and nothing waits for it."""
        self._classes.pop(model, None)
        self.running.pop(model, None)

    def waiting_for(self, model: str) -> list[Job]:
        """Requests for one model."""
        return [job for turns in self._classes.get(model, {}).values() for job in turns]

    def has_room(self, size_bytes: int) -> bool:
        """Whether one more request of this size may wait."""
        return self.queued < self._most_requests and self.queued_bytes + size_bytes <= self._most_bytes

    def add(self, job: Job) -> None:
        """Let a request wait; the caller has seen to it that there is room."""
        classes = self._classes.setdefault(job.request.model, {})
        classes.setdefault(job.request.priority, _Turns()).add(job)
        self.queued += 1
        self.queued_bytes += job.request.size_bytes

    def remove(self, job: Job) -> None:
        """Take back a request that waits."""
        self._classes[job.request.model][job.request.priority].remove(job)
        self._left(job)

    def expired(self, now_s: float) -> list[Job]:
        """Take out all whose deadline has passed."""
        late = [job for job in self if job.ends_s <= now_s]
        for job in late:
            self.remove(job)
        return late

    def one_too_many_of(self, client: str) -> Job | None:
        """Take out the newest request of the client that has most waiting, if that is well more than this one has.

        So one client that floods the queue cannot keep the others out of it.
        """
        counts = collections.Counter(job.request.user for job in self)
        greediest, most = max(counts.items(), key=lambda item: item[1], default=("", 0))
        if most <= counts[client] + 1:
            return None
        own = (job for job in self if job.request.user == greediest)
        victim = max(own, key=lambda job: (HANDICAP_S[job.request.priority], job.arrived_s))
        self.remove(victim)
        return victim

    def take(self, can_run: Callable[[str], bool]) -> Job | None:
        """Take the request that is next among the models that can run one more; it counts as running."""
        best: tuple[float, _Turns] | None = None
        for model, classes in self._classes.items():
            if not can_run(model):
                continue
            for priority, turns in classes.items():
                if turns and (best is None or turns.oldest_s + HANDICAP_S[priority] < best[0]):
                    best = turns.oldest_s + HANDICAP_S[priority], turns
        if best is None:
            return None
        job = best[1].next(lambda _: True)
        return job and self._begun(job)

    def join(self, batch: list[Job], most_rows: int) -> None:
        """Add to a batch what waits and fits: same model and cutting, about the same length, within the bounds."""
        first = batch[0]
        rows = sum(job.rows for job in batch)

        def fits(job: Job) -> bool:
            longest = max(first.longest_tokens, job.longest_tokens)
            return (
                job.request.truncate == first.request.truncate
                and not job.request.stream
                and rows + job.rows <= most_rows
                and (rows + job.rows) * longest <= self._batch_tokens
                and job.bucket == first.bucket
            )

        classes = self._classes.get(first.request.model, {})
        for priority in sorted(classes, key=lambda name: HANDICAP_S[name]):
            while (job := classes[priority].next(fits)) is not None:
                batch.append(self._begun(job))
                rows += job.rows

    def done(self, batch: list[Job]) -> None:
        """These requests run no more."""
        self.running[batch[0].request.model] -= len(batch)

    def _begun(self, job: Job) -> Job:
        self._left(job)
        self.running[job.request.model] += 1
        return job

    def _left(self, job: Job) -> None:
        self.queued -= 1
        self.queued_bytes -= job.request.size_bytes
