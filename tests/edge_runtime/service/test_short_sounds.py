"""A short sound says nothing of a long one, which must not be run by the thread that reads the network."""

from __future__ import annotations

import pytest

from edge_runtime.mqtt.contract import Request, parse
from edge_runtime.mqtt.message import Message
from edge_runtime.service.job import Job
from edge_runtime.service.pace import Pace
from edge_runtime.takes import Takes
from tests.service_bench import TOPICS

EVERYTHING = Takes(media=frozenset({"audio/wav"}), tensors=True, words="none")


def job(payload: bytes, content_type: str) -> Job:
    message = Message(TOPICS.infer("tiny"), payload, response_topic="edgert/v1/r/a/b", content_type=content_type)
    asked = parse(message, TOPICS, 1 << 20, lambda _: EVERYTHING)
    assert isinstance(asked, Request)
    return Job(asked, 0.0, 10.0)


@pytest.mark.parametrize(
    ("short", "long", "content_type"),
    [
        (b"x" * 1000, b"x" * 300_000, "audio/wav"),
        (b'{"values": [1]}', b'{"values": [' + b"1," * 5000 + b"1]}", "application/json"),
    ],
)
def test_a_long_one_is_not_taken_for_short_because_a_short_one_was(
    short: bytes, long: bytes, content_type: str
) -> None:
    pace = Pace()
    pace.note(job(short, content_type), 0.0001)
    assert pace.is_short(job(short, content_type))
    assert not pace.is_short(job(long, content_type))
