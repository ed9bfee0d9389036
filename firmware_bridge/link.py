"""A link: bytes to a board and back, with a limit on every wait. What kind of cable it is, is one URL.

| URL | what |
|---|---|
| `serial:/dev/ttyUSB0?baud=921600` | a port of this machine, held by one program at a time |
| `serial:usb-1a86:7523-SERIAL` | the port of that USB adapter, whatever it is called today |
| `socket://host:port` | TCP: a serial server, an emulator |
| `rfc2217://host:port` | TCP to a serial server whose speed can be set |
| `udp://host:1337` | one datagram a message |

A link that ends raises `LinkLost`. It is never asked how many bytes wait: on an unplugged port that alone raises errors
of other kinds (pyserial #401, #417).
"""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from firmware_bridge.errors import BadTarget, LinkLost

DEFAULT_BAUD = 115200
SMP_UDP_PORT = 1337
CONNECT_S = 10.0
WRITE_S = 30.0
MOST_READ_BYTES = 65536


class Link(Protocol):
    """Bytes both ways.

    Attributes:
        datagrams: whether each write arrives as one read; then messages need no framing.
    """

    datagrams: bool

    def read(self, timeout_s: float) -> bytes:
        """What has come, at once if there is something; empty if nothing comes in time. LinkLost: it is over."""

    def write(self, data: bytes) -> None:
        """Send all of it, or at least hand it over. LinkLost: it is over, or nobody takes it."""

    def set_baud(self, baud: int) -> bool:
        """Go on at this speed, once what was written has left; whether the link has a speed at all."""

    def close(self) -> None:
        """Let go of it; more than once does no harm."""


@dataclass(frozen=True)
class LinkAddress:
    """A link's URL, read.

    Attributes:
        kind: serial, socket, rfc2217 or udp.
        device: of a serial port: its path, or `usb-VID:PID-SERIAL`.
        host, port: of the others.
        baud: the speed to begin with.
        options: whatever else stands after the `?`, for the layer above.
    """

    kind: str
    device: str = ""
    host: str = ""
    port: int = 0
    baud: int = DEFAULT_BAUD
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str = "") -> str:
        """An option by name."""
        return dict(self.options).get(name, default)

    def __str__(self) -> str:
        return f"serial:{self.device}" if self.kind == "serial" else f"{self.kind}://{self.host}:{self.port}"


def read_address(url: str) -> LinkAddress:
    """Read a link's URL. BadTarget: with what is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
        options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query), keep_blank_values=True))
    except ValueError as error:
        raise BadTarget(f"link {url[:200]!r}: {error}") from error
    baud = options.pop("baud", str(DEFAULT_BAUD))
    if not baud.isascii() or not baud.isdigit() or not 300 <= int(baud) <= 20_000_000:
        raise BadTarget(f"link {url[:200]!r}: baud {baud[:20]!r} must be a number from 300 to 20000000")
    rest = tuple(options.items())
    if parts.scheme == "serial":
        if parts.netloc or not parts.path:
            raise BadTarget(f"link {url[:200]!r}: write serial:/dev/NAME or serial:usb-VID:PID-SERIAL")
        return LinkAddress("serial", parts.path, baud=int(baud), options=rest)
    if parts.scheme in ("socket", "rfc2217", "udp"):
        port = port or (SMP_UDP_PORT if parts.scheme == "udp" else None)
        if not parts.hostname or port is None or parts.path.strip("/"):
            raise BadTarget(f"link {url[:200]!r}: write {parts.scheme}://HOST:PORT")
        return LinkAddress(parts.scheme, host=parts.hostname, port=port, baud=int(baud), options=rest)
    raise BadTarget(f"link {url[:200]!r}: begin with serial:, socket://, rfc2217:// or udp://")


def open_link(address: LinkAddress) -> Link:
    """Open a link.

    Raises:
        BadTarget: there is no such port or host.
        PortBusy: somebody else has the port.
        LinkLost: nobody answers there.
    """
    if address.kind in ("serial", "rfc2217"):
        from firmware_bridge.serial_link import open_rfc2217, open_serial

        return open_serial(address) if address.kind == "serial" else open_rfc2217(address)
    return _open_udp(address) if address.kind == "udp" else _open_tcp(address)


class SocketLink:
    """A link over a connected socket, TCP or UDP."""

    def __init__(self, connected: socket.socket, name: str) -> None:
        self.datagrams = connected.type == socket.SOCK_DGRAM
        self._socket, self._name = connected, name
        connected.setblocking(False)

    def read(self, timeout_s: float) -> bytes:
        """See `Link`."""
        end_s = time.monotonic() + timeout_s
        while True:
            try:
                ready, _, _ = select.select([self._socket], [], [], max(0.0, end_s - time.monotonic()))
                if not ready:
                    return b""
                data = self._socket.recv(MOST_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                continue
            except ConnectionRefusedError:  # UDP: nobody listens there at the moment
                time.sleep(min(0.05, max(0.0, end_s - time.monotonic())))
                continue
            except (OSError, ValueError) as error:
                raise LinkLost(f"{self._name}: {error}") from error
            if data:
                return data
            if not self.datagrams:
                raise LinkLost(f"{self._name}: the other side has ended the connection")

    def write(self, data: bytes) -> None:
        """See `Link`."""
        end_s = time.monotonic() + WRITE_S
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except (BlockingIOError, InterruptedError):
                self._wait_for_room(end_s)
            except ConnectionRefusedError:
                return  # UDP, as above: a datagram that is lost
            except OSError as error:
                raise LinkLost(f"{self._name}: {error}") from error

    def _wait_for_room(self, end_s: float) -> None:
        _, ready, _ = select.select([], [self._socket], [], max(0.0, end_s - time.monotonic()))
        if not ready:
            raise LinkLost(f"{self._name}: nothing could be sent for {WRITE_S:g} s")

    def set_baud(self, baud: int) -> bool:
        """See `Link`: a socket has no speed."""
        return False

    def close(self) -> None:
        """See `Link`."""
        self._socket.close()


def _open_tcp(address: LinkAddress) -> SocketLink:
    try:
        connected = socket.create_connection((address.host, address.port), CONNECT_S)
    except socket.gaierror as error:
        raise BadTarget(f"{address}: there is no such host") from error
    except OSError as error:
        raise LinkLost(f"{address}: {error.strerror or error}") from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return SocketLink(connected, str(address))


def _open_udp(address: LinkAddress) -> SocketLink:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
    except socket.gaierror as error:
        raise BadTarget(f"{address}: there is no such host") from error
    connected = socket.socket(family, kind, protocol)
    try:
        connected.connect(where)
    except OSError as error:
        connected.close()
        raise LinkLost(f"{address}: {error.strerror or error}") from error
    return SocketLink(connected, str(address))
