"""Repeats of a request: the stored reply for one that is done, the same run for one that is under way.

Clients retry by request id, so that a reply lost with the network costs nothing twice.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.contract import Address, Request

Key = tuple[str, str, str, int]


@dataclass(frozen=True)
class Outcome:
    """What came of a request: the body of its reply as JSON text, or an error; and its timing in microseconds."""

    body: bytes
    error: EdgertError | None
    timing: Mapping[str, int]


@dataclass(frozen=True)
class _Finished:
    outcome: Outcome
    at_s: float


class RememberedReplies:
    """The replies of the last `most` ids, up to `most_bytes` together, each kept `keep_s` seconds.

    Not locked: the caller holds its lock.
    """

    def __init__(self, most: int, most_bytes: int, keep_s: float) -> None:
        self._most, self._most_bytes, self._keep_s = most, most_bytes, keep_s
        self._stored_bytes = 0
        self._finished: collections.OrderedDict[Key, _Finished] = collections.OrderedDict()
        self._running: dict[Key, list[Address]] = {}

    def join(self, request: Request) -> Outcome | bool | None:
        """The stored outcome of a repeat; True if it now waits for the running one; None for a new request."""
        key = _key(request)
        if key is None:
            return None
        if key in self._running:
            self._running[key].append(request.address)
            return True
        finished = self._finished.get(key)
        return finished.outcome if finished else None

    def begin(self, request: Request) -> None:
        """A new request with an id is under way."""
        key = _key(request)
        if key is not None:
            self._running[key] = [request.address]

    def finish(self, request: Request, outcome: Outcome, now_s: float) -> list[Address]:
        """Store the outcome; returns everyone who waits for it. Errors are not stored: a retry may succeed."""
        self._forget(now_s)
        key = _key(request)
        if key is None:
            return [request.address]
        waiting = self._running.pop(key)
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


def _key(request: Request) -> Key | None:
    """What makes a request a repeat: same sender, model, id and question. None if it has no id.

    The question belongs to it because clients that can do no better send the same id again and again.
    """
    if request.id is None:
        return None
    return request.user, request.model, request.id, hash((request.texts, request.form, request.truncate))
