"""Real processes for end-to-end tests: brokers, and `edgert serve` on one of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_runtime.client import Client
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import Kind, RunningBroker
from tests import brokers

DEVICE = "hub"
START_S = 20.0
STOP_S = 10.0
EDGERT = [sys.executable, "-m", "edge_runtime"]


def program(name: str) -> str:
    """Path of a third-party program, or skip the test by its name."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: apt install mosquitto-clients")
    return path


def broker(kind: Kind) -> RunningBroker:
    """A private broker of this kind, to be used in a `with`; or a skip that names what is missing."""
    return brokers.started(kind, Path(tempfile.gettempdir()))


@contextlib.contextmanager
def daemon(
    address: BrokerAddress, bundles: Sequence[Path], config: Path | None = None, **settings: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`edgert serve` as a process; ended by SIGTERM, which it must obey with status 0 unless it was killed before."""
    environment = {**os.environ, "EDGERT_BROKER_URL": address.url(), "EDGERT_DEVICE": DEVICE, **settings}
    bundle_options = [option for bundle in bundles for option in ("--bundle", str(bundle))]
    config_options = ["--config", str(config)] if config else []
    process = subprocess.Popen([*EDGERT, "serve", *bundle_options, *config_options], env=environment)
    try:
        yield process
        alive = process.poll() is None
        process.send_signal(signal.SIGTERM)
        status = process.wait(STOP_S)
        assert not alive or status == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def wait_online(address: BrokerAddress) -> None:
    """Return when the daemon says `online`."""
    with Client(address) as client:
        assert client.wait_online(DEVICE, START_S)
