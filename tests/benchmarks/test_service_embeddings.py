"""Embedding servers are measured in turn; one that fails is named, and a wrong answer counts for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.service_parts.embedding_rows import embedding_rows
from benchmarks.service_parts.embeddings import Measured, Server, Start, measure
from benchmarks.service_parts.peer_venv import NoPeer
from edge_runtime.pipeline import Pipeline, open_pipeline
from tests.tiny import write_bundle

TEXTS = ["turn on the light", "close the kitchen blind"]
OURS = Measured("edgert 1", rates=[100.0, 100.0], added_ms=[1.0, 1.0])
THEIRS = Measured("other 2", rates=[50.0, 80.0], added_ms=[4.0, 6.0])
FASTAPI = Measured("FastAPI 3", rates=[50.0, 45.0], added_ms=[3.0, 3.2])


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return open_pipeline(write_bundle(tmp_path / "tiny", "embed"))


class FakeServer:
    """Answers with the pipeline's vectors, or the one given; 8 a second, 1000 ms each."""

    def __init__(self, pipeline: Pipeline, vector: list[float] | None = None) -> None:
        self._pipeline, self._vector = pipeline, vector

    def rate(self, texts: list[str], in_flight: int) -> float:
        return 8.0

    def each_ms(self, texts: list[str]) -> list[float]:
        return [1000.0 for _ in texts]

    def vector(self, text: str) -> list[float]:
        vector: list[float] = self._vector or self._pipeline.vectors([text])[0].tolist()
        return vector


def _start(name: str, server: Server, log: list[str], error: Exception | None = None) -> tuple[str, Start]:
    @contextmanager
    def start() -> Iterator[Server]:
        log.append(name)
        if error:
            raise error
        yield server
        log.append(f"{name} ended")

    return name, start


def test_one_server_runs_at_a_time_and_each_round_begins_with_another(pipeline: Pipeline) -> None:
    log: list[str] = []
    server = FakeServer(pipeline)
    seen = measure([_start(name, server, log) for name in "abc"], pipeline, TEXTS, rounds=2)
    assert log == [line for name in "abcbca" for line in (name, f"{name} ended")]
    assert [one.rates for one in seen] == [[8.0, 8.0]] * 3
    for one in seen:
        assert all(500 < added_ms < 1000 for added_ms in one.added_ms)  # the model alone takes far less than 500 ms
        assert one.worst_cosine == pytest.approx(1.0)


@pytest.mark.parametrize("error", [NoPeer("no wheel"), ConnectionError("closed")])
def test_a_server_that_fails_is_named_with_the_reason_and_not_tried_again(pipeline: Pipeline, error: Exception) -> None:
    log: list[str] = []
    server = FakeServer(pipeline)
    bad, good = measure([_start("bad", server, log, error), _start("good", server, log)], pipeline, TEXTS, rounds=3)
    assert bad.why == str(error)
    assert log.count("bad") == 1
    assert len(good.rates) == 3


def test_an_answer_that_is_another_vector_shows_in_the_cosine(pipeline: Pipeline) -> None:
    wrong = [1.0] + [0.0] * 15
    (seen,) = measure([_start("wrong", FakeServer(pipeline, wrong), [])], pipeline, TEXTS, rounds=1)
    assert seen.worst_cosine < 0.9


def test_goals_hold_the_median_of_the_rounds_against_each_peer() -> None:
    rows = {row["what"]: row for row in embedding_rows(OURS, [FASTAPI, THEIRS, replace(THEIRS, title="third 1")])}
    assert rows["embeddings: throughput over FastAPI 3"]["met"] == "yes"
    assert rows["embeddings: throughput over other 2"]["value"] == pytest.approx((2 + 1.25) / 2)
    assert rows["embeddings, one in flight: p50 that FastAPI 3 adds, over ours"]["value"] == pytest.approx(3.1)
    assert rows["embeddings: peers other than FastAPI that are slower"]["value"] == 2
    assert rows["embeddings: peers other than FastAPI that are slower"]["met"] == "yes"


@pytest.mark.parametrize(
    "spoilt",
    [
        replace(THEIRS, why="no wheel for this machine"),
        replace(THEIRS, worst_cosine=0.45),
        replace(THEIRS, rates=[101.0, 120.0]),
    ],
)
def test_a_peer_that_is_missing_wrong_or_faster_is_not_one_that_edgert_beats(spoilt: Measured) -> None:
    rows = {row["what"]: row for row in embedding_rows(OURS, [FASTAPI, THEIRS, spoilt])}
    assert rows["embeddings: peers other than FastAPI that are slower"]["value"] == 1
    assert rows["embeddings: peers other than FastAPI that are slower"]["met"] == "no"


def test_a_missing_peer_is_a_row_with_its_reason() -> None:
    rows = embedding_rows(OURS, [Measured("FastAPI 3", why="no network"), Measured("other 2", why="no wheel")])
    said = {row["what"]: row["value"] for row in rows}
    assert said["embeddings: other 2"] == "not measured: no wheel"
    assert [row["met"] for row in rows if row["goal"] == ">= 2"] == ["no", "no"]
