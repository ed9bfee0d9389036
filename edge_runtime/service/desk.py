"""What the threads of a service share, under one lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from edge_runtime.service.job import Job
from edge_runtime.service.models import Models
from edge_runtime.service.replies import RememberedReplies
from edge_runtime.service.scheduler import Scheduler

_GUESS_MS = 50.0  # a request's duration before the first was measured


@dataclass
class Desk:
    """Requests that wait, requests that run, answers that are remembered.

    Attributes:
        changed: the lock; notified when something came, ended, or was loaded.
        typical_ms: what a request takes in its model, a moving mean.
        draining: nothing new is taken.
    """

    models: Models
    scheduler: Scheduler
    replies: RememberedReplies
    changed: threading.Condition = field(default_factory=threading.Condition)
    running: set[Job] = field(default_factory=set)
    typical_ms: float = _GUESS_MS
    draining: bool = False
