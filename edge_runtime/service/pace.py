"""Which requests are so short that handing them to another thread would take longer than running them.

Waking a worker costs tens of microseconds, on a virtual machine's idle core a hundred. A model that takes less than
that (a sensor's classifier, a wake word) is better run by the thread that read the request, if nothing else waits.
"""

from __future__ import annotations

from edge_runtime.service.job import Job

SHORT_S = 0.001  # the network thread may be held up so long: a tenth of what "busy" may take to be said
_FADES = 0.98  # of the longest run, each run: one that was long by chance is forgotten after a while


class Pace:
    """How long the runs of each model and length took lately, at most. Not locked: the caller holds its lock."""

    def __init__(self) -> None:
        self._longest_s: dict[tuple[str, int, int], float] = {}

    def note(self, job: Job, took_s: float) -> None:
        """Say that a request was run by itself, and how long it took."""
        kind = _kind(job)
        self._longest_s[kind] = max(took_s, _FADES * self._longest_s.get(kind, 0.0))

    def is_short(self, job: Job) -> bool:
        """Whether no run like this one was long lately. False for the first of its kind."""
        return self._longest_s.get(_kind(job), SHORT_S) < SHORT_S

    def forget(self, model: str) -> None:
        """Drop what is known of a model: it is gone, or another bundle has its name now."""
        self._longest_s = {kind: took for kind, took in self._longest_s.items() if kind[0] != model}


def _kind(job: Job) -> tuple[str, int, int]:
    return job.request.model, job.bucket, job.rows.bit_length()
