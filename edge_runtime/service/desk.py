"""What the threads of a service share, under one lock."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

from edge_runtime.service.job import Job
from edge_runtime.service.models import Models
from edge_runtime.service.pace import Pace
from edge_runtime.service.replies import RememberedReplies
from edge_runtime.service.scheduler import Scheduler

_GUESS_MS = 50.0  # a request's duration before the first was measured


@dataclass
class Desk:
    """Requests that wait, requests that run, answers that are remembered.

    Attributes:
        lock: around all of this.
        changed: notified, under the lock, when a run ended or a model was loaded.
        bell: wakes one worker for each entry. Rung when the lock is free again: a worker that was woken by the lock's
            own notification would wake twice, once to find it still held.
        fresh: requests that came since a worker was last woken for one.
        pace: what runs took lately.
        typical_ms: what a request takes in its model, a moving mean.
        draining: nothing new is taken.
    """

    models: Models
    scheduler: Scheduler
    replies: RememberedReplies
    lock: threading.Lock = field(default_factory=threading.Lock)
    changed: threading.Condition = field(init=False)
    bell: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)
    running: set[Job] = field(default_factory=set)
    fresh: int = 0
    pace: Pace = field(default_factory=Pace)
    typical_ms: float = _GUESS_MS
    draining: bool = False

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)
