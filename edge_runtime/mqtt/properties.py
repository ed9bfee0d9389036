"""The properties of an MQTT 5 PUBLISH <-> bytes: strict, and cheap enough for every message. No I/O.

Source: MQTT Version 5.0 (OASIS), sections 1.5 (data types), 2.2.2 (properties) and 3.3.2.3 (PUBLISH properties).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

MAX_VARIABLE_INTEGER = 268_435_455  # four bytes of seven bits, section 1.5.5
_MAX_STRING_BYTES = 65_535
_WORD_CHARS = 128  # a longer text is not remembered

_PAYLOAD_FORMAT = 1
_MESSAGE_EXPIRY = 2
_CONTENT_TYPE = 3
_RESPONSE_TOPIC = 8
_CORRELATION = 9
_SUBSCRIPTION_ID = 11
_TOPIC_ALIAS = 35
_USER = 38


class PublishProperties(NamedTuple):
    """Every property that may stand in a PUBLISH; None or empty where it is absent.

    A named tuple and not a dataclass: it is made once per message and costs a third of the time.
    """

    payload_format: int | None = None
    expiry_s: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    subscription_ids: tuple[int, ...] = ()
    topic_alias: int | None = None
    user: tuple[tuple[str, str], ...] = ()

    def pack(self) -> bytes:
        """The property length and the properties, in the order of their numbers.

        Raises:
            ValueError: a value that MQTT cannot carry: text with NUL or lone surrogates, over 65535 bytes, a number
                out of its range.
        """
        parts: list[bytes] = []
        if self.payload_format is not None:
            parts.append(b"\x01" + _number(self.payload_format, 1, 0, 1))
        if self.expiry_s is not None:
            parts.append(b"\x02" + _number(self.expiry_s, 4, 0, 0xFFFF_FFFF))
        if self.content_type is not None:
            parts.append(b"\x03" + _word(self.content_type))
        if self.response_topic is not None:
            parts.append(b"\x08" + _word(self.response_topic))
        if self.correlation is not None:
            parts.append(b"\x09" + packed_binary(self.correlation))
        for number in self.subscription_ids:
            if number < 1:
                raise ValueError(f"subscription identifier is {number}, must be at least 1")
            parts.append(b"\x0b" + packed_variable_integer(number))
        if self.topic_alias is not None:
            parts.append(b"\x23" + _number(self.topic_alias, 2, 1, 0xFFFF))
        for name, value in self.user:
            parts.append(b"\x26" + _word(name) + _word(value))
        body = b"".join(parts)
        return packed_variable_integer(len(body)) + body


NONE = PublishProperties()


def unpack(buffer: bytes | bytearray, start: int = 0) -> tuple[PublishProperties, int]:
    """Read the properties that begin at `start` with their length; also the index after them.

    Nothing behind the properties is touched or copied, however large the payload is.

    Raises:
        ValueError: unknown, doubled or cut property, a length past its end, bad UTF-8, NUL, a number out of range.
    """
    length, at = variable_integer(buffer, start, len(buffer))
    if not length:
        return NONE, at
    end = at + length
    if end > len(buffer):
        raise ValueError(f"properties are {length} bytes long, only {len(buffer) - at} are there")
    found: dict[str, object] = {}
    user: list[tuple[str, str]] = []
    subscription_ids: list[int] = []
    while at < end:
        identifier = buffer[at]
        at += 1
        if identifier == _USER:
            name, at = _text(buffer, at, end)
            value, at = _text(buffer, at, end)
            user.append((name, value))
        elif identifier == _SUBSCRIPTION_ID:
            number, at = variable_integer(buffer, at, end)
            if not number:
                raise ValueError("subscription identifier is 0")
            subscription_ids.append(number)
        else:
            at = _single(found, identifier, buffer, at, end)
    properties = PublishProperties(
        **found,  # type: ignore[arg-type]  # _single stores each value under its own name and type
        user=tuple(user),
        subscription_ids=tuple(subscription_ids),
    )
    return properties, end


def packed_text(text: str) -> bytes:
    """Two bytes of length and UTF-8. ValueError: NUL, lone surrogate, over 65535 bytes."""
    data = text.encode()
    if b"\0" in data:
        raise ValueError("text has a NUL character, which MQTT forbids")
    return packed_binary(data)


def _word(text: str) -> bytes:
    """As `packed_text`. Whoever sends many messages sends the same few words: names, types, statuses, microseconds."""
    return _known_word(text) if len(text) <= _WORD_CHARS else packed_text(text)


_known_word = lru_cache(maxsize=1024)(packed_text)


def packed_binary(data: bytes) -> bytes:
    """Two bytes of length and the bytes. ValueError: over 65535 bytes."""
    size = len(data)
    if size > _MAX_STRING_BYTES:
        raise ValueError(f"value is {size} bytes, MQTT takes {_MAX_STRING_BYTES}")
    return size.to_bytes(2, "big") + data


def packed_variable_integer(number: int) -> bytes:
    """Seven bits a byte, low ones first. ValueError: negative or over 268435455."""
    if not 0 <= number <= MAX_VARIABLE_INTEGER:
        raise ValueError(f"number is {number}, MQTT takes 0 to {MAX_VARIABLE_INTEGER}")
    if number < 128:
        return bytes((number,))
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def variable_integer(buffer: bytes | bytearray, at: int, end: int) -> tuple[int, int]:
    """The number at `at` and the index after it. ValueError: cut, over four bytes, or not in its shortest form."""
    value = shift = 0
    while shift < 28:
        if at >= end:
            raise ValueError("variable byte integer is cut off")
        byte = buffer[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift:
                raise ValueError("variable byte integer is not in its shortest form")
            return value, at
        shift += 7
    raise ValueError("variable byte integer is longer than four bytes")


def _single(found: dict[str, object], identifier: int, buffer: bytes | bytearray, at: int, end: int) -> int:
    """Read a property that may stand only once into `found`; the index after it."""
    value: object
    if identifier == _CORRELATION:
        name = "correlation"
        value, at = _binary(buffer, at, end)
    elif identifier == _RESPONSE_TOPIC:
        name = "response_topic"
        value, at = _text(buffer, at, end)
    elif identifier == _CONTENT_TYPE:
        name = "content_type"
        value, at = _text(buffer, at, end)
    elif identifier == _MESSAGE_EXPIRY:
        name = "expiry_s"
        value, at = _integer(buffer, at, end, 4), at + 4
    elif identifier == _PAYLOAD_FORMAT:
        name = "payload_format"
        value, at = _integer(buffer, at, end, 1), at + 1
        if value not in (0, 1):
            raise ValueError(f"payload format indicator is {value}, must be 0 or 1")
    elif identifier == _TOPIC_ALIAS:
        name = "topic_alias"
        value, at = _integer(buffer, at, end, 2), at + 2
        if not value:
            raise ValueError("topic alias is 0")
    else:
        raise ValueError(f"property {identifier} may not stand in a PUBLISH")
    if name in found:
        raise ValueError(f"property {identifier} stands twice")
    found[name] = value
    return at


def _integer(buffer: bytes | bytearray, at: int, end: int, size: int) -> int:
    if at + size > end:
        raise ValueError("number is cut off")
    return int.from_bytes(buffer[at : at + size], "big")


def _binary(buffer: bytes | bytearray, at: int, end: int) -> tuple[bytes, int]:
    begin = at + 2
    if begin > end:
        raise ValueError("length of a value is cut off")
    stop = begin + (buffer[at] << 8 | buffer[at + 1])
    if stop > end:
        raise ValueError("value is longer than the properties around it")
    return bytes(buffer[begin:stop]), stop


def _text(buffer: bytes | bytearray, at: int, end: int) -> tuple[str, int]:
    data, stop = _binary(buffer, at, end)
    if b"\0" in data:
        raise ValueError("text has a NUL character, which MQTT forbids")
    return data.decode(), stop


def _number(value: int, size: int, low: int, high: int) -> bytes:
    if not low <= value <= high:
        raise ValueError(f"number is {value}, must be {low} to {high}")
    return value.to_bytes(size, "big")
