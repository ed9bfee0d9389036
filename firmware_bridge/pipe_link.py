"""A link through two pipes: of a program that was started, or our own standard input and output."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Sequence

from firmware_bridge.errors import LinkLost, ProgramFailed
from firmware_bridge.link import MOST_READ_BYTES, WRITE_S

_ENDS_S = 5.0
_MOST_SAID = 300


class PipeLink:
    """Reads from one descriptor and writes to another."""

    datagrams = False

    def __init__(self, into: int, out: int, name: str) -> None:
        self._into, self._out, self._name = into, out, name
        os.set_blocking(out, False)

    def read(self, timeout_s: float) -> bytes:
        """See `Link`."""
        try:
            ready, _, _ = select.select([self._into], [], [], timeout_s)
            if not ready:
                return b""
            data = os.read(self._into, MOST_READ_BYTES)
        except (OSError, ValueError) as error:
            raise LinkLost(f"{self._name}: {error}") from error
        if not data:
            raise LinkLost(f"{self._name}: {self.why_ended()}")
        return data

    def write(self, data: bytes) -> None:
        """See `Link`."""
        end_s, left = time.monotonic() + WRITE_S, memoryview(data)
        while left:
            try:
                _, ready, _ = select.select([], [self._out], [], max(0.0, end_s - time.monotonic()))
                if not ready:
                    raise LinkLost(f"{self._name}: nothing could be sent for {WRITE_S:g} s")
                left = left[os.write(self._out, left) :]
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                raise LinkLost(f"{self._name}: {self.why_ended()}") from error

    def why_ended(self) -> str:
        """What is known of the other side's end."""
        return "the other side has ended"

    def set_baud(self, baud: int) -> bool:
        """See `Link`: a pipe has no speed."""
        return False

    def close(self) -> None:
        """See `Link`: the descriptors are their owner's."""


class ProgramLink(PipeLink):
    """A link to a program, by its standard input and output. ProgramFailed: it cannot be started."""

    def __init__(self, command: Sequence[str], name: str) -> None:
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
            )
        except OSError as error:
            raise ProgramFailed(f"cannot start {command[0]}: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        super().__init__(self._process.stdout.fileno(), self._process.stdin.fileno(), name)

    def why_ended(self) -> str:
        """See `PipeLink`: with what the program said last."""
        said = b""
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError, OSError):
            _, said = self._process.communicate(timeout=_ENDS_S)
        lines = said.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        return f"ended with status {self._process.poll()}: {lines[-1][:_MOST_SAID]}"

    def close(self) -> None:
        """See `Link`: the program sees its input end, and is ended if it does not."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(OSError, ValueError):
                if stream is not None:
                    stream.close()
        try:
            self._process.wait(_ENDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
