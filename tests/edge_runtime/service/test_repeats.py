"""Repeats by id: run once, answered each, within bounds and for as long as they have time."""

from __future__ import annotations

from collections.abc import Callable

from edge_runtime.mqtt.message import Message
from edge_runtime.pipeline import Pipeline
from tests import tiny
from tests.service_bench import WAIT_S, Bench, Gate, request


def test_a_repeat_gets_the_stored_reply_and_runs_nothing(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.open.release(2)
    bench = make_bench(gate)
    bench.send(request(id="1"))
    first = bench.next()
    bench.send(request(id="1"))
    assert bench.next() == first
    assert gate.runs == 1


def test_a_repeat_in_flight_joins_the_run_and_both_are_answered(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request(id="1"))
    assert gate.entered.acquire(timeout=WAIT_S)
    bench.send(request(id="1"))
    gate.open.release()
    assert bench.next() == bench.next()
    assert gate.runs == 1


def test_ids_of_different_users_do_not_meet(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.open.release(2)
    bench = make_bench(gate)
    bench.send(request("turn on the light", id="1"))
    bench.next()
    other = request("close the blind", id="1")
    bench.send(Message(other.topic, other.payload, response_topic="edgert/v1/r/bob/phone", user=other.user))
    bench.next()
    assert gate.runs == 2


def test_another_question_with_the_same_id_is_run(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(pipeline)
    for text in ("turn on the light", "close the blind"):
        bench.send(request(text, id="1"))
        expected = tiny.LABELS[int(pipeline.vectors([text])[0].argmax())]
        assert bench.next()[1]["label"] == expected


def test_stored_replies_expire_and_are_bounded(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.open.release(10)
    bench = make_bench(gate, remembered_ids=2, remembered_s=60)
    for name in ("1", "2", "3", "1"):  # the third pushed the first out
        bench.send(request(id=name))
        assert bench.next()[0] == 200
    assert gate.runs == 4
    bench.clock.now += 61
    for name in ("new", "1"):
        bench.send(request(id=name))
        bench.next()
    assert gate.runs == 6


def test_an_error_is_not_stored_so_a_retry_can_succeed(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    gate.open.release(2)
    gate.failure = RuntimeError("kernel says no")
    bench = make_bench(gate)
    bench.send(request(id="1"))
    status, body = bench.next()
    assert (status, body["error"]["reason"]) == (500, "internal")
    assert "kernel" not in body["error"]["message"]
    gate.failure = None
    bench.send(request(id="1"))
    assert bench.next()[0] == 200


def test_a_repeat_with_time_left_keeps_the_run_alive_past_the_first_deadline(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    bench.send(request("close the blind", id="1", deadline_ms="500"))
    bench.clock.now += 0.4
    bench.send(request("close the blind", id="1", deadline_ms="500"))
    bench.clock.now += 0.4
    gate.open.release(2)
    assert [bench.next()[0] for _ in range(3)] == [200, 200, 200]


def test_repeats_of_one_request_are_bounded_like_the_queue(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate, queue_requests=3)
    bench.send(request(id="1"))
    assert gate.entered.acquire(timeout=WAIT_S)
    for _ in range(100):
        bench.send(request(id="1"))
    assert [bench.next()[0] for _ in range(97)] == [429] * 97
    gate.open.release()
    assert [bench.next()[0] for _ in range(4)] == [200] * 4
    assert bench.replies.empty()


def test_a_stored_reply_expires_even_when_nothing_else_comes(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    gate.open.release(2)
    bench = make_bench(gate, remembered_s=60)
    bench.send(request(id="1"))
    bench.next()
    bench.clock.now += 61
    bench.send(request(id="1"))
    bench.next()
    assert gate.runs == 2
