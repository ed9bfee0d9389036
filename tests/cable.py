"""A board and a broker in network namespaces of their own, joined by cables and a switch that a test can cut.

    board namespace              switch namespace                broker namespace
    edgert serve  BOARD_SIDE --- board | bridge | broker --- BROKER_SIDE  Mosquitto

The test itself stays outside: it talks to the broker by a unix socket, which no cut touches. Needs Linux, the `ip`
program, and root or user namespaces.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import mosquitto
from tests import brokers

Place = Literal["board", "broker"]
BOARD_IP, BROKER_IP, PORT = "10.77.0.1", "10.77.0.2", 1883
_PROGRAM_S = 10.0


class Namespace:
    """A network namespace; it ends with the process that holds it, at the latest with ours.

    Args:
        inside: the namespace whose user namespace it shall share; None: the first one.
    """

    def __init__(self, inside: Namespace | None = None) -> None:
        user = [] if os.geteuid() == 0 or inside else ["--user", "--map-root-user"]
        command = [*(inside.enter if inside else []), program("unshare"), *user, "--net", "cat"]
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._wait_made()

    @property
    def pid(self) -> int:
        """A process in here."""
        return self._holder.pid

    def _wait_made(self) -> None:
        """`cat` echoes what it is sent, so it runs, so the namespace is there; or the test is skipped."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self._holder.stdin.write(b"\n")
            self._holder.stdin.flush()
        if self._holder.stdout.readline() != b"\n":
            reason = self._holder.stderr.read().decode().strip()
            self.close()
            pytest.skip(f"needs root or user namespaces to make a network namespace: {reason}")

    @property
    def enter(self) -> list[str]:
        """What to put before a command so that it runs in here; it keeps its process id."""
        user = ["--user", "--preserve-credentials"] if os.geteuid() else []
        return [program("nsenter"), *user, "--target", str(self.pid), "--net", "--"]

    def run(self, *command: str) -> None:
        """Run a program in here to its end. RuntimeError: it failed; with what it said."""
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True, timeout=_PROGRAM_S, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")

    def close(self) -> None:
        """Let it go; processes in it must have ended."""
        self._holder.kill()
        self._holder.communicate()


class Net:
    """Both cables, the switch, and Mosquitto with Debian's defaults at its end.

    Args:
        folder: for the broker's files; its path is short, as that of a unix socket has to be.

    Attributes:
        address: of the broker, for the board.
        outside: of the broker, for the test.
    """

    def __init__(self, folder: Path) -> None:
        for name in ("unshare", "nsenter", "ip"):
            program(name)
        with contextlib.ExitStack() as stack:
            self.switch = self._namespace(stack, None)
            self.board, self.broker = (self._namespace(stack, self.switch) for _ in range(2))
            try:
                self._lay_cables()
            except RuntimeError as error:  # no bridge or veth in the kernel, or namespaces without any rights
                if os.environ.get("CI"):
                    raise
                pytest.skip(f"needs a kernel that lets us lay cables between network namespaces: {error}")
            self.address = BrokerAddress("mqtt", BROKER_IP, PORT)
            self.outside = BrokerAddress("unix", path=str(folder / "sock"))
            stack.enter_context(self._mosquitto(folder))
            self._stack = stack.pop_all()

    @staticmethod
    def _namespace(stack: contextlib.ExitStack, inside: Namespace | None) -> Namespace:
        made = Namespace(inside)
        stack.callback(made.close)
        return made

    def _lay_cables(self) -> None:
        self.switch.run("ip", "link", "add", "bridge", "type", "bridge")
        self.switch.run("ip", "link", "set", "bridge", "up")
        self._lay_cable("board", self.board, BOARD_IP)
        self._lay_cable("broker", self.broker, BROKER_IP)

    def _lay_cable(self, place: Place, end: Namespace, ip: str) -> None:
        self.switch.run("ip", "link", "add", place, "type", "veth", "peer", "name", "cable", "netns", str(end.pid))
        self.switch.run("ip", "link", "set", place, "master", "bridge", "up")
        end.run("ip", "address", "add", f"{ip}/24", "dev", "cable")
        for device in ("lo", "cable"):
            end.run("ip", "link", "set", device, "up")

    @contextlib.contextmanager
    def _mosquitto(self, folder: Path) -> Iterator[None]:
        found = mosquitto.find()
        if found is None:
            pytest.skip(brokers.NEED_MOSQUITTO)
        lines = [f"listener {PORT} {BROKER_IP}", f"listener 0 {self.outside.path}"]
        config = folder / "mosquitto.conf"
        config.write_text("\n".join(["user root", *lines, "allow_anonymous true", "log_type error", ""]))
        process = subprocess.Popen([*self.broker.enter, found, "-c", str(config)], stderr=subprocess.DEVNULL)
        try:
            brokers.wait_until("mosquitto accepts", lambda: _accepts(self.outside.path))
            yield
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def cut(self, place: Place) -> Iterator[float]:
        """A cable is cut at the switch, and whole again afterwards; since when, in monotonic seconds.

        Nobody is sent an end. At the board its network card sees it, as when the plug is pulled; at the broker the
        board's side sees nothing.
        """
        self.switch.run("ip", "link", "set", place, "down")
        try:
            yield time.monotonic()
        finally:
            self.switch.run("ip", "link", "set", place, "up")

    def close(self) -> None:
        """End the broker and all namespaces."""
        self._stack.close()


def _accepts(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def program(name: str) -> str:
    """Path of a program, or a skip that names its package."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{name} is not installed: apt install {'iproute2' if name == 'ip' else 'util-linux'}")
    return path
