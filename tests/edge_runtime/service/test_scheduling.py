"""Requests of several clients, models and priorities: what runs together, what makes room, what is called off."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from edge_runtime.config import SchedulerConfig
from edge_runtime.engine.cores import SMALL_MB, Cores
from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.contract import Request
from edge_runtime.pipeline import Pipeline, Result
from tests.brokers import wait_until
from tests.service_bench import WAIT_S, Bench, Gate, request


class Recorder(Gate):
    """Remembers the texts of each run; its answers do not depend on the batch."""

    def __init__(self, inner: Pipeline, *, invariant: bool = True) -> None:
        super().__init__(inner)
        model = dataclasses.replace(inner.manifest.model, batch_invariant=invariant)
        self.manifest = dataclasses.replace(inner.manifest, model=model)
        self.seen: list[list[str]] = []

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        self.seen.append(list(texts))
        return super().run(texts, truncate)


@pytest.fixture
def busy(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> Iterator[tuple[Bench, Recorder]]:
    """A service whose worker is held by a first request."""
    gate = Recorder(pipeline)
    bench = make_bench(gate, queue_requests=6)
    bench.send(request("hold", client="first/one"))
    assert gate.entered.acquire(timeout=WAIT_S)
    yield bench, gate
    gate.open.release(100)


def test_what_waits_together_runs_together_and_each_is_answered_as_if_alone(
    busy: tuple[Bench, Recorder], pipeline: Pipeline
) -> None:
    bench, gate = busy
    texts = ["turn on the light", "close the kitchen blind", "open the blind !"]  # as long: this graph sees padding
    for number, text in enumerate(texts):
        bench.send(request(text, client=f"user/{number}"))
    gate.open.release(100)
    bench.next()
    answers = [bench.next()[1] for _ in texts]
    assert gate.seen == [["hold"], texts]
    for text, answer in zip(texts, answers, strict=True):
        values = pipeline.vectors([text])[0]
        assert answer["score"] == pytest.approx(float(values.max()), abs=1e-5)


def test_a_model_whose_answers_depend_on_the_batch_gets_each_alone(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Recorder(pipeline, invariant=False)
    bench = make_bench(gate)
    bench.send(request("hold"))
    assert gate.entered.acquire(timeout=WAIT_S)
    for text in ("turn on the light", "close the blind"):
        bench.send(request(text))
    gate.open.release(100)
    assert bench.statuses(3) == [200] * 3
    assert gate.seen == [["hold"], ["turn on the light"], ["close the blind"]]


def test_one_that_cannot_be_run_does_not_spoil_the_batch(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    bench.send(request("turn on the light"))
    bench.send(request("lone \ud800 half"))
    bench.send(request("close the blind"))
    gate.open.release(100)
    assert sorted(bench.statuses(4)) == [200, 200, 200, 400]


def test_a_batch_waits_for_more_only_if_it_is_told_to(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Recorder(pipeline)
    gate.open.release(100)
    bench = make_bench(gate, scheduling=SchedulerConfig(batch_wait_ms=1000))
    bench.send(request("turn on the light"))
    bench.send(request("close the blind"))
    bench.clock.now += 2.0
    assert bench.statuses(2) == [200, 200]
    assert gate.seen == [["turn on the light", "close the blind"]]


def test_what_gathers_in_a_batch_counts_as_running(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Recorder(pipeline)
    gate.open.release(100)
    bench = make_bench(gate, scheduling=SchedulerConfig(batch_wait_ms=1000))
    bench.send(request("turn on the light"))
    wait_until("it gathers", lambda: bench.service.running == 1)
    assert (bench.service.queued, gate.seen) == (1, [])
    bench.clock.now += 2.0
    assert bench.statuses(1) == [200]


def test_high_priority_is_answered_before_what_came_earlier(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Recorder(pipeline, invariant=False)
    bench = make_bench(gate)
    bench.send(request("hold"))
    assert gate.entered.acquire(timeout=WAIT_S)
    bench.send(request("low", priority="low"))
    bench.send(request("normal"))
    bench.send(request("high", priority="high"))
    gate.open.release(100)
    assert bench.statuses(4) == [200] * 4
    assert gate.seen == [["hold"], ["high"], ["normal"], ["low"]]


def test_a_flood_of_one_client_makes_room_for_another(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    for _ in range(6):
        bench.send(request(client="greedy/one"))
    bench.send(request(client="ann/phone"))
    reply = bench.replies.get(timeout=WAIT_S)
    assert (reply.topic, dict(reply.user)["status"]) == ("edgert/v1/r/greedy/one", "429")
    bench.send(request(client="greedy/one"))
    assert bench.next()[0] == 429
    gate.open.release(100)
    assert bench.statuses(7) == [200] * 7


def test_what_is_too_late_makes_room(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    for _ in range(6):
        bench.send(request(deadline_ms="100"))
    bench.clock.now += 1.0
    bench.send(request())
    assert bench.statuses(6) == [408] * 6
    gate.open.release(100)
    assert bench.statuses(2) == [200, 200]


def test_a_stuck_model_holds_up_no_other(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    stuck, free = Gate(pipeline), Gate(pipeline)
    bench = make_bench({"stuck": stuck, "free": free}, scheduling=SchedulerConfig(workers=2))
    free.open.release(100)
    for _ in range(3):
        bench.send(request(model="stuck"))
    assert stuck.entered.acquire(timeout=WAIT_S)
    for _ in range(3):
        bench.send(request(model="free"))
        assert bench.next()[0] == 200
    stuck.open.release(100)
    assert bench.statuses(3) == [200] * 3


def test_one_model_runs_as_often_at_once_as_it_may(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.parallel = True
    bench = make_bench(gate, scheduling=SchedulerConfig(workers=3, per_model=2))
    for _ in range(3):
        bench.send(request())
    for _ in range(2):
        assert gate.entered.acquire(timeout=WAIT_S)
    assert not gate.entered.acquire(timeout=0.05)
    gate.open.release(100)
    assert bench.statuses(3) == [200] * 3


def large(inner: Pipeline) -> Gate:
    """A model whose runs take every core."""
    gate = Gate(inner)
    gate.parallel = True
    files = [dataclasses.replace(file, size=SMALL_MB * 2_000_000) for file in inner.manifest.files]
    gate.manifest = dataclasses.replace(inner.manifest, files=tuple(files))
    return gate


def test_a_small_model_runs_on_every_core_at_once(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.parallel = True
    bench = make_bench(gate, cores=Cores(3))
    for _ in range(4):
        bench.send(request())
    for _ in range(3):
        assert gate.entered.acquire(timeout=WAIT_S)
    assert not gate.entered.acquire(timeout=0.05)
    gate.open.release(100)
    assert bench.statuses(4) == [200] * 4


def test_large_models_run_in_turn_and_small_ones_beside_them(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    reader, writer, small = large(pipeline), large(pipeline), Gate(pipeline)
    small.open.release(100)
    bench = make_bench({"reader": reader, "writer": writer, "small": small}, cores=Cores(4))
    bench.send(request(model="reader"))
    assert reader.entered.acquire(timeout=WAIT_S)
    for model in ("writer", "reader"):
        bench.clock.now += 0.001
        bench.send(request(model=model))
    for _ in range(3):
        bench.send(request(model="small"))
        assert bench.next()[0] == 200
    assert not writer.entered.acquire(timeout=0.05)
    assert not reader.entered.acquire(blocking=False)
    reader.open.release()
    assert writer.entered.acquire(timeout=WAIT_S)
    reader.open.release(100)
    writer.open.release(100)
    assert bench.statuses(3) == [200] * 3


def test_a_request_that_waits_can_be_called_off(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    bench.send(request("not this", id="7"))
    assert bench.service.cancel("ann/phone", "7") == {"id": "7", "cancelled": 1, "was": "waiting"}
    assert bench.next()[0] == 409
    assert bench.service.cancel("bob/phone", "7")["was"] == "unknown"
    gate.open.release(100)
    assert bench.next()[0] == 200
    bench.send(request("not this", id="7"))
    assert bench.next()[0] == 200  # it is not remembered as cancelled
    assert gate.seen == [["hold"], ["not this"]]


def test_whoever_calls_off_what_runs_gets_no_answer_besides(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    gate.open.release(1)
    bench.next()
    bench.send(request("close the blind", id="7"))
    assert gate.entered.acquire(timeout=WAIT_S)
    assert bench.service.cancel("ann/phone", "7")["was"] == "running"
    assert bench.next()[0] == 409
    gate.open.release(100)
    bench.send(request())
    assert bench.next()[0] == 200
    assert bench.replies.empty()


def test_a_known_model_is_asked_for_once_it_is_wanted(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    models: dict[str, Pipeline] = {}
    bench = make_bench(models)
    bench.service.models.known.add("tiny")
    bench.send(request())
    assert bench.wanted == ["tiny"]
    assert bench.replies.empty()
    models["tiny"] = pipeline
    bench.service.model_changed()
    assert bench.next()[0] == 200


def test_whoever_waits_for_a_model_that_cannot_be_loaded_is_told_why(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    bench = make_bench({})
    bench.service.models.known.add("tiny")
    bench.send(request())
    bench.service.fail("tiny", EdgertError("its file is gone"))
    status, body = bench.next()
    assert (status, body["error"]["message"]) == (500, "its file is gone")
    assert bench.service.queued == 0


def test_a_model_that_goes_runs_what_waits_and_takes_nothing_new(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    bench.send(request("turn on the light"))
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(bench.service.retire("tiny", WAIT_S)))
    thread.start()
    while "tiny" not in bench.service.models.leaving:
        pass
    bench.send(request())
    assert bench.next()[0] == 404
    gate.open.release(100)
    assert bench.statuses(2) == [200, 200]
    thread.join(WAIT_S)
    assert done == [True]
    bench.send(request())
    assert bench.next()[0] == 404


def test_a_model_that_stays_busy_stays(busy: tuple[Bench, Recorder]) -> None:
    bench, gate = busy
    assert not bench.service.retire("tiny", 0.01)
    gate.open.release(100)
    bench.send(request())
    assert bench.statuses(2) == [200, 200]


def test_a_model_is_exchanged_between_two_runs_and_no_request_is_lost(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    old, new = Recorder(pipeline), Recorder(pipeline)
    new.manifest = dataclasses.replace(new.manifest, version="2")
    models: dict[str, Pipeline] = {"tiny": old}
    bench = make_bench(models)
    bench.send(request())
    assert old.entered.acquire(timeout=WAIT_S)
    bench.send(request())
    models["tiny"] = new
    new.open.release(100)
    old.open.release(100)
    assert [bench.next()[1]["version"] for _ in range(2)] == [old.manifest.version, "2"]


class Counting(Pipeline):
    """Answers a stream request with numbers."""

    def __init__(self, inner: Pipeline, numbers: int) -> None:
        self.manifest, self.tokenizer, self.task = inner.manifest, inner.tokenizer, inner.task
        self.numbers = numbers
        self.between = threading.Event()
        self.go_on = threading.Event()

    def stream(self, request: Request) -> Iterator[Mapping[str, object]]:
        for number in range(self.numbers):
            yield {"number": number}
            self.between.set()
            assert self.go_on.wait(WAIT_S)


def test_a_stream_comes_in_order_and_says_which_is_the_last(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    model = Counting(pipeline, 5)
    model.go_on.set()
    bench = make_bench(model)
    bench.send(request(stream="1"))
    replies = [bench.replies.get(timeout=WAIT_S) for _ in range(5)]
    assert [dict(reply.user)["seq"] for reply in replies] == ["0", "1", "2", "3", "4"]
    assert [dict(reply.user).get("last") for reply in replies] == [None, None, None, None, "1"]
    assert [reply.payload for reply in replies] == [b'{"number":%d}' % number for number in range(5)]
    assert {dict(reply.user)["status"] for reply in replies} == {"200"}


def test_no_piece_is_lost_when_the_broker_is_slower_than_the_model(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    model = Counting(pipeline, 50)
    model.go_on.set()
    bench = make_bench(model)
    refusals = iter([True, False, True] * 200)
    put = bench.replies.put
    bench.taken = lambda message: not next(refusals) and not put(message)
    bench.send(request(stream="1"))
    replies = [bench.replies.get(timeout=WAIT_S) for _ in range(50)]
    assert [dict(reply.user)["seq"] for reply in replies] == [str(number) for number in range(50)]


def test_a_stream_that_is_called_off_ends(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    model = Counting(pipeline, 1000)
    bench = make_bench(model)
    bench.send(request(stream="1", id="7"))
    assert model.between.wait(WAIT_S)
    bench.service.cancel("ann/phone", "7")
    model.go_on.set()
    assert bench.next()[0] == 409
    assert bench.service.drain(WAIT_S)
    assert bench.replies.empty()
