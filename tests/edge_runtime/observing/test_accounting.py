"""From a finished request of the real service to counters and audit rows."""

from __future__ import annotations

import gc
import json
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.config import AuditConfig, LimitsConfig
from edge_runtime.model import Answered
from edge_runtime.mqtt.message import Message
from edge_runtime.observing.accounting import Accounting
from edge_runtime.observing.audit import Audit, body_sha256, texts_sha256
from edge_runtime.observing.metrics import Metrics, Moment
from edge_runtime.pipeline import Pipeline, ValuesAnswer
from edge_runtime.service import Service
from tests.service_bench import TOPICS, WAIT_S, request


class Answering:
    """A started service that accounts for what it does."""

    def __init__(self, pipeline: Pipeline, audit: Audit | None = None) -> None:
        self.metrics, self.replies = Metrics(time.monotonic), list[Message]()
        accounting = Accounting(self.metrics, audit, lambda: 1_700_000_000.5)
        self.service = Service({"tiny": pipeline}, TOPICS, LimitsConfig(), self._publish, finished=accounting)

    def _publish(self, message: Message) -> bool:
        self.replies.append(message)
        return True

    def run(self, *messages: Message) -> list[Message]:
        for message in messages:
            self.service.receive(message)
        self.service.start()
        assert self.service.drain(WAIT_S)
        return self.replies


def test_answers_are_counted_with_their_phases_and_the_last_one_is_shown(pipeline: Pipeline) -> None:
    answering = Answering(pipeline)
    answering.run(request("turn on the light"), request(["a", "b"]))
    (series,) = answering.metrics.series()
    assert (series.model, series.version, series.statuses) == ("tiny", pipeline.manifest.version, {200: 2})
    assert all(histogram.count == 2 for histogram in series.histograms.values())
    assert series.histograms["infer"].sum_us > 0


def test_refusals_of_the_model_are_counted_by_their_status(pipeline: Pipeline) -> None:
    answering = Answering(pipeline)
    answering.run(request("light " * 5000))
    assert answering.metrics.series()[0].statuses == {413: 1}
    assert answering.metrics.codes == {"input_too_long": 1}


@pytest.fixture
def audited(tmp_path: Path) -> Iterator[Callable[..., tuple[Audit, Path]]]:
    made: list[Audit] = []

    def build(*, content: bool) -> tuple[Audit, Path]:
        file = tmp_path / "audit.jsonl"
        made.append(Audit(AuditConfig(file=str(file), content=content)))
        return made[-1], file

    yield build
    for audit in made:
        audit.close()


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_row_names_the_files_text_and_reply_by_their_hashes(
    pipeline: Pipeline, audited: Callable[..., tuple[Audit, Path]]
) -> None:
    audit, file = audited(content=False)
    (reply,) = Answering(pipeline, audit).run(request("turn on", id="7"))
    audit.close()
    (row,) = rows(file)
    entry = next(entry for entry in pipeline.manifest.files if entry.path == pipeline.manifest.model.file)
    assert row["model_sha256"] == entry.sha256
    assert row["input_sha256"] == texts_sha256(["turn on"])
    assert row["output_sha256"] == body_sha256(reply.payload)
    assert (row["user"], row["id"], row["status"]) == ("ann/phone", "7", 200)
    assert "texts" not in row


def test_content_holds_texts_and_answers_of_one_text_and_of_several(
    pipeline: Pipeline, audited: Callable[..., tuple[Audit, Path]]
) -> None:
    audit, file = audited(content=True)
    replies = Answering(pipeline, audit).run(request("turn on"), request(["a", "b"], client="bob/phone"))
    audit.close()
    answers = [json.loads(reply.payload) for reply in replies]
    found = {tuple(row["texts"]): row["answer"] for row in rows(file)}
    assert set(found) == {("turn on",), ("a", "b")}
    several = next(answer for answer in answers if "results" in answer)
    assert len(found["a", "b"]["results"]) == len(several["results"]) == 2


def test_a_failed_request_has_a_row_without_an_output(
    pipeline: Pipeline, audited: Callable[..., tuple[Audit, Path]]
) -> None:
    audit, file = audited(content=True)
    Answering(pipeline, audit).run(request("light " * 5000))
    audit.close()
    (row,) = rows(file)
    assert (row["status"], row["output_sha256"], row["answer"]) == (413, "", None)


class Task:
    """Counts how often an answer is put into words."""

    made = 0

    def plain(self, values: Any) -> dict[str, object]:
        self.made += 1
        return {"label": "x", "score": float(values[0])}


class Fake:
    """A pipeline as far as accounting looks at one."""

    def __init__(self, inner: Pipeline) -> None:
        self.manifest, self.task = inner.manifest, Task()


def test_the_last_answer_is_put_into_words_once_and_keeps_no_model_alive(pipeline: Pipeline) -> None:
    from edge_runtime.mqtt.contract import parse_request
    from edge_runtime.service.job import Job, Outcome

    metrics = Metrics(time.monotonic)
    fake: Any = Fake(pipeline)
    task, gone = fake.task, weakref.ref(fake)
    job = Job(parse_request(request("x"), TOPICS, 4096), 0.0, 1.0)
    answer = ValuesAnswer(task, np.array([[0.25]], np.float32), (False,))
    Accounting(metrics)(job, fake, Outcome(b"{}", None, {"queue-us": 5}), Answered([answer], 1000, 2000, 3000), answer)
    del fake
    gc.collect()
    assert gone() is None
    assert task.made == 0
    for _ in range(3):
        stats: Any = metrics.stats_document("hub", Moment(versions={"tiny": pipeline.manifest.version}))
        assert stats["models"]["tiny"]["last"] == {"label": "x", "score": 0.25}
    assert task.made == 1
