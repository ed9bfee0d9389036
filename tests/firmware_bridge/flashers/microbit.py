"""A microbit in QEMU with MCUboot and Zephyr in its flash, which outlives resets as a real one does.

QEMU's `-device loader` writes the flash anew at every reset, so that a revert seems to happen when it does not. So the
machine starts stopped, its flash is written through the gdb stub, and resets come by QMP or from the firmware itself.
"""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.brokers import free_port
from tests.firmware_bridge.flashers.zephyr_builds import qemu

_FLASH_END = 0x10000000  # behind it are registers that only a programmer sets
_CHUNK = 1024
_START_S = 10.0
BOOT_S = 1.5


def segments(file: Path) -> Iterator[tuple[int, bytes]]:
    """Address and content of each record of an Intel HEX file."""
    base = 0
    for line in file.read_text().splitlines():
        record = bytes.fromhex(line.removeprefix(":"))
        count, offset, kind, data = record[0], int.from_bytes(record[1:3], "big"), record[3], record[4:-1]
        assert len(data) == count
        if kind == 0:
            yield base + offset, data
        elif kind in (2, 4):
            base = int.from_bytes(data, "big") << (4 if kind == 2 else 16)


class Microbit:
    """The machine; `console` is the TCP port of its serial port."""

    def __init__(self, firmware: Path) -> None:
        self.console, gdb, qmp = free_port(), free_port(), free_port()
        chardev = f"socket,id=con,host=127.0.0.1,port={self.console},server=on,wait=off"
        command = [qemu(), "-cpu", "cortex-m0", "-machine", "microbit", "-nographic", "-S", "-gdb"]
        command += [f"tcp:127.0.0.1:{gdb}", "-qmp", f"tcp:127.0.0.1:{qmp},server=on,wait=off"]
        command += ["-chardev", chardev, "-serial", "chardev:con", "-monitor", "none"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._gdb = _connected(gdb)
        for address, data in _merged(segments(firmware)):
            if address < _FLASH_END:
                assert self._packet(b"M%x,%x:%s" % (address, len(data), data.hex().encode())) == b"OK"
        self._qmp = _connected(qmp).makefile("rw")
        self._qmp.readline()
        self._ask("qmp_capabilities")
        self._ask("system_reset")

    def start(self) -> None:
        """Let it run. The console must be connected by now: the port stands still when it speaks to nobody."""
        self._ask("cont")

    def reset(self, boot_s: float = BOOT_S) -> None:
        """The power goes and comes. What is sent to it while it boots would stop its port for good."""
        self._ask("system_reset")
        time.sleep(boot_s)

    def close(self) -> None:
        """Take it away."""
        self._process.kill()
        self._process.wait()
        self._gdb.close()
        self._qmp.close()

    def _ask(self, what: str) -> Any:
        self._qmp.write(json.dumps({"execute": what}) + "\n")
        self._qmp.flush()
        while True:
            said = json.loads(self._qmp.readline())
            if "return" in said or "error" in said:
                return said

    def _packet(self, body: bytes) -> bytes:
        """Ask the gdb stub. Source: GDB manual, "Remote Protocol"."""
        self._gdb.sendall(b"$" + body + b"#%02x" % (sum(body) & 0xFF))
        said = b""
        while True:
            said += self._gdb.recv(65536)
            start, end = said.find(b"$"), said.find(b"#")
            if 0 <= start < end and len(said) >= end + 3:
                self._gdb.sendall(b"+")
                return said[start + 1 : end]


def _merged(records: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Neighbours joined, to at most a kB."""
    start, joined = 0, b""
    for address, data in records:
        if joined and (address != start + len(joined) or len(joined) >= _CHUNK):
            yield start, joined
            joined = b""
        start, joined = (start, joined + data) if joined else (address, data)
    if joined:
        yield start, joined


def _connected(port: int) -> socket.socket:
    end_s = time.monotonic() + _START_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), 10)
        except OSError:
            assert time.monotonic() < end_s, "qemu does not listen"
            time.sleep(0.02)
