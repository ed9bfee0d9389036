"""SMP messages, pure: 8 bytes of header and one CBOR map. No I/O, no clock.

    op and version | flags | length (2) | group (2) | sequence number | command

Source: Zephyr, "SMP Protocol Specification" (services/device_mgmt/smp_protocol); error codes as in
`include/zephyr/mgmt/mcumgr/mgmt/mgmt_defines.h`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from edge_runtime.errors import BadRequest, EdgertError
from edge_runtime.mqtt.contract.cbor import read_cbor, write_cbor

HEADER_BYTES = 8
MOST_BODY_BYTES = 0xFFFF
READ, READ_ANSWER, WRITE, WRITE_ANSWER = range(4)
VERSION_1, VERSION_2 = 0, 1  # as the header writes them
_HEADER = struct.Struct("!BBHHBB")


class Rc(IntEnum):
    """Errors that every group knows."""

    OK = 0
    EUNKNOWN = 1
    ENOMEM = 2
    EINVAL = 3
    ETIMEOUT = 4
    ENOENT = 5
    EBADSTATE = 6
    EMSGSIZE = 7
    ENOTSUP = 8
    ECORRUPT = 9
    EBUSY = 10
    EACCESSDENIED = 11
    UNSUPPORTED_TOO_OLD = 12
    UNSUPPORTED_TOO_NEW = 13


class BadMessage(EdgertError):
    """A message is none, or has a body that is not what its command takes."""

    code = "bad_message"
    status = 400


@dataclass(frozen=True)
class Header:
    """The first 8 bytes; `length` is of what follows."""

    op: int
    version: int
    flags: int
    length: int
    group: int
    sequence: int
    command: int

    @property
    def is_request(self) -> bool:
        """Whether somebody waits for an answer."""
        return self.op in (READ, WRITE)


@dataclass(frozen=True)
class Message:
    """A header's words and the map after it."""

    op: int
    group: int
    command: int
    body: Mapping[str, object]
    sequence: int = 0
    version: int = VERSION_2

    def to_bytes(self) -> bytes:
        """As it travels, without framing. BadMessage: the body does not fit."""
        body = write_cbor(dict(self.body))
        if len(body) > MOST_BODY_BYTES:
            raise BadMessage(f"body has {len(body)} bytes, a message holds {MOST_BODY_BYTES}")
        first = self.op | self.version << 3
        return _HEADER.pack(first, 0, len(body), self.group, self.sequence, self.command) + body

    def answer(self, body: Mapping[str, object]) -> Message:
        """The answer to this request."""
        return Message(self.op + 1, self.group, self.command, body, self.sequence, self.version)


def read_header(data: bytes) -> Header:
    """Read the header of a whole message. BadMessage: it is shorter or longer than it says."""
    if len(data) < HEADER_BYTES:
        raise BadMessage(f"message has {len(data)} bytes, its header alone has {HEADER_BYTES}")
    first, flags, length, group, sequence, command = _HEADER.unpack_from(data)
    if len(data) != HEADER_BYTES + length:
        raise BadMessage(f"message has {len(data) - HEADER_BYTES} bytes after its header, which says {length}")
    return Header(first & 7, first >> 3 & 3, flags, length, group, sequence, command)


def read_body(data: bytes) -> Mapping[str, object]:
    """Read the map after the header; nothing at all is an empty one. BadMessage: it is no map, or not read here."""
    if len(data) == HEADER_BYTES:
        return {}
    try:
        body = read_cbor(data[HEADER_BYTES:], indefinite=True)
    except BadRequest as error:
        raise BadMessage(str(error)) from error
    if not isinstance(body, dict):
        raise BadMessage(f"body is a CBOR {type(body).__name__}, expected a map")
    return body


def read_message(data: bytes) -> Message:
    """Read a whole message. BadMessage: with what is wrong."""
    header = read_header(data)
    return Message(header.op, header.group, header.command, read_body(data), header.sequence, header.version)
