"""`edgert serve` as a process whose log a test can wait for."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.mqtt.address import BrokerAddress
from tests import brokers, served


class LoggedDaemon:
    """`edgert serve` as a process, started by `command` and whatever stands before it; its log is read as it comes.

    Args:
        before: the command that it is started by, as `Namespace.enter`; empty: directly.
        address: its broker.
        bundle: what it serves.
        settings: variables of its environment.
    """

    def __init__(self, before: Sequence[str], address: BrokerAddress, bundle: Path, **settings: str) -> None:
        environment = {**os.environ, "EDGERT_BROKER_URL": address.url(), "EDGERT_DEVICE": served.DEVICE, **settings}
        command = [*before, *served.EDGERT, "serve", "--bundle", str(bundle)]
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        self.pid = self._process.pid
        self.lines: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.lines.append((time.monotonic(), line.rstrip()))

    @property
    def log(self) -> str:
        """All lines so far."""
        return "\n".join(line for _, line in self.lines)

    def wait_for_line(self, part: str, timeout_s: float, *, after_s: float = 0.0) -> float:
        """When a line with this in it came, in monotonic seconds; fails the test if none does in time."""

        def found() -> list[float]:
            return [at_s for at_s, line in list(self.lines) if at_s >= after_s and part in line]

        try:
            brokers.wait_until(f"a line with {part!r}", found, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; the log:\n{self.log}") from error
        return found()[0]

    def stop(self) -> None:
        """End it by SIGTERM, which it must obey with status 0."""
        try:
            self._process.terminate()
            assert self._process.wait(served.STOP_S) == 0, self.log
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join(served.STOP_S)

    def __enter__(self) -> LoggedDaemon:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
