"""Many requests in flight on one bare socket, and what they cost the process that answers them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.raw_mqtt import RawMqtt, reply_properties, user_property


@dataclass(frozen=True)
class Load:
    """What a load did: seconds in all, seconds of each request, the daemon's CPU seconds, replies by status."""

    seconds: float
    each_s: list[float]
    cpu_s: float
    statuses: dict[str, int]


def run_load(
    client: RawMqtt,
    topic: str,
    reply_topic: str,
    texts: list[str],
    *,
    in_flight: int,
    qos: int,
    pid: int | None,
    rate: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Load:
    """Send one request for each text, never more than `in_flight` unanswered; with `rate`, so many a second."""
    bodies = [json.dumps({"text": text}).encode() for text in texts]
    cpu_before = cpu_s(pid) if pid else 0.0
    sent_at: dict[int, float] = {}
    each: list[float] = []
    statuses: dict[str, int] = {}
    started, sent = clock(), 0
    while len(each) < len(texts):
        while sent < len(texts) and sent - len(each) < in_flight:
            due = started + sent / rate if rate else 0.0
            if clock() < due:
                if sent > len(each):
                    break
                time.sleep(max(0.0, due - clock()))
            sent_at[sent] = due or clock()
            client.publish(topic, bodies[sent], qos, reply_properties(reply_topic, sent.to_bytes(4, "big")))
            sent += 1
        properties, _ = client.receive()
        at = properties.index(b"\x09\x00\x04") + 3
        number = int.from_bytes(properties[at : at + 4], "big")
        each.append(clock() - sent_at.pop(number))
        status = user_property(properties, "status") or "?"
        statuses[status] = statuses.get(status, 0) + 1
    return Load(clock() - started, each, (cpu_s(pid) if pid else 0.0) - cpu_before, statuses)


def cpu_s(pid: int) -> float:
    """User and system seconds of a process so far, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
