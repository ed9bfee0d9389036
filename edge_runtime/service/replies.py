"""Repeats of a request: the stored reply for one that is done, the same run for one that is under way.

Clients retry by request id, so that a reply lost with the network costs nothing twice.
"""

from __future__ import annotations

import collections
import math
from dataclasses import dataclass

from edge_runtime.mqtt.contract import Address, Request
from edge_runtime.service.job import Job, Outcome

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class _Finished:
    outcome: Outcome
    at_s: float


class RememberedReplies:
    """The replies of the last `most` ids, up to `most_bytes` together, each kept `keep_s` seconds.

    Not locked: the caller holds its lock.

    Attributes:
        joined: how many repeats wait for a run that was begun for another.
    """

    def __init__(self, most: int, most_bytes: int, keep_s: float) -> None:
        self._most, self._most_bytes, self._keep_s = most, most_bytes, keep_s
        self._stored_bytes = 0
        self._finished: collections.OrderedDict[Key, _Finished] = collections.OrderedDict()
        self._running: dict[Key, Job] = {}
        self.joined = 0

    def under_way(self, request: Request) -> Job | None:
        """The job that this request repeats, if it has not finished."""
        key = _key(request)
        return None if key is None else self._running.get(key)

    def named(self, user: str, request_id: str) -> list[Job]:
        """The jobs under way that one client calls by this id; several, if it asked several things by one id."""
        return [job for (own, _, name, _), job in self._running.items() if own == user and name == request_id]

    def stored(self, request: Request, now_s: float) -> Outcome | None:
        """The outcome of the finished request that this one repeats."""
        self._forget(now_s)
        key = _key(request)
        finished = None if key is None else self._finished.get(key)
        return finished.outcome if finished else None

    def join(self, job: Job, request: Request, now_s: float) -> None:
        """Let a repeat wait for a job; it may have more time left than whoever asked first."""
        job.waiting.append(request.address)
        job.ends_s = max(job.ends_s, _ends_s(request, now_s))
        self.joined += 1

    def begin(self, request: Request, now_s: float) -> Job:
        """A new request is under way."""
        job = Job(request, now_s, _ends_s(request, now_s), [request.address])
        key = _key(request)
        if key is not None:
            self._running[key] = job
        return job

    def finish(self, job: Job, outcome: Outcome, now_s: float) -> list[Address]:
        """Store the outcome; returns everyone who waits for it. Errors are not stored: a retry may succeed.

        Nobody waits any more for a job that was finished before.
        """
        self._forget(now_s)
        waiting, job.waiting = job.waiting, []
        self.joined -= max(0, len(waiting) - 1)
        key = _key(job.request)
        if key is None or not waiting:
            return waiting
        del self._running[key]
        if outcome.error is None:
            self._finished[key] = _Finished(outcome, now_s)
            self._stored_bytes += len(outcome.body)
            while len(self._finished) > self._most or self._stored_bytes > self._most_bytes:
                self._drop_oldest()
        return waiting

    def _forget(self, now_s: float) -> None:
        while self._finished and now_s - next(iter(self._finished.values())).at_s >= self._keep_s:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        _, oldest = self._finished.popitem(last=False)
        self._stored_bytes -= len(oldest.outcome.body)


def _ends_s(request: Request, now_s: float) -> float:
    return math.inf if request.deadline_s is None else now_s + request.deadline_s


def _key(request: Request) -> Key | None:
    """What makes a request a repeat: same sender, model, id and question. None if it has no id.

    The question belongs to it because clients that can do no better send the same id again and again.
    """
    if request.id is None:
        return None
    return request.user, request.model, request.id, hash(request.question)
