"""The service against a real small model and a scripted one: every message gets exactly one reply, in bounds."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from edge_runtime.mqtt.message import Message
from edge_runtime.pipeline import Pipeline
from tests import tiny
from tests.service_bench import TOPICS, WAIT_S, Bench, Gate, request


def test_a_request_is_answered(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(pipeline)
    bench.send(request())
    status, body = bench.next()
    expected = pipeline.vectors(["turn on the light"])[0]
    assert status == 200
    assert body["label"] == tiny.LABELS[int(expected.argmax())]
    assert body["score"] == pytest.approx(float(expected.max()), abs=1e-5)


def test_a_list_is_answered_in_order_and_each_as_if_alone(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(pipeline)
    texts = ["turn on the light", "close the blind", "warm up"]
    bench.send(request(texts))
    _, body = bench.next()
    alone = []
    for text in texts:
        bench.send(request(text))
        alone.append(bench.next()[1]["top"])
    assert [row["top"] for row in body["results"]] == alone


@pytest.mark.parametrize(
    ("message", "status", "reason"),
    [
        (request(model="other"), 404, "model_not_found"),
        (request("word " * 100), 413, "input_too_long"),
        (request("x" * 1_000_000), 413, "input_too_long"),
        (request(["a"] * 9), 400, "bad_request"),
        (request([]), 400, "bad_request"),
        (request(5), 400, "bad_request"),
        (request("\ud800"), 400, "bad_request"),
        (request(deadline_ms="0"), 408, "deadline_passed"),
    ],
)
def test_a_refusal_is_one_error_reply(
    pipeline: Pipeline, make_bench: Callable[..., Bench], message: Message, status: int, reason: str
) -> None:
    bench = make_bench(pipeline)
    bench.send(message)
    got, body = bench.next()
    assert (got, body["error"]["reason"]) == (status, reason)
    bench.send(request())
    assert bench.next()[0] == 200
    assert bench.replies.empty()


@pytest.mark.parametrize("text", ["", " ", "\0", "a\0b", "\u2028", "🙂" * 5, "[SEP] [CLS]"])
def test_odd_texts_are_answered(pipeline: Pipeline, make_bench: Callable[..., Bench], text: str) -> None:
    bench = make_bench(pipeline)
    bench.send(request(text))
    assert bench.next()[0] == 200


def test_over_the_queue_limit_is_busy_at_once_while_the_worker_is_stuck(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate, queue_requests=2)
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    for _ in range(3):
        bench.send(request())
    status, body = bench.next()
    assert status == 429
    assert body["error"]["retry_after_ms"] >= 1
    assert bench.service.queued == 3
    gate.open.release(3)
    assert [bench.next()[0] for _ in range(3)] == [200, 200, 200]


def test_queued_bytes_are_bounded_too(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate, queue_bytes=150)
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    for _ in range(2):
        bench.send(request("on " * 30))
    assert bench.next()[0] == 429
    gate.open.release(2)
    assert [bench.next()[0] for _ in range(2)] == [200, 200]


def test_too_many_texts_do_not_wait_in_the_queue(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    bench.send(request(["ab"] * 100_000))  # 60 bytes each in memory, 5 in the limit of the queue
    assert bench.next()[0] == 400
    gate.open.release()
    assert bench.next()[0] == 200


def test_the_tensor_form_gives_all_probabilities(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(pipeline)
    tensor = {"name": "text", "datatype": "BYTES", "shape": [2], "data": ["turn on", "open"]}
    body = json.dumps({"inputs": [tensor]}).encode()
    bench.send(Message(TOPICS.infer("tiny"), body, response_topic="edgert/v1/r/a/b"))
    outputs = {output["name"]: output for output in bench.next()[1]["outputs"]}
    assert outputs["probabilities"]["shape"] == [2, 4]
    values = np.array(outputs["probabilities"]["data"], dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(values, pipeline.vectors(["turn on", "open"]), rtol=1e-6)
    assert outputs["label"]["datatype"] == "BYTES"


def test_counters_tell_what_happened(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(pipeline)
    for message in (request(id="1"), request(id="1"), request(model="none")):
        bench.send(message)
        bench.next()
    counters = bench.service.counters
    assert (counters.received, counters.answered, counters.repeated, counters.refused["model_not_found"]) == (
        3,
        2,
        1,
        1,
    )
