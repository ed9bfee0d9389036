"""Ask a broker whether it lets us in: one CONNECT on a bare socket, without the client library."""

from __future__ import annotations

import secrets
import socket

from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.properties import packed_text, packed_variable_integer

_CLEAN_START, _WITH_PASSWORD, _WITH_USER = 0x02, 0x40, 0x80
_KEEPALIVE_S = 10
_DISCONNECT = b"\xe0\x00"


def accepts(address: BrokerAddress, timeout_s: float = 1.0) -> bool:
    """Whether the broker at a plain TCP address takes an MQTT 5 connection with this login now; False if not."""
    try:
        with socket.create_connection((address.host, address.port), timeout_s) as connection:
            connection.sendall(connect_packet(address))
            answer = connection.recv(4)
            connection.sendall(_DISCONNECT)
    except OSError:
        return False
    return len(answer) == 4 and answer[0] == 0x20 and answer[3] == 0


def connect_packet(address: BrokerAddress) -> bytes:
    """CONNECT in MQTT 5 with clean start, a random client id and the address's login (MQTT 5.0 section 3.1)."""
    flags = _CLEAN_START
    login = b""
    if address.username:
        flags |= _WITH_USER
        login = packed_text(address.username)
    if address.password:
        flags |= _WITH_PASSWORD
        login += packed_text(address.password)
    no_properties = b"\0"
    header = packed_text("MQTT") + bytes((5, flags)) + _KEEPALIVE_S.to_bytes(2, "big") + no_properties
    body = header + packed_text(f"edgert-probe-{secrets.token_hex(4)}") + login
    return b"\x10" + packed_variable_integer(len(body)) + body
