"""Socket options of a broker connection: small packets at once, and a dead peer noticed. A unix socket needs none."""

from __future__ import annotations

import contextlib
import errno
import socket

from edge_runtime.mqtt.address import BrokerAddress

_PROBE_S = 0.5
USER_TIMEOUT_MS = 3000  # data unacknowledged for so long means that the other machine is gone


def tune(connection: socket.socket) -> None:
    """Once, on a new connection."""
    if connection.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)


def acknowledge_quickly(connection: socket.socket) -> None:
    """Send the TCP acknowledgement now if no data took it along.

    A broker without TCP_NODELAY holds its next packet back until then: 44 ms instead of 0.3 ms a round trip with
    QoS 1. The kernel forgets the option, so call this after every read; after our own write, because then the
    acknowledgement has mostly travelled already.
    """
    if connection.family != socket.AF_UNIX and hasattr(socket, "TCP_QUICKACK"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def nobody_listens(address: BrokerAddress) -> bool:
    """Whether the broker is gone from its machine; False also if that does not answer within half a second."""
    try:
        if address.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(_PROBE_S)
                probe.connect(address.path)
        else:
            socket.create_connection((address.host, address.port), _PROBE_S).close()
    except OSError as error:
        return says_nobody_listens(error)
    return False


def says_nobody_listens(error: BaseException | None) -> bool:
    """Whether this failure to connect means that the machine is there and the broker is not."""
    return isinstance(error, ConnectionRefusedError)


def has_timed_out(connection: socket.socket) -> bool:
    """Whether the kernel gave the connection up because the other machine acknowledges nothing; asks only once."""
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT
