"""Sentence embeddings from the daemon and from other servers: the same ONNX file, the same sentences, the same rounds.

In a round each server runs alone: it is started, warmed and checked, then measured with one request in flight, by turns
with the model alone in this process, and with many. Each round begins with another server.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from setup_pip import say

from benchmarks.raw_mqtt import RawMqtt, reply_properties
from benchmarks.service_parts.http_load import HttpConnections
from benchmarks.service_parts.in_flight import run_load
from benchmarks.service_parts.peer_venv import NoPeer
from benchmarks.service_parts.peers import Peer, served_by
from benchmarks.service_parts.requester import requester
from benchmarks.serving import served, topics
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.pipeline import Pipeline

IN_FLIGHT = 32  # as many as the peers batch
CHECKED = 20
BLOCK = 20  # so many requests, then so many runs of the model alone: the machine is as fast for both
THREADS_SETTING = "EDGERT_RUNTIME_THREADS"


class Server(Protocol):
    """A running server, as whoever asks it sees it."""

    def rate(self, texts: list[str], in_flight: int) -> float:
        """Answers a second."""

    def each_ms(self, texts: list[str]) -> list[float]:
        """Milliseconds of each request, one after the other."""

    def vector(self, text: str) -> list[float]:
        """The embedding of a text."""


@dataclass
class Measured:
    """What was seen of a server in the rounds; `why` says why there is nothing."""

    title: str
    rates: list[float] = field(default_factory=list)
    added_ms: list[float] = field(default_factory=list)
    worst_cosine: float = 1.0
    why: str = ""


Start = Callable[[], AbstractContextManager[Server]]


def measure(starts: Sequence[tuple[str, Start]], pipeline: Pipeline, texts: list[str], rounds: int) -> list[Measured]:
    """Measure the servers in turn; one that cannot be had or breaks is named with the reason, and left out after.

    Args:
        starts: title of each, and how to start it.
        pipeline: the same model in this process: what answers must agree with, and the time of the model alone.
        texts: asked in each round by everybody.
        rounds: each begins with another server.
    """
    seen = [Measured(title) for title, _ in starts]
    for number in range(rounds):
        turns = list(zip(seen, starts, strict=True))
        first = number % len(turns)
        for one, (title, start) in turns[first:] + turns[:first]:
            if one.why:
                continue
            say(f"round {number + 1} of {rounds}: {title}")
            try:
                with start() as server:
                    _measure(one, server, pipeline, texts)
            except (NoPeer, OSError, ValueError, LookupError, TypeError) as error:  # what a peer's answers can do
                one.why = str(error) or type(error).__name__
                say(f"  {title} is left out: {one.why}")
    return seen


def _measure(one: Measured, server: Server, pipeline: Pipeline, texts: list[str]) -> None:
    server.rate(texts, IN_FLIGHT)  # adaptive batching has to learn
    for text in texts[:CHECKED]:
        cosine = _cosine(np.asarray(server.vector(text)), pipeline.vectors([text])[0])
        one.worst_cosine = min(one.worst_cosine, cosine)
    alone_ms, each_ms = list[float](), list[float]()
    for at in range(0, len(texts), BLOCK):
        block = texts[at : at + BLOCK]
        alone_ms += [pipeline.run([text]).run_ns / 1e6 for text in block]
        each_ms += server.each_ms(block)
    one.added_ms.append(statistics.median(each_ms) - statistics.median(alone_ms))
    one.rates.append(server.rate(texts, IN_FLIGHT))


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


# --- the servers -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OverMqtt:
    """The daemon, asked through the broker with QoS 0."""

    client: RawMqtt
    topic: str
    reply_topic: str

    def rate(self, texts: list[str], in_flight: int) -> float:
        """Answers a second."""
        load = run_load(self.client, self.topic, self.reply_topic, texts, in_flight=in_flight, qos=0, pid=None)
        if load.statuses != {"200": len(texts)}:
            raise ValueError(f"the daemon's answers are {load.statuses}")
        return len(texts) / load.seconds

    def each_ms(self, texts: list[str]) -> list[float]:
        """Milliseconds of each request, one after the other."""
        load = run_load(self.client, self.topic, self.reply_topic, texts, in_flight=1, qos=0, pid=None)
        return [seconds * 1e3 for seconds in load.each_s]

    def vector(self, text: str) -> list[float]:
        """The embedding of a text."""
        body = json.dumps({"text": text}).encode()
        self.client.publish(self.topic, body, 0, reply_properties(self.reply_topic, b"\0\0\0\0"))
        vector: list[float] = json.loads(self.client.receive()[1])["embedding"]
        return vector


@dataclass(frozen=True)
class OverHttp:
    """A peer, asked over connections that stay open."""

    peer: Peer
    port: int

    def rate(self, texts: list[str], in_flight: int) -> float:
        """Answers a second."""
        with self._connections(in_flight) as connections:
            return len(texts) / connections.run(texts).seconds

    def each_ms(self, texts: list[str]) -> list[float]:
        """Milliseconds of each request, one after the other."""
        with self._connections(1) as connection:
            return [seconds * 1e3 for seconds in connection.run(texts).each_s]

    def vector(self, text: str) -> list[float]:
        """The embedding of a text."""
        with self._connections(1) as connection:
            (body,) = connection.run([text]).bodies
        vector = self.peer.answer(body)["embedding"]
        if not isinstance(vector, list):
            raise ValueError(f"{self.peer.name} answers {body[:100]!r}")
        return vector

    def _connections(self, count: int) -> HttpConnections:
        return HttpConnections(self.port, self.peer.path, self.peer.body, count)


def daemon(bundle: Path, address: BrokerAddress, threads: int) -> Start:
    """How to start `edgert serve` with a bundle."""

    @contextlib.contextmanager
    def start() -> Iterator[Server]:
        name = read_bundle(bundle).name
        with _set(THREADS_SETTING, str(threads)), served(bundle, address):
            client, reply_topic = requester(address, name)
            try:
                yield OverMqtt(client, topics().infer(name), reply_topic)
            finally:
                client.close()

    return start


def other(peer: Peer, bundle: Path, threads: int, torch_index: str) -> Start:
    """How to start a peer with a bundle's model."""

    @contextlib.contextmanager
    def start() -> Iterator[Server]:
        with served_by(peer, bundle, threads=threads, torch_index=torch_index) as port:
            yield OverHttp(peer, port)

    return start


@contextlib.contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    """A variable of the environment, for the processes that are started in the meantime."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
