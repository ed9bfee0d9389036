"""Requests that end otherwise than by an answer: deadlines, shutting down, replies that cannot be sent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.config import BrokerConfig, Config
from edge_runtime.daemon import Daemon
from edge_runtime.mqtt.message import Message
from edge_runtime.pipeline import Pipeline
from tests import tiny
from tests.service_bench import WAIT_S, Bench, Gate, request


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


def test_what_draining_has_no_time_for_is_told_so(pipeline: Pipeline, make_bench: Callable[..., Bench]) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request("turn on the light"))
    assert gate.entered.acquire(timeout=WAIT_S)
    for name in ("1", "1", "2"):
        bench.send(request("close the blind", id=name))
    assert not bench.service.drain(0.01)
    assert [bench.next()[0] for _ in range(4)] == [503] * 4
    gate.open.release()
    assert bench.service.drain(WAIT_S)
    assert gate.runs == 1
    assert bench.replies.empty()


def test_a_reply_that_cannot_be_sent_does_not_end_the_worker(
    pipeline: Pipeline, make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make_bench(pipeline)
    calls = iter([RuntimeError("the broker's library stumbled")])
    put = bench.replies.put

    def stumble(message: Message) -> None:
        for error in calls:
            raise error
        put(message)

    monkeypatch.setattr(bench.replies, "put", stumble)
    bench.send(request())
    bench.send(request())
    assert bench.next()[0] == 200
    assert bench.service.counters.unsent == 1


def test_draining_finishes_what_waits_and_takes_nothing_new(
    pipeline: Pipeline, make_bench: Callable[..., Bench]
) -> None:
    gate = Gate(pipeline)
    bench = make_bench(gate)
    bench.send(request())
    bench.send(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    drainer = threading.Thread(target=bench.service.drain, args=[WAIT_S])
    drainer.start()
    while not bench.service.draining:
        time.sleep(0.001)
    bench.send(request())
    assert bench.next()[0] == 503
    gate.open.release(2)
    assert [bench.next()[0] for _ in range(2)] == [200, 200]
    drainer.join(WAIT_S)
    assert not drainer.is_alive()


def test_the_daemon_does_not_end_under_a_model_that_still_runs(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The interpreter aborts the process when it ends while a thread is inside the engine.
    monkeypatch.setattr("edge_runtime.daemon.DRAIN_S", 0.01)
    bundle = tiny.write_bundle(tmp_path / "bundle")
    broker = BrokerConfig(url=f"unix://{tmp_path}/nobody.sock")
    daemon = Daemon(Config(device="hub", bundles=(str(bundle),), broker=broker))
    gate = daemon.models["tiny"] = Gate(pipeline)
    daemon.start()
    daemon.service.receive(request())
    assert gate.entered.acquire(timeout=WAIT_S)
    stopper = threading.Thread(target=daemon.stop)
    stopper.start()
    stopper.join(1.0)
    assert stopper.is_alive()
    gate.open.release()
    stopper.join(WAIT_S)
    assert not stopper.is_alive()
