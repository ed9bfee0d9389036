"""The daemon under load: what it adds to a model that does nothing, how many it answers, how soon it says busy.

    python -m benchmarks.service [--bundle DIR] [--requests N] [--json] [--output FILE]

All on loopback, through Mosquitto with nodelay where nothing else is said. "floor" is the same requester against a
bare-socket echo through the same broker, in the same rounds. With MiniLM, "direct" is onnxruntime called in a loop
on the same batches in this process, tokenization included; "FastAPI" is the same model behind uvicorn, with Hugging
Face's tokenizer, asked over connections that stay open. A load of 8 in flight is a closed loop: the next request goes
out when an answer comes in. With 70 % load requests go out by the clock, and waiting for it counts.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import random
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.raw_mqtt import RawMqtt, reply_properties, user_property
from benchmarks.request_latency import ECHO_TOPIC, _connect, _echo, unconfigured_mosquitto
from benchmarks.service_parts.http_peer import HttpLoad, http_peer
from benchmarks.service_parts.in_flight import Load, run_load
from benchmarks.service_parts.no_op_daemon import CHUNKS, NO_OP, STREAM, STUCK
from benchmarks.serving import DEFAULT_BUNDLE, need_bundle, served, topics
from benchmarks.table import show
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import start_broker
from edge_runtime.pipeline import open_pipeline

ROUNDS = 3
IN_FLIGHT = 8
SAID = "turn on off the light lamp kitchen hall garden red warm now please set open close blind door to in"
Rows = list[dict[str, object]]


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: the demo's intent bundle")
    parser.add_argument("--requests", type=int, default=2000, help="requests in each of the three rounds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    bundle = need_bundle(options.bundle)
    rows: Rows = []
    with start_broker(None, kind="mosquitto") as broker:
        with no_op_daemon(bundle, broker.address) as pid:
            rows += no_op_rows(broker.address, pid, options.requests)
            rows += stream_rows(broker.address)
            rows += busy_rows(broker.address, options.requests)
        rows += model_rows(broker.address, bundle, options.requests // 4)
    with unconfigured_mosquitto() as address, no_op_daemon(bundle, address):
        rows.append(unconfigured_row(address, options.requests // 4))
    show("the daemon under load", rows, as_json=options.json, output=options.output)


def row(what: str, value: float, unit: str, goal: str, met: bool) -> dict[str, object]:
    """One line of the table."""
    return {"what": what, "value": value, "unit": unit, "goal": goal, "met": "yes" if met else "no"}


def sentences(count: int) -> list[str]:
    """Different sentences of 12 words."""
    chance = random.Random(1)
    return [" ".join(chance.choices(SAID.split(), k=12)) for _ in range(count)]


@contextlib.contextmanager
def no_op_daemon(bundle: Path, address: BrokerAddress) -> Iterator[int]:
    """The daemon with models that do nothing, as a process; gives its id."""
    command = [sys.executable, "-m", "benchmarks.service_parts.no_op_daemon", str(bundle), address.url()]
    process = subprocess.Popen(command)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def requester(address: BrokerAddress, model: str) -> tuple[RawMqtt, str]:
    """A client whose first request was answered, and its reply topic."""
    client = _connect(address, f"bench-{random.getrandbits(40)}")
    reply_topic = topics().reply(address.username or "anonymous", f"bench-{random.getrandbits(40)}")
    client.subscribe(reply_topic, 1)
    deadline = time.monotonic() + 60
    client.timeout(0.3)
    while True:
        client.publish(topics().infer(model), b'{"text": "hello"}', 0, reply_properties(reply_topic, b"\0\0\0\0"))
        try:
            client.receive()
            break
        except TimeoutError:
            if time.monotonic() > deadline:
                raise RuntimeError("the daemon does not answer") from None
    client.timeout(60)
    return client, reply_topic


def no_op_rows(address: BrokerAddress, pid: int, count: int) -> Rows:
    """What is added to nothing, with one and with 32 in flight."""
    client, reply_topic = requester(address, NO_OP)
    echo = multiprocessing.Process(target=_echo, args=(address,), daemon=True)
    echo.start()
    time.sleep(0.5)
    rows: Rows = []
    texts = sentences(count)
    try:
        for qos, most_us in ((0, 150), (1, 250)):
            floors, ours, cpu = list[float](), list[float](), list[float]()
            for _ in range(ROUNDS):
                floors.append(_p50_us(run_echo(client, reply_topic, texts[: count // 2], qos)))
                load = run_load(
                    client, topics().infer(NO_OP), reply_topic, texts[: count // 2], in_flight=1, qos=qos, pid=pid
                )
                ours.append(_p50_us(load))
                cpu.append(load.cpu_s * 1e6 / len(load.each_s))
            floor, own = statistics.median(floors), statistics.median(ours)
            rows.append(row(f"no-op, QoS {qos}: floor p50", floor, "us", "", True))
            rows.append(row(f"no-op, QoS {qos}: added p50", own - floor, "us", f"<= {most_us}", own - floor <= most_us))
            used = statistics.median(cpu)
            rows.append(row(f"no-op, QoS {qos}: CPU a request", used, "us", "<= 200", used <= 200))
        loads = [
            run_load(client, topics().infer(NO_OP), reply_topic, texts, in_flight=32, qos=0, pid=pid)
            for _ in range(ROUNDS)
        ]
        per_core = statistics.median(len(load.each_s) / load.cpu_s for load in loads)
        rows.append(row("no-op, 32 in flight: requests a CPU second", per_core, "1/s", ">= 5000", per_core >= 5000))
        rate = statistics.median(len(load.each_s) / load.seconds for load in loads)
        rows.append(row("no-op, 32 in flight: requests a second", rate, "1/s", "", True))
    finally:
        echo.terminate()
        echo.join()
    return rows


def run_echo(client: RawMqtt, reply_topic: str, texts: list[str], qos: int) -> Load:
    """The same requests to a bare echo, which sends no properties back."""
    each = []
    started = time.perf_counter()
    for text in texts:
        at = time.perf_counter()
        client.publish(ECHO_TOPIC, text.encode(), qos, reply_properties(reply_topic, b"\0\0\0\0"))
        client.receive()
        each.append(time.perf_counter() - at)
    return Load(time.perf_counter() - started, each, 0.0, {})


def stream_rows(address: BrokerAddress) -> Rows:
    """How many pieces of an answer arrive a second, and whether in order."""
    client, reply_topic = requester(address, NO_OP)
    rates, in_order = [], True
    for _ in range(ROUNDS):
        properties = reply_properties(reply_topic, b"\0\0\0\0") + b"\x26\x00\x06stream\x00\x011"
        started = time.perf_counter()
        client.publish(topics().infer(STREAM), b'{"text": "go"}', 0, properties)
        for expected in itertools.count():
            got, _ = client.receive()
            in_order &= user_property(got, "seq") == str(expected)
            if user_property(got, "last"):
                break
        rates.append(CHUNKS / (time.perf_counter() - started))
    rate = statistics.median(rates)
    return [row("stream: pieces a second, all in order", rate, "1/s", ">= 5000", in_order and rate >= 5000)]


def busy_rows(address: BrokerAddress, count: int) -> Rows:
    """How soon a request is told that the queue is full, while every worker hangs."""
    client, reply_topic = requester(address, NO_OP)
    for _ in range(40):  # two workers hang, the queue is full
        client.publish(
            topics().infer(STUCK), b'{"text": "hang"}', 0, reply_properties(reply_topic, b"\xff\xff\xff\xff")
        )
    time.sleep(1.0)
    with contextlib.suppress(TimeoutError):
        client.timeout(0.5)
        while True:
            client.receive()
    client.timeout(60)
    load = run_load(client, topics().infer(STUCK), reply_topic, sentences(count), in_flight=1, qos=0, pid=None)
    p99 = statistics.quantiles(load.each_s, n=100)[98] * 1e3
    said = load.statuses == {"429": count}
    return [row("busy reply p99, all workers blocked", p99, "ms", "< 10", said and p99 < 10)]


def unconfigured_row(address: BrokerAddress, count: int) -> dict[str, object]:
    """QoS 1 through a Mosquitto as it is installed."""
    client, reply_topic = requester(address, NO_OP)
    load = run_load(client, topics().infer(NO_OP), reply_topic, sentences(count), in_flight=1, qos=1, pid=None)
    p50 = _p50_us(load) / 1000
    return row("no-op, unconfigured Mosquitto, QoS 1: p50", p50, "ms", "< 1", p50 < 1)


def model_rows(address: BrokerAddress, bundle: Path, count: int) -> Rows:
    """int8 MiniLM with sentences of 12 words: against onnxruntime called in a loop, and against FastAPI."""
    texts = sentences(count)
    pipeline = open_pipeline(bundle)
    topic = topics().infer(read_bundle(bundle).name)
    direct, rate, added, loaded = [], [], [], list[float]()
    peer_rate, peer_added = [], []
    with served(bundle, address) as process, http_peer(bundle) as (port, _):
        client, reply_topic = requester(address, read_bundle(bundle).name)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            for text in texts:
                pipeline.run([text])
            direct.append(count / (time.perf_counter() - started))
            full = run_load(client, topic, reply_topic, texts, in_flight=IN_FLIGHT, qos=0, pid=process.pid)
            rate.append(count / full.seconds)
            whole, inside = one_by_one(client, topic, reply_topic, texts)
            added.append(statistics.median(a - b for a, b in zip(whole, inside, strict=True)))
            peer_rate.append(count / HttpLoad(port, IN_FLIGHT).run(texts))
            single = HttpLoad(port, 1)
            single.run(texts)
            peer_added.append(
                statistics.median(a - b for a, b in zip(single.each_s, single.inside_s, strict=True)) * 1e3
            )
            loaded += run_load(
                client, topic, reply_topic, texts, in_flight=1000, qos=0, pid=process.pid, rate=0.7 * rate[-1]
            ).each_s
    share, over_peer = statistics.median(rate) / statistics.median(direct), _ratio(rate, peer_rate)
    own, less = statistics.median(added), _ratio(peer_added, added)
    tail = statistics.quantiles(loaded, n=100)[98] / statistics.median(loaded)
    return [
        row("MiniLM: throughput over direct calls", share, "", ">= 0.95", share >= 0.95),
        row("MiniLM, one in flight: added p50", own, "ms", "<= 0.5", own <= 0.5),
        row("MiniLM, 70 % load: p99 over p50", tail, "", "<= 2", tail <= 2),
        row("MiniLM: throughput over FastAPI's", over_peer, "", ">= 2", over_peer >= 2),
        row("MiniLM, one in flight: FastAPI's added p50 over ours", less, "", ">= 3", less >= 3),
    ]


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def one_by_one(client: RawMqtt, topic: str, reply_topic: str, texts: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each round trip, and of the pipeline in it."""
    whole, inside = [], []
    for text in texts:
        started = time.perf_counter()
        client.publish(topic, b'{"text": "%s"}' % text.encode(), 0, reply_properties(reply_topic, b"\0\0\0\0"))
        properties, _ = client.receive()
        whole.append((time.perf_counter() - started) * 1e3)
        inside.append(int(user_property(properties, "infer-us") or 0) / 1e3)
    return whole, inside


def _p50_us(load: Load) -> float:
    return statistics.median(load.each_s) * 1e6


if __name__ == "__main__":
    main()
