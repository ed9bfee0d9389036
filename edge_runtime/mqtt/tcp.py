"""Socket options of a broker connection: small packets at once, and a dead peer noticed. A unix socket needs none."""

from __future__ import annotations

import contextlib
import errno
import socket

from edge_runtime.mqtt.address import BrokerAddress

_PROBE_S = 0.5
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
# Data unacknowledged for so long means that the other machine is gone. The kernel counts from the first time that it
# sends again and looks now and then only: a cut cable is noticed after 2.5 to 3.8 s on a loaded machine.
USER_TIMEOUT_MS = 2500
CUT_OFF = "the broker's machine does not answer any more"
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


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
    if _QUICKACK is None:
        return
    try:
        connection.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
    except OSError:  # a unix socket
        return


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
        return isinstance(error, ConnectionRefusedError)
    return False


def says_nobody_listens(error: BaseException | None) -> bool:
    """Whether connecting failed because the broker is away, or the way to it: trying again costs nearly nothing.

    A TLS handshake that takes too long does not, as its TimeoutError has no number: that broker has too much to do.
    """
    return isinstance(error, ConnectionRefusedError) or (isinstance(error, OSError) and _is_cut_off(error.errno))


def has_timed_out(connection: socket.socket) -> bool:
    """Whether the kernel gave the connection up because the other machine acknowledges nothing; asks only once."""
    return _is_cut_off(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def cut_off(error: OSError) -> str:
    """Why an open connection failed, in words, if the other machine acknowledges nothing; empty for other failures."""
    return CUT_OFF if _is_cut_off(error.errno) else ""


def _is_cut_off(number: int | None) -> bool:
    # At a cut cable the time of the connection and that of the search for the neighbour run out together.
    return number == errno.ETIMEDOUT or number in _NO_WAY
