"""A wall clock that jumps by a day, as a board without a battery has it: daemon and broker run under libfaketime."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import queue
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.client import Client
from edge_runtime.mqtt.broker import mosquitto
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from tests import served, tiny
from tests.brokers import NEED_MOSQUITTO, PlainMosquitto, wait_until
from tests.logged_daemon import LoggedDaemon

pytestmark = pytest.mark.broker

TOPICS = Topics(served.DEVICE)
PANEL = TOPICS.reply("anonymous", "panel")
DAY_S = 86_400
REMEMBERED_S = 4
BATCH_WAIT_MS = 600  # long enough for a clock to jump while a request waits
WAIT_S = 15.0
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")


class WallClock:
    """The time of day of whatever runs with `environment`: the real one and `offset_s`."""

    def __init__(self, folder: Path) -> None:
        found = [str(path) for pattern in LIBRARIES for path in Path("/").glob(pattern.lstrip("/"))]
        if not found:
            pytest.skip("libfaketime is not installed: apt install faketime")
        self._file = folder / "offset"
        self.offset_s = 0
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its name before libfaketime 0.9.10
            "NO_FAKE_STAT": "1",
        }

    def jump(self, by_s: int) -> None:
        """At once, in all processes."""
        self.offset_s += by_s
        other = self._file.with_suffix(".new")
        other.write_text(f"{self.offset_s:+d}\n", encoding="ascii")
        other.replace(self._file)  # a reader must not find half of it

    def now_s(self) -> float:
        """Seconds since 1970, as the processes see it."""
        return time.time() + self.offset_s


@dataclass
class Jumped:
    """A daemon whose clock has jumped while a request waited in it.

    Attributes:
        waited: the answer to the request that waited.
        kept: the answer to a request by the id `kept`, from shortly before.
        seen: replies so far, by their correlation data.
    """

    clock: WallClock
    broker: PlainMosquitto
    hub: LoggedDaemon
    panel: Connection
    replies: queue.Queue[Message]
    audit: Path
    at_s: float = 0.0
    waited: Message | None = None
    kept: Message | None = None
    seen: dict[bytes, Message] = field(default_factory=dict)

    def send(self, topic: str, body: dict[str, object], **user: str) -> bytes:
        """Send a request with an expiry, and with this in its user properties; its correlation data."""
        correlation = secrets.token_bytes(8)
        payload = json.dumps(body).encode()
        sent = Message(topic, payload, 1, False, PANEL, correlation, expiry_s=10, user=tuple(user.items()))
        assert self.panel.publish(sent)
        return correlation

    def reply(self, correlation: bytes) -> Message:
        """The reply to a request."""
        while correlation not in self.seen:
            message = self.replies.get(timeout=WAIT_S)
            self.seen[message.correlation or b""] = message
        return self.seen[correlation]

    def answer(self, text: str, **user: str) -> Message:
        """Ask, and wait for the answer."""
        return self.reply(self.send(TOPICS.infer("tiny"), {"text": text}, **user))

    def queued(self) -> int:
        """How many requests wait in the daemon, as it says."""
        body: dict[str, int] = json.loads(self.reply(self.send(TOPICS.control("health"), {})).payload)
        return body["queued"]

    def rows(self, request_id: str) -> list[dict[str, Any]]:
        """Of the audit file, those of one request."""
        rows = [json.loads(line) for line in self.audit.read_text(encoding="ascii").splitlines()]
        return [row for row in rows if row.get("id") == request_id]


@pytest.fixture(scope="module", params=[DAY_S, -DAY_S], ids=["forwards", "back"])
def jumped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jumped]:
    folder = tmp_path_factory.mktemp("jump")
    clock, audit = WallClock(folder), folder / "audit.jsonl"
    if mosquitto.find() is None:
        pytest.skip(NEED_MOSQUITTO)
    broker, replies = PlainMosquitto(folder), queue.Queue[Message]()
    settings = {
        "EDGERT_AUDIT_FILE": str(audit),
        "EDGERT_AUDIT_SYNC_S": "1",
        "EDGERT_METRICS_STATS_S": "1",
        "EDGERT_LIMITS_REMEMBERED_S": str(REMEMBERED_S),
        "EDGERT_SCHEDULER_BATCH_WAIT_MS": str(BATCH_WAIT_MS),
        "EDGERT_RUNTIME_LOG_FORMAT": "json",
    }
    bundle = tiny.write_bundle(folder / "bundle", "embed", "tiny")  # only such a one waits for a batch
    with contextlib.ExitStack() as stack:
        stack.callback(broker.kill)
        with pytest.MonkeyPatch.context() as patched:
            for name, value in clock.environment.items():
                patched.setenv(name, value)
            broker.start()
        hub = stack.enter_context(LoggedDaemon([], broker.address, bundle, **clock.environment, **settings))
        served.wait_online(broker.address)
        panel = Connection(broker.address, "panel", subscriptions=[(PANEL, 1)], on_message=replies.put)
        panel.start_within(5)
        stack.callback(panel.stop)
        made = Jumped(clock, broker, hub, panel, replies, audit)
        jump(made, request.param)
        yield made


def jump(made: Jumped, by_s: int) -> None:
    """While one request waits for others to join its batch, and one that may not join it waits behind."""
    made.kept = made.answer("open the blind", id="kept")
    made.send(TOPICS.infer("tiny"), {"text": "turn off the light"}, **{"deadline-ms": "10000"})
    body = {"text": "turn on the light", "truncate": True}
    waited = made.send(TOPICS.infer("tiny"), body, **{"id": "waited", "deadline-ms": "10000"})
    wait_until("both wait in the daemon", lambda: made.queued() == 2)
    made.clock.jump(by_s)
    made.at_s = time.monotonic()
    made.waited = made.reply(waited)


def status(reply: Message | None) -> str:
    assert reply is not None
    return dict(reply.user)["status"]


def test_a_request_that_waited_is_answered_when_it_would_have_been_anyway(jumped: Jumped) -> None:
    assert jumped.waited is not None
    assert status(jumped.waited) == "200"
    assert BATCH_WAIT_MS / 2 < int(dict(jumped.waited.user)["queue-us"]) / 1000 < 5 * BATCH_WAIT_MS


def test_an_id_from_before_is_remembered_for_its_time_and_no_longer(jumped: Jumped) -> None:
    again = jumped.answer("open the blind", id="kept")
    assert jumped.kept is not None
    assert again.payload == jumped.kept.payload
    assert jumped.answer("open the blind", id="after").payload == jumped.kept.payload
    wait_until("the row of the last is there", lambda: jumped.rows("after"))
    assert len(jumped.rows("kept")) == 1

    def run_again() -> bool:
        return len(jumped.rows("kept")) > 1 or not jumped.answer("open the blind", id="kept")

    wait_until("it is forgotten, and run again", run_again, REMEMBERED_S + 5)


def test_requests_with_a_deadline_and_an_expiry_are_answered(jumped: Jumped) -> None:
    statuses = [status(jumped.answer(f"turn on {number}", **{"deadline-ms": "5000"})) for number in range(2)]
    assert statuses == ["200"] * len(statuses)


def test_a_deadline_that_is_too_short_is_still_refused(jumped: Jumped) -> None:
    assert status(jumped.answer("close the blind", **{"deadline-ms": "0.001"})) == "408"


def test_the_retained_load_is_renewed_with_its_expiry(jumped: Jumped) -> None:
    jumped.answer("close the lamp")  # so that there is something new to tell

    def fresh() -> bool:
        found = queue.Queue[Message]()
        reader = Connection(jumped.broker.address, "reader", subscriptions=[(TOPICS.load, 1)], on_message=found.put)
        reader.start_within(5)
        try:
            return 0 < (found.get(timeout=0.5).expiry_s or 0) <= 30
        except queue.Empty:  # expired at the broker
            return False
        finally:
            reader.stop()

    wait_until("a load that is valid for 30 s", fresh, WAIT_S)


def test_the_python_client_finds_and_asks_it(jumped: Jumped) -> None:
    with Client(jumped.broker.address) as client:
        assert client.wait_online(served.DEVICE, 5)
        assert len(client.infer("tiny", "warm up the kitchen").body["embedding"]) == tiny.WIDTH


def test_the_times_in_audit_and_log_follow_the_clock(jumped: Jumped) -> None:
    wait_until("both rows are there", lambda: jumped.rows("kept") and jumped.rows("waited"))
    before, after = (at_s(jumped.rows(name)[0]["ts"]) for name in ("kept", "waited"))
    assert 0.9 * DAY_S < (after - before) * (1 if jumped.clock.offset_s > 0 else -1) < 1.1 * DAY_S
    assert abs(after - jumped.clock.now_s()) < 120


def test_neither_the_log_nor_the_processor_has_a_storm(jumped: Jumped) -> None:
    stats = queue.Queue[Message]()
    reader = Connection(jumped.broker.address, "stats", subscriptions=[(TOPICS.stats, 0)], on_message=stats.put)
    reader.start_within(5)
    used_s, begun_s = cpu_s(jumped.hub.pid), time.monotonic()
    for _ in range(3):  # so they come every second
        stats.get(timeout=WAIT_S)
    assert time.monotonic() - begun_s < 10
    assert cpu_s(jumped.hub.pid) - used_s < 0.5 * (time.monotonic() - begun_s)
    reader.stop()
    since = [json.loads(line) for line_s, line in jumped.hub.lines if line_s > jumped.at_s]
    assert [line for line in since if line["level"] != "info"] == []
    assert len(since) < 5
    assert jumped.hub.log.count("connected to") == 1  # nor was the connection lost


def at_s(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
