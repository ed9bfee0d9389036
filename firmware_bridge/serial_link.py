"""Serial ports, by pyserial: the one file that opens them.

Every call may raise `OSError` or `termios.error` when the plug is pulled, besides pyserial's own kind of OSError.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import termios
import time

import serial
from serial.tools import list_ports

from firmware_bridge.errors import BadTarget, LinkLost, PortBusy
from firmware_bridge.link import CONNECT_S, MOST_READ_BYTES, WRITE_S, LinkAddress
from firmware_bridge.port_lock import PortLock

_USB = re.compile(r"usb-([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?:-(.+))?")
_LOOK_S = 0.02
_PROBLEMS = (OSError, termios.error, ValueError)  # ValueError: what pyserial says of a closed descriptor


class SerialLink:
    """A link over an open port; the lock goes with it."""

    datagrams = False

    def __init__(self, port: serial.SerialBase, name: str, lock: PortLock | None) -> None:
        self._port, self._name, self._lock = port, name, lock

    def read(self, timeout_s: float) -> bytes:
        """See `Link`."""
        try:
            ready, _, _ = select.select([self._port.fileno()], [], [], timeout_s)  # pyserial sets the port anew instead
            return bytes(self._port.read(MOST_READ_BYTES)) if ready else b""
        except _PROBLEMS as error:
            raise LinkLost(f"{self._name}: {error}") from error

    def write(self, data: bytes) -> None:
        """See `Link`."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException as error:
            raise LinkLost(f"{self._name}: nothing could be sent for {WRITE_S:g} s") from error
        except _PROBLEMS as error:
            raise LinkLost(f"{self._name}: {error}") from error

    def set_baud(self, baud: int) -> bool:
        """See `Link`. LinkLost: the port cannot do it, or is gone."""
        try:
            self._port.flush()
            self._port.baudrate = baud
        except _PROBLEMS as error:
            raise LinkLost(f"{self._name}: cannot go to {baud} baud: {error}") from error
        return True

    def close(self) -> None:
        """See `Link`."""
        with contextlib.suppress(*_PROBLEMS):
            self._port.close()
        if self._lock is not None:
            self._lock.release()


class Rfc2217Link(SerialLink):
    """A link over a serial server, which pyserial reads in a thread of its own."""

    def read(self, timeout_s: float) -> bytes:
        """See `Link`."""
        end_s = time.monotonic() + timeout_s
        try:
            while True:
                first: bytes = self._port.read(1)
                if first:
                    return first + bytes(self._port.read(self._port.in_waiting))
                if time.monotonic() >= end_s:
                    return b""
        except _PROBLEMS as error:
            raise LinkLost(f"{self._name}: {error}") from error


def open_serial(address: LinkAddress) -> SerialLink:
    """Open a port of this machine for us alone.

    Raises:
        BadTarget: there is no such port, it is not a serial port, or we may not use it.
        PortBusy: another program has it.
    """
    device = device_of(address.device)
    lock = PortLock(device)
    try:
        port = serial.Serial(device, address.baud, timeout=0, write_timeout=WRITE_S, exclusive=True)
    except (OSError, termios.error, ValueError) as error:
        lock.release()
        if getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY):  # its lock, or TIOCEXCL
            raise PortBusy(f"{device} is in use by another program: end it, or wait") from error
        raise BadTarget(f"cannot open {device}: {error}") from error
    return SerialLink(port, device, lock)


def open_rfc2217(address: LinkAddress) -> Rfc2217Link:
    """Open a port of a serial server whose speed can be set (RFC 2217). LinkLost: nobody answers there."""
    url = f"rfc2217://{address.host}:{address.port}?timeout={CONNECT_S:g}"
    try:
        port = serial.serial_for_url(url, baudrate=address.baud, timeout=_LOOK_S, write_timeout=WRITE_S)
    except (OSError, ValueError) as error:
        raise LinkLost(f"{address}: {error}") from error
    return Rfc2217Link(port, str(address), None)


def device_of(name: str) -> str:
    """The path of a port: as it is, or found by what the USB adapter says of itself. BadTarget: none, or several."""
    match = _USB.fullmatch(name)
    if match is None:
        return name
    vendor, product = int(match[1], 16), int(match[2], 16)
    ports = [port for port in list_ports.comports() if (port.vid, port.pid) == (vendor, product)]
    found = [port.device for port in ports if match[3] is None or port.serial_number == match[3]]
    if len(found) != 1:
        there = ", ".join(f"usb-{port.vid:04x}:{port.pid:04x}-{port.serial_number}" for port in ports) or "none of them"
        raise BadTarget(f"{len(found)} ports are {name}, there is {there}: name one of them")
    return str(found[0])


def wait_for(name: str, limit_s: float) -> bool:
    """Wait until a port is there (again); whether it is."""
    end_s = time.monotonic() + limit_s
    while True:
        with contextlib.suppress(BadTarget, OSError), open(device_of(name), "rb", buffering=0, opener=_no_wait):
            return True
        if time.monotonic() >= end_s:
            return False
        time.sleep(0.2)


def _no_wait(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
