"""What the service tells of a finished request -> counters and, if wanted, a row of the audit file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.observing.audit import Audit, AuditRow, body_sha256, texts_sha256
from edge_runtime.observing.metrics import Metrics
from edge_runtime.pipeline import Pipeline, Result
from edge_runtime.service.job import Job, Outcome


class LazyAnswer(Mapping[str, object]):
    """A text's answer that is put into words only if somebody looks: every few seconds, not for every request."""

    def __init__(self, make: Callable[[], Mapping[str, object]]) -> None:
        self._make = make
        self._made: Mapping[str, object] | None = None

    def __getitem__(self, key: str) -> object:
        return self._answer()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answer())

    def __len__(self) -> int:
        return len(self._answer())

    def _answer(self) -> Mapping[str, object]:
        if self._made is None:
            self._made = self._make()
        return self._made


class Accounting:
    """Called by the service on a worker thread for every request that was run.

    Args:
        metrics: counts it.
        audit: keeps a row of it, if there is one.
        wall_clock: seconds since 1970.
    """

    def __init__(
        self, metrics: Metrics, audit: Audit | None = None, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._metrics, self._audit, self._wall_clock = metrics, audit, wall_clock

    def __call__(self, job: Job, pipeline: Pipeline, outcome: Outcome, result: Result | None, row: int) -> None:
        """Count a request whose texts begin at a row of the result; None: it failed, or came piece by piece."""
        manifest, error = pipeline.manifest, outcome.error
        answer = _answer(job, pipeline, result, row)
        self._metrics.finished(
            manifest.name,
            manifest.version,
            200 if error is None else error.status,
            "" if error is None else error.code,
            queue_us=max(0, outcome.timing.get("queue-us", 0)),
            encode_us=result.encode_ns // 1000 if result else 0,
            infer_us=result.run_ns // 1000 if result else 0,
            answer_us=result.answer_ns // 1000 if result else 0,
            last=answer if job.rows == 1 else None,
        )
        if self._audit is not None:
            self._audit.record(self._row(job, manifest, outcome, answer))

    def _row(self, job: Job, manifest: Manifest, outcome: Outcome, answer: LazyAnswer | None) -> AuditRow:
        request, error = job.request, outcome.error
        return AuditRow(
            at_s=self._wall_clock(),
            user=request.user,
            model=manifest.name,
            version=manifest.version,
            model_sha256=model_sha256(manifest),
            input_sha256=texts_sha256(request.texts),
            output_sha256="" if error is not None else body_sha256(outcome.body),
            status=200 if error is None else error.status,
            request_id=request.id,
            texts=request.texts,
            answer=answer,
        )


def model_sha256(manifest: Manifest) -> str:
    """The hex SHA-256 of the model's file as the manifest has it; "" if it does not say."""
    return next((entry.sha256 for entry in manifest.files if entry.path == manifest.model.file), "")


def _answer(job: Job, pipeline: Pipeline, result: Result | None, row: int) -> LazyAnswer | None:
    """What was answered: to one text its answer, to several `{"results": [...]}`."""
    if result is None:
        return None
    # Neither the batch nor the pipeline, whose model may be put away in the meantime, must be kept alive by this.
    task, values = pipeline.task, result.values[row : row + job.rows].copy()
    if job.rows == 1:
        return LazyAnswer(lambda: task.plain(values[0]))
    return LazyAnswer(lambda: {"results": [task.plain(one) for one in values]})
