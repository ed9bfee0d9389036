"""Requests so short that the thread that read them runs them itself, and all that must not be run there."""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from edge_runtime.config import SchedulerConfig
from edge_runtime.mqtt.contract import Request
from edge_runtime.pipeline import Pipeline, Result
from edge_runtime.service.pace import SHORT_S
from tests.service_bench import WAIT_S, Bench, Gate, request

QUICK_S, SLOW_S = SHORT_S / 10, SHORT_S * 10


class Noting(Pipeline):
    """A real pipeline that says how long it took and notes the threads that ran it."""

    def __init__(self, inner: Pipeline) -> None:
        self.manifest, self.tokenizer, self.task = inner.manifest, inner.tokenizer, inner.task
        self._inner = inner
        self.takes_s = QUICK_S
        self.threads: queue.SimpleQueue[str] = queue.SimpleQueue()

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        self.threads.put("here" if threading.current_thread() is threading.main_thread() else "worker")
        result = self._inner.run(texts, truncate)
        return dataclasses.replace(result, encode_ns=0, run_ns=round(self.takes_s * 1e9), answer_ns=0)


class NotingStream(Noting):
    """The same, and it can answer piece by piece."""

    def stream(self, request: Request) -> Iterator[Mapping[str, object]]:
        self.threads.put("here" if threading.current_thread() is threading.main_thread() else "worker")
        yield {"text": "one"}


@pytest.fixture
def model(pipeline: Pipeline) -> Noting:
    return Noting(pipeline)


def ask(bench: Bench, model: Noting, *texts: str, **more: str) -> str:
    """Take these requests as if they had been read together; where the first was run, once all are answered."""
    for text in texts or ("turn on the light",):
        bench.service.take(request(text, **more))
    bench.service.attend()
    assert bench.statuses(max(1, len(texts))) == [200] * max(1, len(texts))
    ran = [model.threads.get(timeout=WAIT_S) for _ in range(max(1, len(texts)))]
    return ran[0]


def test_a_model_that_was_short_before_is_run_where_it_was_read(
    model: Noting, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench(model)
    assert ask(bench, model) == "worker", "nothing is known of the first"
    assert ask(bench, model) == "here"


def test_a_model_that_takes_long_is_never_run_there(model: Noting, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(model)
    model.takes_s = SLOW_S
    assert [ask(bench, model) for _ in range(3)] == ["worker"] * 3


def test_one_long_run_sends_a_model_back_to_the_workers_until_it_has_been_short_for_a_while(
    model: Noting, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench(model)
    ask(bench, model)
    model.takes_s = SLOW_S
    assert ask(bench, model) == "here"
    model.takes_s = QUICK_S
    ran = [ask(bench, model) for _ in range(200)]
    assert ran[:50] == ["worker"] * 50
    assert ran[-50:] == ["here"] * 50


def test_what_is_known_of_short_texts_says_nothing_of_long_ones(
    model: Noting, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench(model)
    ask(bench, model)
    assert ask(bench, model, "light " * 22) == "worker"
    assert ask(bench, model) == "here"


def test_several_that_were_read_together_go_to_the_workers(model: Noting, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(model)
    ask(bench, model)
    assert ask(bench, model, "turn on the light", "close the blind") == "worker"


def test_a_batch_that_waits_for_more_waits_on_a_worker(model: Noting, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(model, scheduling=SchedulerConfig(batch_wait_ms=1))
    bench.clock.step = 0.001
    assert [ask(bench, model) for _ in range(3)] == ["worker"] * 3


def test_while_a_worker_is_busy_nothing_is_run_there(
    pipeline: Pipeline, model: Noting, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench({"tiny": model, "slow": gate}, scheduling=SchedulerConfig(workers=2))
    ask(bench, model)
    assert ask(bench, model) == "here"
    bench.send(request(model="slow"))
    assert gate.entered.acquire(timeout=WAIT_S)
    assert ask(bench, model) == "worker"
    gate.open.release()
    assert bench.statuses(1) == [200]


def test_a_stream_is_never_run_there(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    model = NotingStream(pipeline)
    bench = make_bench(model)
    ask(bench, model)
    assert ask(bench, model) == "here"
    assert ask(bench, model, "turn on the light", stream="1") == "worker"


def test_any_other_thread_leaves_it_to_a_worker(model: Noting, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(model)
    for _ in range(2):
        bench.send(request())
        assert bench.statuses(1) == [200]
        assert model.threads.get(timeout=WAIT_S) == "worker"


def test_what_fails_there_is_answered_and_the_next_one_too(model: Noting, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(model)
    ask(bench, model)
    good = model._inner
    model._inner = Gate(good)
    model._inner.failure = ZeroDivisionError("model broke")
    model._inner.open.release()
    bench.service.take(request())
    bench.service.attend()
    assert bench.statuses(1) == [500]
    assert model.threads.get(timeout=WAIT_S) == "here"
    model._inner = good
    assert ask(bench, model) == "here"


def test_a_model_of_the_same_name_starts_anew(
    pipeline: Pipeline, model: Noting, make_bench: Callable[..., Bench]
) -> None:
    models: dict[str, Pipeline] = {"tiny": model}
    bench = make_bench(models)
    ask(bench, model)
    assert bench.service.retire("tiny", WAIT_S)
    models["tiny"] = model
    assert ask(bench, model) == "worker"
