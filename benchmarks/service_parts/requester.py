"""Someone who asks the daemon over a bare socket."""

from __future__ import annotations

import random
import time

from benchmarks.raw_mqtt import RawMqtt, reply_properties, user_property
from benchmarks.request_latency import _connect
from benchmarks.serving import topics
from edge_runtime.mqtt.address import BrokerAddress


def requester(address: BrokerAddress, model: str) -> tuple[RawMqtt, str]:
    """A client whose first request was answered, and its reply topic."""
    client = _connect(address, f"bench-{random.getrandbits(40)}")
    reply_topic = topics().reply(address.username or "anonymous", f"bench-{random.getrandbits(40)}")
    client.subscribe(reply_topic, 1)
    deadline = time.monotonic() + 60
    client.timeout(0.3)
    while True:
        client.publish(topics().infer(model), b'{"text": "hello"}', 0, reply_properties(reply_topic, b"\0\0\0\0"))
        try:
            client.receive()
            break
        except TimeoutError:
            if time.monotonic() > deadline:
                raise RuntimeError("the daemon does not answer") from None
    client.timeout(60)
    return client, reply_topic


def one_by_one(client: RawMqtt, topic: str, reply_topic: str, texts: list[str]) -> tuple[list[float], list[float]]:
    """Milliseconds of each round trip, and of the pipeline in it."""
    whole, inside = [], []
    for text in texts:
        started = time.perf_counter()
        client.publish(topic, b'{"text": "%s"}' % text.encode(), 0, reply_properties(reply_topic, b"\0\0\0\0"))
        properties, _ = client.receive()
        whole.append((time.perf_counter() - started) * 1e3)
        inside.append(int(user_property(properties, "infer-us") or 0) / 1e3)
    return whole, inside
