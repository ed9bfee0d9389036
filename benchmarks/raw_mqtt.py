"""A blocking MQTT 5 client of a few dozen lines on a bare socket: the floor that any Python client can reach.

It knows only what the benchmarks send, so nothing but the broker and the kernel stands between its two ends.
"""

from __future__ import annotations

import socket
import struct

CONNECT, CONNACK, PUBLISH, SUBSCRIBE, SUBACK = 1, 2, 3, 8, 9


class RawMqtt:
    """One connection; `publish` and `receive` only, QoS 0 and 1."""

    def __init__(self, host: str, port: int, client_id: str, username: str = "", password: str = "") -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._packet_id = 0
        self.last_qos = 0
        flags = 0x02 | (0xC0 if username else 0)
        body = b"\0\4MQTT" + bytes([5, flags]) + struct.pack("!H", 60) + b"\0" + _text(client_id)
        if username:
            body += _text(username) + _text(password)
        self._send(CONNECT << 4, body)
        kind, _, answer = self._next()
        if kind != CONNACK or answer[1]:
            raise ConnectionError(f"broker refused the connection with reason {answer[1]:#x}")

    def subscribe(self, topic: str, qos: int) -> None:
        """Subscribe and wait for the broker's word."""
        self._send(SUBSCRIBE << 4 | 2, b"\0\1\0" + _text(topic) + bytes([qos]))
        while self._next()[0] != SUBACK:
            pass

    def publish(self, topic: str, payload: bytes, qos: int, properties: bytes = b"") -> None:
        """Send one PUBLISH without waiting for its acknowledgement."""
        body = _text(topic)
        if qos:
            self._packet_id = self._packet_id % 65535 + 1
            body += struct.pack("!H", self._packet_id)
        self._send(PUBLISH << 4 | qos << 1, body + _variable(len(properties)) + properties + payload)

    def receive(self) -> tuple[bytes, bytes]:
        """The next PUBLISH as (properties, payload); acknowledges it on QoS 1."""
        while True:
            kind, flags, body = self._next()
            if kind != PUBLISH:
                continue
            at = 2 + int.from_bytes(body[:2], "big")
            self.last_qos = flags >> 1 & 3
            if flags & 0x06:
                self._send(0x40, body[at : at + 2])
                at += 2
            length, at = _read_variable(body, at)
            return body[at : at + length], body[at + length :]

    def timeout(self, seconds: float) -> None:
        """How long `receive` may wait before it raises TimeoutError."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        """Say goodbye."""
        self._send(0xE0, b"")
        self._socket.close()

    def _send(self, head: int, body: bytes) -> None:
        self._socket.sendall(bytes([head]) + _variable(len(body)) + body)

    def _next(self) -> tuple[int, int, bytes]:
        while True:
            packet = _split(self._buffer)
            if packet is not None:
                head, body, self._buffer = packet
                return head >> 4, head & 15, body
            data = self._socket.recv(1 << 18)
            # Acknowledge at once, as edgert's own connection does: otherwise a broker without `set_tcp_nodelay`
            # waits 40 ms for the kernel's delayed acknowledgement before it sends the next small packet.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not data:
                raise ConnectionError("broker closed the connection")
            self._buffer += data


def reply_properties(response_topic: str, correlation: bytes) -> bytes:
    """MQTT 5 properties Response Topic and Correlation Data."""
    return b"\x08" + _text(response_topic) + b"\x09" + struct.pack("!H", len(correlation)) + correlation


def user_property(properties: bytes, name: str) -> str | None:
    """A user property's value, found by its bytes; enough for what edgert sends."""
    mark = b"\x26" + _text(name)
    at = properties.find(mark)
    if at < 0:
        return None
    at += len(mark)
    length = int.from_bytes(properties[at : at + 2], "big")
    return properties[at + 2 : at + 2 + length].decode()


def _split(buffer: bytes) -> tuple[int, bytes, bytes] | None:
    if len(buffer) < 2 or (len(buffer) < 5 and all(byte & 0x80 for byte in buffer[1:])):
        return None
    length, at = _read_variable(buffer, 1)
    if len(buffer) < at + length:
        return None
    return buffer[0], buffer[at : at + length], buffer[at + length :]


def _read_variable(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _variable(value: int) -> bytes:
    out = bytearray()
    while True:
        value, byte = value >> 7, value & 0x7F
        out.append(byte | 0x80 if value else byte)
        if not value:
            return bytes(out)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("!H", len(data)) + data
