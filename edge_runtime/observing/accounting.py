"""What the service tells of a finished request -> counters and, if wanted, a row of the audit file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.model import Answer, Answered, Model
from edge_runtime.observing.audit import Audit, AuditRow, body_sha256, texts_sha256
from edge_runtime.observing.metrics import Metrics
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

    def __call__(
        self, job: Job, model: Model, outcome: Outcome, answered: Answered | None, answer: Answer | None
    ) -> None:
        """Count a request; without an answer it failed, or came piece by piece."""
        manifest, error = model.manifest, outcome.error
        shown = None if answer is None else _shown(job, answer)
        self._metrics.finished(
            manifest.name,
            manifest.version,
            200 if error is None else error.status,
            "" if error is None else error.code,
            queue_us=max(0, outcome.timing.get("queue-us", 0)),
            encode_us=answered.encode_ns // 1000 if answered else 0,
            infer_us=answered.run_ns // 1000 if answered else 0,
            answer_us=answered.answer_ns // 1000 if answered else 0,
            last=shown if job.rows == 1 else None,
        )
        if self._audit is not None:
            self._audit.record(self._row(job, manifest, outcome, shown))

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


def _shown(job: Job, answer: Answer) -> LazyAnswer:
    """What was answered: to one text its answer, to several `{"results": [...]}`."""
    if job.request.form == "texts" and len(job.request.texts) > 1:
        return LazyAnswer(lambda: {"results": [dict(row) for row in answer.rows()]})
    return LazyAnswer(lambda: answer.rows()[0])
