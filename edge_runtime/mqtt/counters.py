"""What happened on a broker connection, as numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counters:
    """What happened on a `Connection` since it was made.

    Attributes:
        received: messages that came in and could be read.
        malformed: messages that could not; confirmed and skipped.
        published: messages handed to the network.
        dropped: messages refused by `publish()` or lost before they were written.
        unconfirmed: QoS 1 messages written and not confirmed when the connection was lost; they may have arrived.
        refused: QoS 1 messages that the broker refused (no right, quota).
        unmatched: QoS 1 messages for which the broker had no subscriber.
        reconnects: how often the connection was ready again after the first time.
        callback_errors: exceptions that `on_message`, `on_ready` or `on_fatal` let out.
        takeovers: how often another client with our id took our place.
    """

    received: int = 0
    malformed: int = 0
    published: int = 0
    dropped: int = 0
    unconfirmed: int = 0
    refused: int = 0
    unmatched: int = 0
    reconnects: int = 0
    callback_errors: int = 0
    takeovers: int = 0


def worth_a_line(count: int) -> bool:
    """Whether the log should say so again: at 1, 2, 4, 8..., because a client must not be able to fill it."""
    return count & (count - 1) == 0
