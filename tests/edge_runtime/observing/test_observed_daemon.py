"""`edgert serve` as a process: what it tells systemd, Prometheus, the broker, the audit file and the log."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from edge_runtime.client import Client
from edge_runtime.engine.cores import Cores, cores_here
from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.observing.audit import texts_sha256
from edge_runtime.watching.watch import Watch
from tests import served, tiny
from tests.brokers import free_port, wait_until

pytestmark = pytest.mark.broker


@dataclass
class Observed:
    """A daemon that was asked once and has ended by SIGTERM, and what was heard of it in the meantime."""

    told: list[str]
    page: str
    row: dict[str, Any]
    audit: list[dict[str, Any]]
    log: list[dict[str, Any]]


def heard(listener: socket.socket) -> list[str]:
    told: list[str] = []
    try:
        while True:
            told += listener.recv(4096).decode().split("\n")
    except TimeoutError:
        return told


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    bundle, port, audit = tiny.write_bundle(folder / "bundle", "classify"), free_port(), folder / "audit.jsonl"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(folder / "notify"))
    with served.broker("mosquitto") as broker, (folder / "log").open("wb") as log:
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(folder / "notify"),
            "WATCHDOG_USEC": "200000",
            "EDGERT_BROKER_URL": broker.address.url(),
            "EDGERT_DEVICE": "hub",
            "EDGERT_METRICS_PORT": str(port),
            "EDGERT_METRICS_STATS_S": "1",
            "EDGERT_AUDIT_FILE": str(audit),
            "EDGERT_RUNTIME_LOG_FORMAT": "json",
        }
        process = subprocess.Popen([*served.EDGERT, "serve", "--bundle", str(bundle)], env=environment, stderr=log)
        try:
            row, page = _ask(broker, port)
            process.send_signal(signal.SIGTERM)
            assert process.wait(served.STOP_S) == 0
        finally:
            process.kill()
            process.wait()
    listener.settimeout(0.1)
    lines = (folder / "log").read_text().splitlines()
    yield Observed(heard(listener), page, row, _objects(audit.read_text().splitlines()), _objects(lines))
    listener.close()


def _ask(broker: RunningBroker, port: int) -> tuple[dict[str, Any], str]:
    with Watch(broker.address) as watch:

        def row() -> dict[str, Any]:
            found: Any = watch.document()
            devices: list[dict[str, Any]] = found["devices"]
            return devices[0] if devices else {}

        with Client(broker.client_address) as client:
            assert client.wait_online("hub", served.START_S)
            client.infer("tiny", "turn on the light")
        wait_until("stats tell of the answer", lambda: row().get("answered") == 1, 10)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
            return row(), reply.read().decode()


def _objects(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_systemd_is_told_of_start_life_and_end(observed: Observed) -> None:
    told = observed.told
    assert told.index("READY=1") < told.index("STATUS=answers for tiny") < told.index("STOPPING=1")
    assert "WATCHDOG=1" in told
    assert told.count("READY=1") == 1


def test_top_sees_what_was_answered(observed: Observed) -> None:
    row = observed.row
    assert (row["online"], row["queued"], row["running"]) == (True, 0, 0)
    assert row["workers"] == Cores(cores_here()).runs
    assert row["memory_mb"] > 10
    (model,) = row["models"]
    assert (model["model"], model["answered"]) == ("tiny", 1)
    assert model["last"]["label"]
    assert row["p50_ms"] == model["p50_ms"] > 0


def test_prometheus_sees_what_was_answered(observed: Observed) -> None:
    assert re.search(r'^edgert_requests_total\{[^}]*status="200"[^}]*\} 1\.0$', observed.page, re.M)
    assert "edgert_answered_requests_total 1.0" in observed.page


def test_the_audit_file_has_the_request(observed: Observed) -> None:
    (row,) = observed.audit
    assert (row["model"], row["status"], row["input_sha256"]) == ("tiny", 200, texts_sha256(["turn on the light"]))


def test_the_log_is_json_lines(observed: Observed) -> None:
    assert any(line["message"].startswith("stopped: 1 answered") for line in observed.log)
