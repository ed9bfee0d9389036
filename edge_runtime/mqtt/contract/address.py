"""Where and how a reply goes, as a request says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.errors import BadRequest, ReplyTopicRefused
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics

MAX_CORRELATION_BYTES = 64
MAX_ID_CHARS = 64


@dataclass(frozen=True)
class Address:
    """Where and how a reply goes. `enveloped`: for clients without MQTT 5 properties, all is in the JSON.

    `server` is the device that answers: a request to a group does not know who that will be. `cbor`: answers are
    written so; errors are JSON always.
    """

    topic: str
    qos: int
    enveloped: bool
    correlation: bytes | None = None
    id: str | None = None
    transaction: object = None
    server: str = ""
    cbor: bool = False


def address_of_properties(message: Message, topics: Topics) -> Address | None:
    """Give the address in MQTT 5 properties; None if there is no Response Topic. ReplyTopicRefused: not allowed."""
    topic, correlation = message.response_topic, message.correlation
    if topic is None:
        return None
    topics.checked_reply_topic(topic)
    if correlation is not None and len(correlation) > MAX_CORRELATION_BYTES:
        correlation = None  # it is refused later; an error reply must not echo it
    return Address(topic, message.qos, enveloped=False, correlation=correlation, server=topics.device)


def address_of_envelope(
    body: Mapping[str, object], fallback: Address, topics: Topics, *, needed: bool = False
) -> Address:
    """Give the address in the JSON of a client without properties.

    Args:
        fallback: where the reply goes if the JSON does not say.
        needed: there is no fallback.

    Raises:
        ReplyTopicRefused, BadRequest: what it says is not allowed.
    """
    reply_to = body.get("reply_to")
    if (needed or reply_to is not None) and not isinstance(reply_to, str):
        raise ReplyTopicRefused("reply_to must be a text")
    topic = fallback.topic if reply_to is None else topics.checked_reply_topic(reply_to)
    transaction = body.get("transaction")
    if not isinstance(transaction, str | int | None) or not is_short_text(str(transaction)):
        raise BadRequest(f"transaction must be a number or a printable text of up to {MAX_ID_CHARS} characters")
    identity = checked_id(body.get("id"))
    return Address(topic, fallback.qos, enveloped=True, id=identity, transaction=transaction, server=topics.device)


def checked_id(value: object) -> str | None:
    """Give an id as text, None for none. BadRequest: it is no short printable text."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or not is_short_text(value):
        raise BadRequest(f"id must be a printable text of 1 to {MAX_ID_CHARS} characters")
    return value


def is_short_text(value: str) -> bool:
    """Whether a text may be sent back: not long, and printable, which a lone surrogate is not."""
    return len(value) <= MAX_ID_CHARS and value.isprintable()
