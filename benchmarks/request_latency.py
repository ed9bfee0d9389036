"""How much the daemon adds to the model: request to reply on loopback, against a bare echo through the same broker.

    python -m benchmarks.request_latency [--bundle DIR] [--requests N] [--json] [--output FILE]

For each broker set-up and QoS three interleaved rounds are run, one request in flight: a bare-socket requester
against a bare-socket echo, and the same requester against `edgert serve`. "added" is the median of (round trip minus
the time that the daemon reports for its pipeline), what queue, contract, client library and broker cost; "over echo"
is that divided by the echo's median. Mosquitto "as installed" has no `set_tcp_nodelay`: with it, a client that does not
acknowledge at once waits 40 ms for each QoS 1 answer, so the requester here sets TCP_QUICKACK, as edgert's client does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.raw_mqtt import RawMqtt, reply_properties, user_property
from benchmarks.serving import DEFAULT_BUNDLE, SENTENCE, free_port, need_bundle, served, topics
from benchmarks.table import show
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import embedded, start_broker

ECHO_TOPIC = "edgert/v1/d/echo/req/infer/echo"
ROUNDS = 3
WARM_UP = 20


def main() -> None:
    """Read the options, measure every set-up, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request_latency", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: the demo's intent bundle")
    parser.add_argument("--requests", type=int, default=200, help="requests in each of the three rounds")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    bundle = need_bundle(options.bundle)
    rows = []
    with start_broker(None, kind="mosquitto") as broker:
        rows += measure("mosquitto, nodelay", broker.address, bundle, options.requests)
    with unconfigured_mosquitto() as address:
        rows += measure("mosquitto, as installed", address, bundle, options.requests)
    if embedded.is_installed():
        with start_broker(None, kind="embedded") as broker:
            rows += measure("embedded", broker.address, bundle, options.requests)
    show("request latency, milliseconds", rows, as_json=options.json, output=options.output)


def measure(name: str, address: BrokerAddress, bundle: Path, count: int) -> list[dict[str, object]]:
    """One row a QoS for this broker."""
    model = read_bundle(bundle).name
    echo = multiprocessing.Process(target=_echo, args=(address,), daemon=True)
    echo.start()
    rows = []
    try:
        with served(bundle, address):
            client = _connect(address, "bench-requester")
            client.subscribe(topics().reply(address.username or "anonymous", "bench"), 1)
            reply_topic = topics().reply(address.username or "anonymous", "bench")
            for topic in (ECHO_TOPIC, topics().infer(model)):
                _wait_for(client, topic, reply_topic)
            for qos in (0, 1):
                rows.append(_row(name, client, reply_topic, model, qos, count))
            client.close()
    finally:
        echo.terminate()
        echo.join()
    return rows


def _row(name: str, client: RawMqtt, reply_topic: str, model: str, qos: int, count: int) -> dict[str, object]:
    echo_ms: list[float] = []
    added_ms: list[float] = []
    model_ms: list[float] = []
    whole_ms: list[float] = []
    for _ in range(ROUNDS):
        echo_ms += [_ask(client, ECHO_TOPIC, reply_topic, qos)[0] for _ in range(count)]
        for _ in range(count):
            took_ms, infer_us = _ask(client, topics().infer(model), reply_topic, qos)
            whole_ms.append(took_ms)
            model_ms.append(infer_us / 1000)
            added_ms.append(took_ms - infer_us / 1000)
    echo = statistics.median(echo_ms)
    added = statistics.median(added_ms)
    return {
        "broker": name,
        "qos": qos,
        "bare echo p50": echo,
        "request p50": statistics.median(whole_ms),
        "model p50": statistics.median(model_ms),
        "added p50": added,
        "added p95": statistics.quantiles(added_ms, n=20)[-1],
        "over echo": added / echo,
    }


def _ask(client: RawMqtt, topic: str, reply_topic: str, qos: int) -> tuple[float, int]:
    body = json.dumps({"text": SENTENCE}).encode()
    started = time.perf_counter_ns()
    client.publish(topic, body, qos, reply_properties(reply_topic, b"bench"))
    properties, payload = client.receive()
    took_ms = (time.perf_counter_ns() - started) / 1e6
    if topic != ECHO_TOPIC and user_property(properties, "status") != "200":
        raise RuntimeError(f"the daemon refused: {payload[:200]!r}")
    return took_ms, int(user_property(properties, "infer-us") or 0)


def _wait_for(client: RawMqtt, topic: str, reply_topic: str) -> None:
    """Ask until somebody answers (QoS 0 to nobody is lost), then warm up."""
    deadline = time.monotonic() + 30
    client.timeout(0.2)
    while time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            _ask(client, topic, reply_topic, 0)
            break
    client.timeout(30)
    for _ in range(WARM_UP):
        _ask(client, topic, reply_topic, 0)


def _echo(address: BrokerAddress) -> None:
    """Answer every request with its own bytes: what any responder at least costs."""
    client = _connect(address, "bench-echo")
    client.subscribe(ECHO_TOPIC, 1)
    while True:
        properties, payload = client.receive()
        at = properties.index(b"\x08") + 1
        length = int.from_bytes(properties[at : at + 2], "big")
        reply_topic = properties[at + 2 : at + 2 + length].decode()
        client.publish(reply_topic, payload, client.last_qos)


def _connect(address: BrokerAddress, client_id: str) -> RawMqtt:
    return RawMqtt(address.host, address.port, client_id, address.username or "", address.password or "")


@contextlib.contextmanager
def unconfigured_mosquitto() -> Iterator[BrokerAddress]:
    """Mosquitto with nothing but a loopback listener: what a user has who installed it and went on."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        config.flush()
        Path(config.name).chmod(0o644)
        process = subprocess.Popen(["mosquitto", "-c", config.name], stderr=subprocess.DEVNULL)
        try:
            _wait_for_port(port)
            yield BrokerAddress.parse(f"mqtt://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"mosquitto did not open port {port}")


if __name__ == "__main__":
    main()
