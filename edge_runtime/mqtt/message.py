"""One MQTT message as plain data, whatever the client library or protocol version."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A PUBLISH: topic, payload and the MQTT 5 properties that edgert uses; on 3.1.1 those are absent.

    `expiry_s` is the message expiry interval in seconds; `user` holds the user properties in their order.
    """

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    response_topic: str | None = None
    correlation: bytes | None = None
    content_type: str | None = None
    expiry_s: int | None = None
    user: tuple[tuple[str, str], ...] = ()
