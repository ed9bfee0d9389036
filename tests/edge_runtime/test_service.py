"""The service against a real small model and a scripted one: every message gets exactly one reply, in bounds."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from edge_runtime.config import LimitsConfig
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.pipeline import Pipeline, Result, open_pipeline
from edge_runtime.service import Service
from tests import tiny

TOPICS = Topics("hub")
WAIT_S = 10.0


def request(text: object = "turn on the light", *, id: str | None = None, model: str = "tiny", **user: str) -> Message:
    properties = tuple((key.replace("_", "-"), value) for key, value in user.items())
    identity = (("id", id),) if id else ()
    body = json.dumps({"text": text}).encode()
    reply = "edgert/v1/r/ann/phone"
    return Message(TOPICS.infer(model), body, response_topic=reply, correlation=b"c", user=(*identity, *properties))


class Gate(Pipeline):
    """A real pipeline whose runs wait for `open`; counts them and may fail."""

    def __init__(self, inner: Pipeline) -> None:
        self.manifest, self.tokenizer, self.task = inner.manifest, inner.tokenizer, inner.task
        self._inner = inner
        self.entered, self.open = threading.Semaphore(0), threading.Semaphore(0)
        self.runs = 0
        self.failure: Exception | None = None

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        self.entered.release()
        assert self.open.acquire(timeout=WAIT_S)
        self.runs += 1
        if self.failure:
            raise self.failure
        return self._inner.run(texts, truncate)


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """A service with its replies in a queue."""

    def __init__(self, model: Pipeline, **limits: int) -> None:
        self.replies: queue.Queue[Message] = queue.Queue()
        self.clock = Clock()
        self.service = Service({"tiny": model}, TOPICS, LimitsConfig(**limits), self._publish, self.clock)
        self.service.start()

    def _publish(self, message: Message) -> bool:
        self.replies.put(message)
        return True

    def send(self, message: Message) -> None:
        self.service.receive(message)

    def next(self) -> tuple[int, dict[str, Any]]:
        reply = self.replies.get(timeout=WAIT_S)
        return int(dict(reply.user)["status"]), json.loads(reply.payload)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return open_pipeline(tiny.write_bundle(tmp_path_factory.mktemp("service") / "bundle"))


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(model: Pipeline, **limits: int) -> Bench:
        made.append(Bench(model, **limits))
        return made[-1]

    yield make
    for bench in made:
        assert bench.service.drain(WAIT_S)


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


def test_a_request_that_waited_past_its_deadline_is_not_run(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    bench.send(request(deadline_ms="500"))
    bench.clock.now += 1
    gate.open.release()
    assert [bench.next()[0] for _ in range(2)] == [200, 408]
    assert gate.runs == 1


def test_draining_finishes_what_waits_and_takes_nothing_new(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request())
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    assert not bench.service.drain(0.01)
    bench.send(request())
    assert bench.next()[0] == 503
    gate.open.release(2)
    assert [bench.next()[0] for _ in range(2)] == [200, 200]
    assert bench.service.drain(WAIT_S)


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
