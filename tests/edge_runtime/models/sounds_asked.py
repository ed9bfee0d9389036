"""Sounds for tiny models that hear loudness (tests/tiny_graphs.py), and how to ask them over the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engine import open_session
from edge_runtime.model import open_model
from edge_runtime.mqtt.message import Message
from tests.edge_runtime.models.test_sound import wav
from tests.service_bench import TOPICS, Bench, Clock

FRAME = 4  # samples: a quarter of a millisecond
LOUD, QUIET = [32000] * 40, [0] * 60
SOUND = [*QUIET, *LOUD, *QUIET, *LOUD]


def hearing(kind: Callable[..., Any], folder: Path, clock: Clock, make_bench: Callable[..., Bench]) -> Bench:
    """A service with the bundle as its only model, `tiny`, of this kind and with this clock."""
    manifest = open_model(folder).manifest
    model = kind(manifest, open_session(folder, manifest.model, 1), clock)
    model.warm_up()
    return make_bench({"tiny": model})


def sound(samples: Sequence[int]) -> bytes:
    """The samples as a WAV file."""
    return wav(data=np.array(samples, "<i2").tobytes())


def ask(bench: Bench, samples: Sequence[int], client: str = "ann/phone", **parameters: Any) -> tuple[int, Any]:
    """The status and the body of the reply."""
    message = Message(
        TOPICS.infer("tiny"),
        sound(samples),
        response_topic=f"edgert/v1/r/{client}",
        correlation=b"c",
        content_type="audio/wav",
        user=(("parameters", json.dumps(parameters)),),
    )
    bench.send(message)
    return bench.next()


def in_pieces(bench: Bench, size: int, found: Callable[[Any], list[Any]], **parameters: Any) -> list[Any]:
    """All that is found in `SOUND`, sent in pieces of this size; each reply says where its piece began."""
    together, at = [], []
    for start in range(0, len(SOUND), size):
        end = start + size >= len(SOUND)
        status, body = ask(bench, SOUND[start : start + size], session="mic", end=end, **parameters)
        assert status == 200
        together += found(body)
        at.append(body["at_s"])
    assert at == [round(start / 16000, 3) for start in range(0, len(SOUND), size)]
    return together
