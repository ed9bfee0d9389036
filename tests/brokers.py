"""Real brokers for tests, and what a test does to them. Import the fixtures into a `conftest.py`."""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import Kind, RunningBroker, embedded, mosquitto, start_broker
from edge_runtime.mqtt.broker.probe import accepts
from edge_runtime.mqtt.message import Message

KINDS: tuple[Kind, ...] = ("mosquitto", "embedded")
NEED_MOSQUITTO = "mosquitto is not installed (apt install mosquitto)"
NEED_EMBEDDED = "iotcore is not installed (pip install 'edgert[broker]')"


def started(kind: Kind, directory: Path) -> RunningBroker:
    """That broker, as `edgert up` starts it; skips the test when it is not installed."""
    if kind == "mosquitto" and mosquitto.find() is None:
        pytest.skip(NEED_MOSQUITTO)
    if kind == "embedded" and not embedded.is_installed():
        pytest.skip(NEED_EMBEDDED)
    return start_broker(directory=directory, kind=kind)


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningBroker]:
    """Each broker that edgert can start, in turn, with its passwords and (Mosquitto) access list."""
    with started(request.param, tmp_path) as running:
        yield running


@pytest.fixture
def private_mosquitto(tmp_path: Path) -> Iterator[RunningBroker]:
    """Mosquitto as `edgert up` starts it."""
    with started("mosquitto", tmp_path) as running:
        yield running


@pytest.fixture
def plain_mosquitto(tmp_path: Path) -> Iterator[PlainMosquitto]:
    """A Mosquitto that anybody may use, not started yet, for a test to kill, stop and start again."""
    if mosquitto.find() is None:
        pytest.skip(NEED_MOSQUITTO)
    server = PlainMosquitto(tmp_path)
    yield server
    server.kill()


def free_port() -> int:
    """A loopback TCP port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PlainMosquitto:
    """Mosquitto with Debian's defaults on one loopback port that stays the same over restarts.

    So without `set_tcp_nodelay`, as most people run it.
    """

    def __init__(self, directory: Path) -> None:
        self.address = BrokerAddress("mqtt", "127.0.0.1", free_port())
        self._config = directory / "plain.conf"
        self.set()
        self._process: subprocess.Popen[bytes] | None = None

    def set(self, *lines: str) -> None:
        """Add these lines to the configuration of the next start."""
        user = ["user root"] if os.geteuid() == 0 else []
        listener = [f"listener {self.address.port} 127.0.0.1", "allow_anonymous true"]
        self._config.write_text("\n".join([*user, *listener, "log_type error", *lines, ""]))

    def start(self) -> None:
        """Start and wait until it accepts."""
        program = mosquitto.find()
        assert program is not None
        command = [program, "-c", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 5
        while not accepts(self.address):
            assert time.monotonic() < deadline, "mosquitto does not accept"
            time.sleep(0.005)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """SIGSTOP: the kernel still acknowledges for it until its buffers are full."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


class Inbox:
    """Collects what arrives: `Connection(on_message=inbox)`."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def __call__(self, message: Message) -> None:
        self._messages.put(message)

    def get(self, timeout_s: float = 5.0) -> Message:
        """The next message; fails the test when none comes in time."""
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            raise AssertionError(f"no message came in {timeout_s:g} s") from None

    def is_empty(self) -> bool:
        """Whether nothing waits at the moment."""
        return self._messages.empty()


def resident_kb(process: int | str = "self") -> int:
    """Memory of a process that is in RAM, in kB."""
    pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    return pages * (os.sysconf("SC_PAGE_SIZE") // 1024)


def wait_until(what: str, happened: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Wait for what another thread or process does; fails the test when it does not."""
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, f"not in {timeout_s:g} s: {what}"
        time.sleep(0.005)
