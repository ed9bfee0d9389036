"""How the cores of a board are shared out: small models run side by side on one core each, large ones in turn on all.

A run of a small text model takes milliseconds. Cut into pieces for several cores it spends much of them waiting for the
last piece, and the longer the busier the machine is; four of them side by side are done before four in turn. A run of a
large model takes seconds, which its user sees shrink with every core.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from edge_runtime.bundle.manifest import Manifest

SMALL_MB = 64  # of weights; a MiniLM has 23
MOST_RUNS = 4  # side by side, unless the config says more: each takes memory for its own intermediate values
# One request of the other tasks is a picture, a sound, a text of many windows, a text with twenty beside it.
_SHORT_TASKS = frozenset({"classify", "embed", "token-classify", "tensors", "voice-activity"})
_MB = 1_000_000


@dataclass(frozen=True)
class Cores:
    """The cores, and what the config says of them; 0: nothing.

    Attributes:
        count: cores that this process may run on.
        threads: of each session.
        workers: runs at once, over all models.
        per_model: runs at once of one model.
    """

    count: int
    threads: int = 0
    workers: int = 0
    per_model: int = 0

    @property
    def runs(self) -> int:
        """How many runs there are at once, at most."""
        return self.workers or min(self.count, MOST_RUNS)

    def threads_of(self, manifest: Manifest) -> int:
        """Threads of a model's sessions; 0: one a core, as the engine counts them."""
        if self.threads or self.workers == 1:
            return self.threads
        if self.workers:
            return max(1, self.count // self.workers)
        return 1 if is_small(manifest) else 0

    def at_once(self, manifest: Manifest) -> int:
        """How many runs of a model there may be at once, if its engine can do that."""
        several = is_small(manifest) or self.threads_of(manifest) == 1
        return self.per_model or (self.runs if several else 1)

    def takes_all(self, manifest: Manifest) -> bool:
        """Whether a run takes every core, so that another such run should wait for its end."""
        return self.threads_of(manifest) == 0


def is_small(manifest: Manifest) -> bool:
    """Whether one request of a model is a matter of milliseconds, by its task and the size of its weights."""
    if manifest.task.name not in _SHORT_TASKS:
        return False
    return sum(entry.size for entry in manifest.files if entry.role == "model") <= SMALL_MB * _MB


def cores_here() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
