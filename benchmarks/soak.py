"""Hours of mixed work on one daemon: does its memory grow, and is any request left without an answer?

    python -m benchmarks.soak [--minutes 120] [--bundle DIR] [--json] [--output FILE]

Clients ask over the edgert client (retries by id) and over bare sockets: single texts and lists, good and hostile, at
uneven rates, with floods that fill the queue; every ten minutes the broker is killed and comes back. Memory is sampled
every five seconds; the slope is that of a straight line through the samples after the first tenth, in which caches
fill. A lost id is a request of a patient client (60 s, any number of tries) that got no reply at all.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from benchmarks.raw_mqtt import RawMqtt, reply_properties
from benchmarks.service import sentences
from benchmarks.serving import DEFAULT_BUNDLE, DEVICE, free_port, need_bundle, rss_mb, served, topics
from benchmarks.table import show
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.client import Client
from edge_runtime.errors import EdgertError, RemoteError
from edge_runtime.mqtt.address import BrokerAddress

SAMPLE_S, BROKER_EVERY_S, PATIENCE_S = 5.0, 600.0, 60.0
HOSTILE = (
    b"",
    b"{",
    b"[" * 5000,
    b'{"text": 5}',
    b'{"text": "' + b"x" * 100_000 + b'"}',
    b"\xff\xfe",
    b'{"inputs": []}',
)


class Soak:
    """The clients and what became of their requests."""

    def __init__(self, address: BrokerAddress, model: str) -> None:
        self._address, self._model = address, model
        self.counts: Counter[str] = Counter()
        self.over = threading.Event()
        self._texts = sentences(500)
        self._lock = threading.Lock()

    def patient(self, seed: int) -> None:
        """Ask again and again, each time until there is an answer."""
        chance = random.Random(seed)
        while not self.over.is_set():
            with contextlib.suppress(EdgertError), Client(self._address, device=DEVICE, timeout_s=30) as client:
                while not self.over.wait(chance.expovariate(20)):
                    self._ask(client, chance)

    def _ask(self, client: Client, chance: random.Random) -> None:
        texts = chance.sample(self._texts, chance.choice((1, 1, 1, 4)))
        try:
            answer = client.infer(self._model, texts[0] if len(texts) == 1 else texts, timeout_s=PATIENCE_S, tries=60)
            self._count("answered" if answer.body else "lost")
        except RemoteError as error:
            self._count(f"refused {error.status}")
        except EdgertError:
            self._count("lost")

    def hostile(self) -> None:
        """Send what no client should, and floods."""
        chance = random.Random(0)
        while not self.over.wait(1.0):
            with contextlib.suppress(OSError, ConnectionError):
                client = RawMqtt(self._address.host, self._address.port, f"hostile-{chance.getrandbits(32)}")
                reply = reply_properties("edgert/v1/r/hostile/x", b"h")
                for _ in range(chance.choice((5, 200))):
                    client.publish(topics().infer(self._model), chance.choice(HOSTILE), 0, reply)
                    self._count("hostile")
                client.close()

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1


def main() -> None:
    """Read the options, soak, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: the demo's intent bundle")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    bundle = need_bundle(options.bundle)
    port = free_port()
    address = BrokerAddress.parse(f"mqtt://127.0.0.1:{port}")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nlog_type error\n")
        config.flush()
        Path(config.name).chmod(0o644)
        rows = [soak(config.name, address, bundle, options.minutes * 60)]
    show("soak", rows, as_json=options.json, output=options.output)


def soak(config: str, address: BrokerAddress, bundle: Path, seconds: float) -> dict[str, object]:
    """Run everything for so long; one row."""
    broker = start(config)
    work = Soak(address, read_bundle(bundle).name)
    restarts = 0
    try:
        with served(bundle, address) as process:
            threads = [threading.Thread(target=work.patient, args=[seed]) for seed in range(4)]
            threads.append(threading.Thread(target=work.hostile))
            for thread in threads:
                thread.start()
            samples: list[tuple[float, float]] = []
            started = time.monotonic()
            while (past := time.monotonic() - started) < seconds:
                time.sleep(SAMPLE_S)
                samples.append((past, rss_mb(process.pid)))
                progress(past, seconds, samples[-1][1], work.counts)
                if past // BROKER_EVERY_S > restarts:
                    restarts += 1
                    broker.kill()
                    broker.wait()
                    time.sleep(1.0)
                    broker = start(config)
            work.over.set()
            for thread in threads:
                thread.join(PATIENCE_S + 10)
            alive = process.poll() is None
    finally:
        broker.terminate()
        broker.wait()
    settled = [sample for sample in samples if sample[0] > seconds / 10]
    times, memory = np.array([past for past, _ in settled]), np.array([mb for _, mb in settled])
    slope = float(np.polyfit(times, memory, 1)[0]) * 3600
    refused = sum(count for what, count in work.counts.items() if what.startswith("refused"))
    return {
        "minutes": seconds / 60,
        "answered": work.counts["answered"],
        "refused": refused,
        "hostile": work.counts["hostile"],
        "broker killed": restarts,
        "lost ids": work.counts["lost"],
        "RSS MB": float(np.median(memory)),
        "RSS most MB": float(memory.max()),
        "slope MB/h": slope,
        "daemon alive": alive,
    }


def start(config: str) -> subprocess.Popen[bytes]:
    """Mosquitto on that configuration."""
    return subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL)


def progress(past: float, seconds: float, memory_mb: float, counts: Counter[str]) -> None:
    """One line on a terminal."""
    if sys.stderr.isatty():
        print(
            f"\r{past / 60:.1f} of {seconds / 60:.0f} min, {memory_mb:.1f} MB, {dict(counts)}", end="", file=sys.stderr
        )


if __name__ == "__main__":
    main()
