"""What the benchmarks of the daemon share: real processes on a private broker."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.topics import Topics
from edgert_tools.convert import convert
from edgert_tools.demo import daemon_process

DEVICE = "bench"
DEFAULT_BUNDLE = Path("edgert-demo/home-intents-minilm")  # where `make demo` puts it
SENTENCE = "please turn on the light in the living room and the kitchen now"  # 13 words


def served(bundle: Path, address: BrokerAddress) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """`edgert serve` as a process, as long as the context lasts."""
    return daemon_process(bundle, address, DEVICE)


def topics() -> Topics:
    """The topics of the daemon under test."""
    return Topics(DEVICE)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes), from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"no VmRSS for {pid}")


def recipe_bundle(recipe: str, folder: Path) -> Path:
    """The folder again, with a bundle of the recipe that is made now if none is there."""
    if not (folder / "manifest.json").exists():
        convert(recipe, folder)
    return need_bundle(folder)


def need_bundle(folder: Path) -> Path:
    """The folder again, if a bundle is there; else say how to get one."""
    if not (folder / "manifest.json").exists():
        sys.exit(f"no bundle in {folder}: run `make demo` first or give --bundle DIR")
    read_bundle(folder)
    return folder
