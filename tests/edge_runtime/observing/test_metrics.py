"""Counting requests: per model and version, by phase, and the documents made of it."""

from __future__ import annotations

import json
import math
import random
import threading
from typing import Any

import pytest

from edge_runtime.observing.metrics import (
    BOUNDS_US,
    MOST_LAST_BYTES,
    MOST_SERIES,
    PHASES,
    WINDOW_ANSWERS,
    WINDOW_S,
    LoadPace,
    Metrics,
    Moment,
    flat_answer,
    quantile_ms,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(clock)


def count(metrics: Metrics, model: str = "intents", version: str = "1", status: int = 200, **changed: Any) -> None:
    given: dict[str, Any] = {"queue_us": 100, "encode_us": 200, "infer_us": 3000, "answer_us": 50, "last": None}
    metrics.finished(model, version, status, "" if status == 200 else "internal", **{**given, **changed})


def test_stats_are_the_documented_ones(metrics: Metrics, clock: Clock) -> None:
    count(metrics, last={"label": "HassTurnOn", "score": 0.98})
    count(metrics, infer_us=4000)
    count(metrics, status=500)
    clock.now_s += 12.9
    moment = Moment(
        queued=2, running=1, received=9, answered=8, refused=1, memory_mb=96.234, temperature_c=48.123,
        versions={"intents": "1"},
    )  # fmt: skip
    assert metrics.stats_document("hub", moment) == {
        "device": "hub",
        "uptime_s": 12,
        "queued": 2,
        "running": 1,
        "received": 9,
        "answered": 8,
        "refused": 1,
        "unsent": 0,
        "repeated": 0,
        "p50_ms": 3.35,
        "p95_ms": 4.35,
        "memory_mb": 96.2,
        "temperature_c": 48.1,
        "models": {
            "intents": {
                "version": "1",
                "answered": 2,
                "refused": 1,
                "p50_ms": 3.35,
                "p95_ms": 4.35,
                "last": {"label": "HassTurnOn", "score": 0.98},
            }
        },
    }


def test_a_model_that_was_never_asked_is_in_the_stats_with_nothing_known(metrics: Metrics) -> None:
    stats = metrics.stats_document("hub", Moment(versions={"new": "7"}))
    row = {"version": "7", "answered": 0, "refused": 0, "p50_ms": None, "p95_ms": None, "last": None}
    assert stats["models"] == {"new": row}
    assert stats["p50_ms"] is stats["memory_mb"] is stats["temperature_c"] is None
    assert metrics.series() == []


def test_load_is_the_documented_one(metrics: Metrics) -> None:
    count(metrics)
    document = metrics.load_document(Moment(queued=3, running=1, workers=2, versions={"b": "1", "a": "2"}))
    assert document == {"queued": 3, "running": 1, "workers": 2, "p50_ms": 3.35, "models": ["a", "b"]}


def test_a_new_version_is_counted_from_zero_and_the_old_ones_numbers_stay_for_prometheus(metrics: Metrics) -> None:
    count(metrics, version="1")
    count(metrics, version="2", status=500)
    row = metrics.stats_document("hub", Moment(versions={"intents": "2"}))["models"]
    assert (row["intents"]["answered"], row["intents"]["refused"]) == (0, 1)  # type: ignore[index]
    assert [(s.version, s.statuses) for s in metrics.series()] == [("1", {200: 1}), ("2", {500: 1})]
    assert metrics.codes == {"internal": 1}


def test_a_model_that_was_put_away_keeps_the_numbers_of_its_newest_version(metrics: Metrics, clock: Clock) -> None:
    for version in ("2", "1"):
        clock.now_s += 1
        count(metrics, version=version)
    stats: Any = metrics.stats_document("hub", Moment(versions={"intents": "", "new": ""}))
    assert (stats["models"]["intents"]["version"], stats["models"]["intents"]["answered"]) == ("1", 1)
    assert stats["models"]["new"]["version"] == ""


@pytest.mark.parametrize("bound_us", BOUNDS_US)
def test_a_duration_on_a_bound_counts_below_it_and_one_more_does_not(metrics: Metrics, bound_us: int) -> None:
    at = BOUNDS_US.index(bound_us)
    count(metrics, infer_us=bound_us)
    count(metrics, infer_us=bound_us + 1)
    histogram = metrics.series()[0].histograms["infer"]
    assert histogram.cumulated[at] == 1
    assert histogram.cumulated[:at] == (0,) * at
    assert histogram.cumulated[at + 1 :] == (2,) * (len(BOUNDS_US) - at - 1)
    assert (histogram.count, histogram.sum_us) == (2, 2 * bound_us + 1)


def test_every_phase_is_counted_by_itself_and_zero_and_a_year_are_durations_too(metrics: Metrics) -> None:
    count(metrics, queue_us=0, encode_us=33, infer_us=31_536_000_000_000, answer_us=40)
    (series,) = metrics.series()
    assert [series.histograms[phase].sum_us for phase in PHASES] == [0, 33, 31_536_000_000_000, 40]
    assert series.histograms["queue"].cumulated[0] == 1
    assert series.histograms["infer"].cumulated[-1] == 0
    assert series.histograms["infer"].count == 1


def test_durations_of_errors_are_not_counted(metrics: Metrics) -> None:
    count(metrics, status=413)
    (series,) = metrics.series()
    assert {histogram.count for histogram in series.histograms.values()} == {0}
    assert metrics.load_document(Moment())["p50_ms"] is None


def test_old_answers_leave_the_window(metrics: Metrics, clock: Clock) -> None:
    count(metrics, infer_us=90_000)
    clock.now_s += WINDOW_S - 1
    count(metrics, infer_us=1000)
    assert metrics.stats_document("hub", Moment())["p95_ms"] == 90.35
    clock.now_s += 2
    assert metrics.stats_document("hub", Moment())["p95_ms"] == 1.35


def test_the_window_holds_the_last_answers_only(metrics: Metrics) -> None:
    for took_us in range(WINDOW_ANSWERS + 10):
        count(metrics, queue_us=0, encode_us=0, answer_us=0, infer_us=took_us * 1000)
    assert metrics.load_document(Moment())["p50_ms"] == WINDOW_ANSWERS / 2 + 9


def test_quantiles_are_the_nearest_rank() -> None:
    numbers = sorted(random.Random(1).sample(range(100_000), 200))
    for share in (0.5, 0.95):
        assert quantile_ms(numbers, share) == numbers[math.ceil(share * 200) - 1] / 1000
    assert quantile_ms([7], 0.5) == quantile_ms([7], 0.95) == 0.007
    assert quantile_ms([], 0.5) is None


def test_models_are_bounded_and_the_one_silent_longest_gives_way(metrics: Metrics, clock: Clock) -> None:
    for number in range(MOST_SERIES):
        count(metrics, model=f"m{number}")
        clock.now_s += 1
    count(metrics, model="m0")
    clock.now_s += 1
    count(metrics, model="new")
    kept = {series.model for series in metrics.series()}
    assert len(kept) == MOST_SERIES
    assert {"m0", "new"} <= kept
    assert "m1" not in kept


def test_threads_lose_no_count(metrics: Metrics) -> None:
    def work() -> None:
        for _ in range(2000):
            count(metrics)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (series,) = metrics.series()
    assert series.statuses == {200: 8000}
    assert series.histograms["queue"].sum_us == 8000 * 100


def test_the_last_answer_is_flat_without_vectors_and_within_a_kilobyte() -> None:
    answer = {"label": "x", "score": 0.5, "nan": math.nan, "embedding": [0.1] * 384, "top": [{"label": "x"}]}
    assert flat_answer(answer) == {"label": "x", "score": 0.5}
    long = {"a": "x" * 600, "b": "y" * 600, "c": 1}
    assert flat_answer(long) == {"a": "x" * 600, "c": 1}
    assert len(json.dumps(flat_answer({str(n): n for n in range(1000)}))) <= MOST_LAST_BYTES
    assert flat_answer({"embedding": [1.0]}) is None
    assert flat_answer(None) is None


def test_load_is_published_on_change_once_a_second_at_most_and_before_it_expires() -> None:
    pace, quiet, busy = LoadPace(), {"queued": 0}, {"queued": 1}
    assert pace.is_due(quiet, 0.0)
    pace.sent(quiet, 0.0)
    assert not pace.is_due(busy, 0.9)
    assert pace.is_due(busy, 1.0)
    assert not pace.is_due(quiet, 9.9)
    assert pace.is_due(quiet, 10.0)
    pace.sent(quiet, 10.0)
    pace.forget()
    assert pace.is_due(quiet, 10.1)
