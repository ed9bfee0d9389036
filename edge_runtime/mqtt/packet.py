"""One PUBLISH packet <-> `Message`, checked on both sides. Pure: no I/O, no clock.

Source: MQTT Version 5.0 (OASIS), sections 3.3 (PUBLISH) and 4.7 (topic names).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.properties import (
    PublishProperties,
    packed_text,
    packed_variable_integer,
    unpack,
    variable_integer,
)

PUBLISH, PUBACK = 0x30, 0x40  # packet types in the first byte
MAX_TOPIC_BYTES = 65_535
MAX_PACKET_BYTES = (4 << 20) + 4096  # what a connection takes by default: 4 MB, their topic and properties


class MalformedPublish(ValueError):
    """A PUBLISH that cannot be read; `packet_id` is what to acknowledge so that it is not sent again, 0 for nothing."""

    def __init__(self, reason: str, packet_id: int) -> None:
        super().__init__(reason)
        self.packet_id = packet_id


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message checked and packed for sending; it has the `pack()` that paho asks of its properties."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes

    @classmethod
    def of(cls, message: Message) -> Outgoing:
        """Check and pack.

        Raises:
            ValueError: topic, QoS or a property that cannot be sent.
        """
        if message.qos not in (0, 1):
            raise ValueError(f"QoS is {message.qos}, edgert sends 0 or 1")
        _topic(message.topic)
        properties = PublishProperties(
            expiry_s=message.expiry_s,
            content_type=message.content_type,
            response_topic=message.response_topic,
            correlation=message.correlation,
            user=message.user,
        )
        return cls(message.topic, bytes(message.payload), message.qos, message.retain, properties.pack())

    @property
    def size_bytes(self) -> int:
        """The packet's size, or up to 6 bytes more than it."""
        return 9 + 4 * len(self.topic) + len(self.properties) + len(self.payload)

    def pack(self) -> bytes:
        """The packed properties."""
        return self.properties

    def encode(self, qos: int, packet_id: int, *, retain: bool) -> bytes:
        """The whole PUBLISH packet; `packet_id` counts with QoS 1 only."""
        topic = _topic(self.topic)
        head = topic + packet_id.to_bytes(2, "big") if qos else topic
        length = packed_variable_integer(len(head) + len(self.properties) + len(self.payload))
        return b"".join((bytes((PUBLISH | qos << 1 | retain,)), length, head, self.properties, self.payload))


def check_topic(topic: str) -> None:
    """Refuse what is no topic name: brokers disconnect whoever publishes to such a topic.

    Raises:
        ValueError: empty, wildcard, NUL, lone surrogate, over 65535 bytes.
    """
    if not topic:
        raise ValueError("topic is empty")
    if "#" in topic or "+" in topic:
        raise ValueError(f"topic {topic[:80]!r} has a wildcard, it must name one topic")
    if "\0" in topic:
        raise ValueError(f"topic {topic[:80]!r} has a NUL character")
    size = len(topic.encode())  # raises UnicodeEncodeError, a ValueError, for a lone surrogate
    if size > MAX_TOPIC_BYTES:
        raise ValueError(f"topic is {size} bytes, MQTT takes {MAX_TOPIC_BYTES}")


def _topic(topic: str) -> bytes:
    """Check and pack a topic. ValueError: as `check_topic`."""
    return _known_topic(topic) if len(topic) <= _SHORT_TOPIC else _packed_topic(topic)


def _packed_topic(topic: str) -> bytes:
    check_topic(topic)
    return packed_text(topic)


def _read_topic(data: bytes) -> str:
    topic = data.decode()
    check_topic(topic)
    return topic


# Messages come from and go to the same few topics again and again.
_SHORT_TOPIC = 256
_known_topic = lru_cache(maxsize=512)(_packed_topic)
_known_read_topic = lru_cache(maxsize=512)(_read_topic)


def whole_packet(buffer: bytes, at: int) -> tuple[int, bytes, int] | None:
    """The packet at `at`: its first byte, what follows its length, and the index after it; None: it is cut or wrong."""
    try:
        length, start = variable_integer(buffer, at + 1, len(buffer))
    except ValueError:
        return None
    end = start + length
    return (buffer[at], buffer[start:end], end) if end <= len(buffer) else None


def read_publish(first_byte: int, body: bytes | bytearray) -> tuple[Message, int]:
    """Read what follows the fixed header; the message and the packet id to acknowledge (0 with QoS 0).

    The payload is copied once, whatever its size.

    Args:
        first_byte: of the packet: type and flags.
        body: everything after the remaining length.

    Raises:
        MalformedPublish: cut, QoS 2 or 3 (never subscribed to), bad topic or properties, topic alias (never allowed).
    """
    packet_id = 0
    try:
        qos = first_byte >> 1 & 3
        if qos > 1:
            raise ValueError(f"QoS is {qos}, subscribed with 1 at most")
        topic_end = 2 + (body[0] << 8 | body[1])
        at = topic_end
        if topic_end > len(body):
            raise IndexError
        if qos:
            packet_id = body[at] << 8 | body[at + 1]
            at += 2
        named = bytes(body[2:topic_end])
        topic = _known_read_topic(named) if topic_end <= _SHORT_TOPIC else _read_topic(named)
        properties, at = unpack(body, at)
        if properties.topic_alias is not None:
            raise ValueError("topic alias was never allowed")
    except IndexError:
        raise MalformedPublish("packet is cut off", 0) from None
    except ValueError as error:
        raise MalformedPublish(str(error), packet_id) from error
    message = Message(
        topic,
        bytes(memoryview(body)[at:]),
        qos,
        bool(first_byte & 1),
        properties.response_topic,
        properties.correlation,
        properties.content_type,
        properties.expiry_s,
        properties.user,
    )
    return message, packet_id
