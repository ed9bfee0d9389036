"""Replies of devices, read at the edge: a body with its numbers, a piece of a stream, or an error. No I/O."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from edge_runtime.errors import RemoteError, StreamGap
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import WORD

_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
_MAX_PAUSE_MS = 1e9


@dataclass(frozen=True)
class Answer:
    """A device's answer: its body, which device gave it, and durations in microseconds (`round_trip_us` is ours)."""

    body: dict[str, Any]
    device: str
    queue_us: int
    infer_us: int
    round_trip_us: int


@dataclass(frozen=True)
class Chunk:
    """A piece of a streamed answer; they come in the order of `seq`, counted from 0, and `last` marks the last."""

    body: dict[str, Any]
    device: str
    seq: int
    last: bool


def read_answer(reply: Message, asked: str, round_trip_us: int = 0) -> Answer:
    """What a reply holds.

    Args:
        reply: as it came.
        asked: the device or group that was asked, for a reply that does not name its device.
        round_trip_us: as measured.

    Raises:
        RemoteError: the device refused, or the reply is not as agreed (status 502).
    """
    body, properties = json_object(reply.payload), dict(reply.user)
    server = properties.get("server", "")
    device = server if WORD.fullmatch(server) else asked
    numbers = [properties.get(name, "0") for name in ("status", "queue-us", "infer-us")]
    readable = all(_NUMBER.fullmatch(number) for number in numbers)
    status, queue_us, infer_us = map(int, numbers) if readable else (0, 0, 0)
    error = body.get("error")
    if isinstance(error, dict) and status:
        pause_ms = error.get("retry_after_ms")
        pause_ms = pause_ms if isinstance(pause_ms, int) and 0 <= pause_ms < _MAX_PAUSE_MS else None
        raise RemoteError(status, str(error.get("reason")), str(error.get("message")), pause_ms)
    if status != 200 or not (body or reply.payload == b"{}"):
        raise RemoteError(502, "bad_reply", f"device {device!r} sent a reply that is not as agreed in docs/mqtt.md")
    return Answer(body, device, queue_us, infer_us, round_trip_us)


class StreamOrder:
    """Puts pieces of one stream in order or says that one is missing. Pure."""

    def __init__(self) -> None:
        self.expected = 0

    def take(self, reply: Message, asked: str) -> Chunk | None:
        """The next piece; None for one that was here already, as QoS 1 may bring it.

        Raises:
            StreamGap: a piece before this one is missing.
            RemoteError: the device ended the stream with an error.
        """
        answer, properties = read_answer(reply, asked), dict(reply.user)
        number = properties.get("seq")
        if number is None:  # from a model that does not stream
            return Chunk(answer.body, answer.device, 0, last=True)
        if not _NUMBER.fullmatch(number):
            raise RemoteError(502, "bad_reply", f"device {answer.device!r} numbers a piece {number[:20]!r}")
        seq = int(number)
        if seq > self.expected:
            raise StreamGap(self.expected, f"piece {seq} came, {self.expected} was expected")
        if seq < self.expected:
            return None
        self.expected += 1
        return Chunk(answer.body, answer.device, seq, last=properties.get("last") == "1")


def json_object(payload: bytes) -> dict[str, Any]:
    """The JSON object in a payload; empty if it is none."""
    try:
        data = json.loads(payload)
    except (ValueError, RecursionError):
        data = None
    return data if isinstance(data, dict) else {}
