"""Ten models on a board with 512 MB: are they all answered, and does the daemon keep to its budget?

    python -m benchmarks.memory [--bundle DIR] [--models 10] [--requests 400] [--limit-mb 512] [--json] [--output FILE]

The daemon runs in a memory cgroup of its own (version 1 or 2; needs root), with `memory.on_demand`. Requests go to the
models by Zipf's law: the second is asked half as often as the first, the third a third. The budget is the daemon's own
choice, three quarters of the limit. Its resident memory is read every 20 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.service import sentences
from benchmarks.serving import DEFAULT_BUNDLE, DEVICE, need_bundle, rss_mb
from benchmarks.table import show
from edge_runtime.bundle.manifest import MANIFEST, read_manifest, to_json
from edge_runtime.client import Client
from edge_runtime.errors import EdgertError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import start_broker

_MIB = 1 << 20
SHARE, TOLERANCE = 0.75, 1.05
CGROUPS = Path("/sys/fs/cgroup")


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE, help="default: the demo's intent bundle")
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--limit-mb", type=int, default=512)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    bundle = need_bundle(options.bundle)
    with tempfile.TemporaryDirectory() as folder, start_broker(None, kind="mosquitto") as broker:
        folders = [named(bundle, Path(folder) / f"m{number}") for number in range(options.models)]
        with limited(options.limit_mb) as group:
            rows = [measure(broker.address, folders, group, options.requests, options.limit_mb)]
    show("ten models in little memory", rows, as_json=options.json, output=options.output)


def named(bundle: Path, target: Path) -> Path:
    """The same bundle under another name; its files are links."""
    target.mkdir()
    manifest = read_manifest(bundle)
    for entry in manifest.files:
        (target / entry.path).parent.mkdir(parents=True, exist_ok=True)
        os.link(bundle / entry.path, target / entry.path)
    (target / MANIFEST).write_text(to_json(dataclasses.replace(manifest, name=target.name)))
    return target


@contextlib.contextmanager
def limited(limit_mb: int) -> Iterator[Path]:
    """A memory cgroup with a limit, removed at the end."""
    version_1 = (CGROUPS / "memory").is_dir()
    group = (CGROUPS / "memory" if version_1 else CGROUPS) / f"edgert-bench-{os.getpid()}"
    try:
        group.mkdir()
        name = "memory.limit_in_bytes" if version_1 else "memory.max"
        (group / name).write_text(str(limit_mb * _MIB))
    except OSError as error:
        sys.exit(f"cannot make a memory cgroup ({error}): this needs root and a writable {CGROUPS}")
    try:
        yield group
    finally:
        group.rmdir()


def measure(address: BrokerAddress, folders: list[Path], group: Path, count: int, limit_mb: int) -> dict[str, object]:
    """Run the daemon in the group and ask; one row."""
    options = [option for folder in folders for option in ("--bundle", str(folder))]
    environment = os.environ | {
        "EDGERT_BROKER_URL": address.url(),
        "EDGERT_DEVICE": DEVICE,
        "EDGERT_MEMORY_ON_DEMAND": "true",
    }
    enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    command = ["sh", "-c", enter, "sh", sys.executable, "-m", "edge_runtime", "serve", *options]
    process = subprocess.Popen(command, env=environment)
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(0.02):
            with contextlib.suppress(OSError, RuntimeError):
                samples.append(rss_mb(process.pid))

    sampler = threading.Thread(target=sample)
    sampler.start()
    chance, texts = random.Random(0), sentences(100)
    weights = [1 / (rank + 1) for rank in range(len(folders))]
    took_s, failed = [], 0
    try:
        with Client(address, device=DEVICE) as client:
            client.wait_online(DEVICE, 60)
            for name in chance.choices([folder.name for folder in folders], weights, k=count):
                started = time.perf_counter()
                try:
                    client.infer(name, chance.choice(texts), timeout_s=30)
                except EdgertError:
                    failed += 1
                took_s.append(time.perf_counter() - started)
    finally:
        killed = process.poll() is not None
        over.set()
        sampler.join()
        if not killed:
            process.send_signal(signal.SIGTERM)
        process.wait(30)
    budget, most = limit_mb * SHARE, max(samples) * 1e6 / _MIB
    return {
        "models": len(folders),
        "limit MB": limit_mb,
        "budget MB": budget,
        "requests": count,
        "not answered": failed,
        "killed": killed,
        "RSS most MB": most,
        "within budget + 5 %": most <= budget * TOLERANCE,
        "p50 ms": statistics.median(took_s) * 1e3,
        "p95 ms": statistics.quantiles(took_s, n=20)[-1] * 1e3,
    }


if __name__ == "__main__":
    main()
