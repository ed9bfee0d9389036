"""From `edgert serve` to the first answer, and the memory it then holds.

    python -m benchmarks.startup [--bundle DIR] [--runs N] [--json] [--output FILE]

Each run starts the daemon as a process on a broker that is already up and asks until it answers. The first run is
shown apart, as the nearest thing to a cold start that needs no root.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import time
from pathlib import Path

from benchmarks.raw_mqtt import RawMqtt, reply_properties
from benchmarks.serving import DEFAULT_BUNDLE, SENTENCE, need_bundle, rss_mb, served, topics
from benchmarks.table import show
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import start_broker

ANSWERS = 200  # asked before the memory is read, so that every buffer exists


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: the demo's intent bundle")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    bundle = need_bundle(options.bundle)
    with start_broker(None) as broker:
        runs = [one_run(bundle, broker.address) for _ in range(options.runs)]
    later = runs[1:] or runs
    row = {
        "bundle": read_bundle(bundle).name,
        "broker": broker.kind,
        "first run s": runs[0][0],
        "later runs p50 s": statistics.median(seconds for seconds, _ in later),
        "RSS MB": statistics.median(memory for _, memory in runs),
    }
    show("start to first answer, and memory", [row], as_json=options.json, output=options.output)


def one_run(bundle: Path, address: BrokerAddress) -> tuple[float, float]:
    """(seconds to the first answer, RSS in MB after some hundred answers)."""
    client = RawMqtt(address.host, address.port, "bench", address.username or "", address.password or "")
    reply_topic = topics().reply(address.username or "anonymous", "bench")
    client.subscribe(reply_topic, 1)
    topic, body = topics().infer(read_bundle(bundle).name), json.dumps({"text": SENTENCE}).encode()
    started = time.perf_counter()
    with served(bundle, address) as process:
        client.timeout(0.02)
        while True:
            client.publish(topic, body, 0, reply_properties(reply_topic, b"x"))
            with contextlib.suppress(TimeoutError):
                client.receive()
                break
        seconds = time.perf_counter() - started
        client.timeout(30)
        for _ in range(ANSWERS):
            client.publish(topic, body, 0, reply_properties(reply_topic, b"x"))
            client.receive()
        memory = rss_mb(process.pid)
    client.close()
    return seconds, memory


if __name__ == "__main__":
    main()
