"""The demo's int8 MiniLM behind the daemon, against onnxruntime called in a loop and against FastAPI."""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from pathlib import Path

from benchmarks.service_parts.http_load import HttpConnections
from benchmarks.service_parts.in_flight import run_load
from benchmarks.service_parts.peer_venv import NoPeer
from benchmarks.service_parts.peers import FASTAPI, served_by
from benchmarks.service_parts.requester import one_by_one, requester
from benchmarks.service_parts.rows import Rows, median_ratio, not_measured, row
from benchmarks.serving import served, topics
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.engine.cores import cores_here
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.pipeline import open_pipeline

IN_FLIGHT = 8


def intent_rows(address: BrokerAddress, bundle: Path, texts: list[str], rounds: int) -> Rows:
    """Throughput, what is added to the model and the tail, each beside its peer's in the same rounds."""
    pipeline, name, count = open_pipeline(bundle), read_bundle(bundle).name, len(texts)
    narrow, limit = open_pipeline(bundle, threads=1), list[float]()
    topic = topics().infer(name)
    direct, rate, added, loaded = [], [], [], list[float]()
    peer_rate, peer_added = list[float](), list[float]()
    with served(bundle, address) as process, contextlib.ExitStack() as peer:
        port, why = 0, ""
        try:
            port = peer.enter_context(served_by(FASTAPI, bundle))
        except NoPeer as error:
            why = str(error)
        client, reply_topic = requester(address, name)
        for _ in range(rounds):
            started = time.perf_counter()
            for text in texts:
                pipeline.run([text])
            direct.append(count / (time.perf_counter() - started))
            run_s = statistics.median(narrow.run([text]).run_ns for text in texts) / 1e9
            limit.append(cores_here() / run_s)
            full = run_load(client, topic, reply_topic, texts, in_flight=IN_FLIGHT, qos=0, pid=process.pid)
            rate.append(count / full.seconds)
            whole, inside = one_by_one(client, topic, reply_topic, texts)
            added.append(statistics.median(a - b for a, b in zip(whole, inside, strict=True)))
            if port:
                peer_rate.append(_fastapi_rate(port, texts))
                peer_added.append(_fastapi_added_ms(port, texts))
            loaded += run_load(
                client, topic, reply_topic, texts, in_flight=1000, qos=0, pid=process.pid, rate=0.7 * rate[-1]
            ).each_s
    share, own = statistics.median(rate) / statistics.median(direct), statistics.median(added)
    tail = statistics.quantiles(loaded, n=100)[98] / statistics.median(loaded)
    rows = [
        row("MiniLM, 8 in flight: answers a second", statistics.median(rate), "1/s", "", True),
        row("MiniLM: most that the cores could run with nothing else to do", statistics.median(limit), "1/s", "", True),
        row("MiniLM: throughput over direct calls", share, "", ">= 0.95", share >= 0.95),
        row("MiniLM, one in flight: added p50", own, "ms", "<= 0.5", own <= 0.5),
        row("MiniLM, 70 % load: p99 over p50", tail, "", "<= 2", tail <= 2),
    ]
    if why:
        return [*rows, not_measured("MiniLM: throughput over FastAPI's", why, ">= 2")]
    over_peer, less = median_ratio(rate, peer_rate), median_ratio(peer_added, added)
    return [
        *rows,
        row("MiniLM: throughput over FastAPI's", over_peer, "", ">= 2", over_peer >= 2),
        row("MiniLM, one in flight: FastAPI's added p50 over ours", less, "", ">= 3", less >= 3),
    ]


def _fastapi_rate(port: int, texts: list[str]) -> float:
    with HttpConnections(port, FASTAPI.path, FASTAPI.body, IN_FLIGHT) as connections:
        return len(texts) / connections.run(texts).seconds


def _fastapi_added_ms(port: int, texts: list[str]) -> float:
    """The median of round trip less the time in the model, which the peer says."""
    with HttpConnections(port, FASTAPI.path, FASTAPI.body, 1) as connection:
        load = connection.run(texts)
    inside_s: list[float] = [json.loads(body)["infer_us"] / 1e6 for body in load.bodies]
    return statistics.median(a - b for a, b in zip(load.each_s, inside_s, strict=True)) * 1e3
