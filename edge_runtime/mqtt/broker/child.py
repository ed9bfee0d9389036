"""A supervised child process: started again when it dies, and killed by the kernel when we die."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge_runtime.mqtt.broker import child_entry

log = logging.getLogger("edgert.mqtt")

RESTARTS, RESTARTS_WITHIN_S = 5, 60.0
_PAUSE_S = 0.1  # before a restart
_POLL_S = 0.005


class ChildFailed(Exception):
    """The child ended or did not become ready; the message holds the last lines that it wrote."""


class Child:
    """One program under supervision.

    A thread of its own starts the program and waits for it: the kernel ties a child's life to the *thread* that
    started it, so a caller's short-lived thread must not be the one.

    Args:
        name: for logs.
        program: an absolute path with its arguments.
        log_file: what it writes to stdout and stderr is appended here.
        environment: variables to set besides ours.
    """

    def __init__(
        self, name: str, program: Sequence[str], log_file: Path, *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [sys.executable, "-I", "-S", child_entry.__file__, str(os.getpid()), *program]
        self._environment = {**os.environ, **(environment or {})}
        self._name, self._log_file = name, log_file
        self._process: subprocess.Popen[bytes] | None = None
        self._cannot_start = ""
        self._guard = threading.Lock()
        self._stopping, self._was_ready = threading.Event(), False
        self._thread = threading.Thread(target=self._supervise, name=f"child-{name}", daemon=True)

    @property
    def pid(self) -> int | None:
        """The running process, a new one after each restart; None when there is none."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def start(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Start it and wait until `is_ready()`.

        Raises:
            ChildFailed: it ended, or was not ready in time; it does not run any more.
        """
        self._thread.start()
        try:
            self._wait_until_ready(is_ready, timeout_s)
        except BaseException:  # Ctrl-C too: nobody will know of the child
            self.stop()
            raise

    def _wait_until_ready(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            self._was_ready = is_ready()
            if not self._thread.is_alive():
                raise ChildFailed(f"{self._name} ended at once: {self.last_words()}")
            if self._was_ready:
                return
            if time.monotonic() > deadline:
                raise ChildFailed(f"{self._name} was not ready in {timeout_s:g} s: {self.last_words()}")
            time.sleep(_POLL_S)

    def stop(self, timeout_s: float = 2.0) -> None:
        """End it, gently first; returns when it is gone. Does nothing the second time."""
        with self._guard:
            self._stopping.set()
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def last_words(self, lines: int = 5) -> str:
        """The last lines that it wrote, on one line."""
        try:
            written = self._log_file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            written = []
        return " | ".join(line.strip() for line in written[-lines:]) or self._cannot_start or "it wrote nothing"

    def _supervise(self) -> None:
        ends: deque[float] = deque(maxlen=RESTARTS)
        while (process := self._spawn()) is not None:
            status = process.wait()
            if self._stopping.is_set() or not self._was_ready:
                return
            ends.append(time.monotonic())
            if len(ends) == RESTARTS and ends[-1] - ends[0] < RESTARTS_WITHIN_S:
                log.error("%s keeps ending, giving it up: %s", self._name, self.last_words())
                return
            log.warning("%s ended with status %d, starting it again", self._name, status)
            self._stopping.wait(_PAUSE_S)
        if self._cannot_start:
            log.error("%s: %s", self._name, self._cannot_start)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """Start the process; None if `stop` was called or the system refuses."""
        with self._guard, self._log_file.open("ab") as output:
            if self._stopping.is_set():
                return None
            try:
                # Its own session: Ctrl-C must not end the broker before we have said `offline` on it.
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                self._cannot_start = f"cannot start {error.filename}: {error.strerror}"
                return None
            return self._process
