"""Firmware to Espressif's chips by the `esptool` program, whose licence (GPL) lets it be run and not imported here.

Cheap adapters do not hold high speeds: what fails at one is tried again at the next lower one (esptool #255, #919).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import MissingExtra
from firmware_bridge.errors import BadTarget, LinkLost, PeerRefused, PortBusy
from firmware_bridge.port_lock import PortLock

BAUDS = (921_600, 460_800, 230_400, 115_200)
_VERIFIED = "Hash of data verified"
_LIMIT_S = 1800.0
_MOST_SAID = 300
_NO_PORT = re.compile(r"could not open|No such file|no such port|Permission denied", re.I)
_BUSY = re.compile(r"port is busy|exclusive lock|Resource busy|doesn't exist or is busy", re.I)
# What another speed does not mend.
_REFUSED = re.compile(
    r"Unexpected chip|is not an ESP|This chip is|Invalid image|not a valid|does not fit|Invalid chip|wrong --chip|"
    r"Detected size|Secure Download|overlap",
    re.I,
)


@dataclass(frozen=True)
class EspReport:
    """What came of it; `failed_bauds` were tried before the one that held."""

    chip: str
    image_bytes: int
    baud: int
    failed_bauds: tuple[int, ...]
    seconds: float


def find_esptool() -> str:
    """The program. MissingExtra: it is not installed."""
    found = shutil.which("esptool") or shutil.which("esptool.py")
    if found is None:
        raise MissingExtra("the program esptool", "esp")
    return found


def flash_esp(
    port: str,
    image: Path,
    address: str = "0x0",
    chip: str = "auto",
    *,
    bauds: Sequence[int] = BAUDS,
    program: Sequence[str] = (),
    before: str = "default-reset",
    tell: Callable[[str], None] = lambda line: None,
) -> EspReport:
    """Write an image, and have it verified by its hash on the chip.

    Args:
        port: of the chip, a device or a URL of pyserial.
        address: in the flash where the image begins.
        chip: as esptool calls it; "auto" asks the chip.
        bauds: to be tried, one after the other.
        program: instead of the `esptool` that is installed.
        before: how esptool brings the chip into its loader.
        tell: gets esptool's lines.

    Raises:
        PortBusy, BadTarget: the port cannot be had.
        PeerRefused: the image is not for this chip.
        LinkLost: it did not work at any speed; what was written is not to be trusted.
    """
    command = list(program or [find_esptool()])
    lock = PortLock(port) if port.startswith("/") else None
    begun_s = time.monotonic()
    failed: list[int] = []
    try:
        for baud in bauds:
            options = ["--chip", chip, "--port", port, "--baud", str(baud), "--before", before]
            status, said = _run([*command, *options, "write-flash", address, str(image)], tell)
            if status == 0 and _VERIFIED in said:
                found = re.search(r"Connected to (\S+)|Chip type:\s+(\S+)", said)
                name = next((one for one in found.groups() if one), "") if found else ""
                return EspReport(name, image.stat().st_size, baud, tuple(failed), time.monotonic() - begun_s)
            _give_up_on(port, said)
            failed.append(baud)
            tell(f"{baud} baud does not hold: {_last(said)}")
    finally:
        if lock is not None:
            lock.release()
    tried = ", ".join(map(str, failed))
    raise LinkLost(f"{port}: esptool could not write and verify at {tried} baud: {_last(said)}")


def _run(command: Sequence[str], tell: Callable[[str], None]) -> tuple[int, str]:
    """Run the program to its end; what it said, line by line to `tell` as well."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    said, end_s = [], time.monotonic() + _LIMIT_S
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if line.strip():
                tell(line.rstrip())
            if time.monotonic() >= end_s:
                process.kill()
    return process.returncode, "".join(said)


def _give_up_on(port: str, said: str) -> None:
    """Raise for what is no question of speed."""
    if _BUSY.search(said):
        raise PortBusy(f"{port} is in use by another program, or is not there: {_last(said)}")
    if _NO_PORT.search(said):
        raise BadTarget(f"cannot open {port}: {_last(said)}")
    if _REFUSED.search(said):
        raise PeerRefused("", -1, 1, f"esptool: {_last(said)}")


def _last(said: str) -> str:
    """The sentence that tells most: the one that speaks of an error, else the last."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it said nothing"]
    fatal = [line for line in lines if "error" in line.lower()]
    return (fatal or lines)[-1][:_MOST_SAID]
