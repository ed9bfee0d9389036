"""`edgert top` and `edgert status`: from the documents to the table, and on a real broker."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge_runtime.mqtt.broker import RunningBroker
from edge_runtime.mqtt.client import Connection
from edge_runtime.mqtt.message import Message
from edge_runtime.watching.state import LOAD_VALID_S, MOST_DEVICES, MOST_MODELS, STATS_VALID_S, TopState
from edge_runtime.watching.watch import Watch
from tests.command import run

STATS = {
    "device": "hub", "uptime_s": 12, "queued": 0, "running": 1, "received": 9, "answered": 8, "refused": 1,
    "unsent": 0, "repeated": 0, "p50_ms": 3.1, "p95_ms": 4.0, "memory_mb": 96.2, "temperature_c": 48.1,
    "models": {"intents": {"version": "1", "answered": 8, "refused": 0, "p50_ms": 3.1, "p95_ms": 4.0,
                           "last": {"label": "HassTurnOn", "score": 0.98}}},
}  # fmt: skip
LOAD = {"queued": 3, "running": 1, "workers": 2, "p50_ms": 3.2, "models": ["intents"]}
INFO = {"device": "hub", "edgert": "0.1.0", "models": ["intents", "other"]}


def said(state: TopState, kind: str, document: object, now_s: float = 0.0, device: str = "hub") -> None:
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    state.feed(f"edgert/v1/d/{device}/{kind}", payload, now_s)


@pytest.fixture
def state() -> TopState:
    made = TopState()
    said(made, "status", b"online")
    said(made, "info", INFO)
    said(made, "stats", STATS)
    said(made, "load", LOAD, 1.0)
    return made


def row(state: TopState, now_s: float = 1.0, at: int = 0) -> dict[str, Any]:
    devices: Any = state.document(now_s)["devices"]
    found: dict[str, Any] = devices[at]
    return found


def test_the_document_has_what_the_device_published_the_newest_first(state: TopState) -> None:
    assert row(state) == {
        "device": "hub", "online": True, "version": "0.1.0", "queued": 3, "running": 1, "workers": 2,
        "requests_per_s": None, "p50_ms": 3.2, "p95_ms": 4.0, "memory_mb": 96.2, "temperature_c": 48.1,
        "answered": 8, "refused": 1, "uptime_s": 12,
        "models": [
            {"model": "intents", "version": "1", "answered": 8, "refused": 0, "p50_ms": 3.1, "p95_ms": 4.0,
             "last": {"label": "HassTurnOn", "score": 0.98}},
            {"model": "other", "version": "", "answered": None, "refused": None, "p50_ms": None, "p95_ms": None,
             "last": None},
        ],
    }  # fmt: skip
    said(state, "stats", {**STATS, "queued": 5}, 2.0)
    assert row(state, 2.0)["queued"] == 5


def test_the_table_has_a_line_for_each_device_and_model(state: TopState) -> None:
    said(state, "status", b"offline", device="cellar")
    lines = state.render(200, 1.0).splitlines()
    assert lines[0] == "2 devices, 1 online, 0.0 requests/s"
    assert lines[2].split()[:5] == ["DEVICE", "/", "MODEL", "STATE", "QUEUE"]
    assert lines[3].split() == ["cellar", "offline", *"---------"]
    assert lines[4].split() == [
        "hub",
        "online",
        "3",
        "1",
        "-",
        "3.2",
        "4.0",
        "96.2",
        "48.1",
        "8",
        "1",
        "edgert",
        "0.1.0",
    ]
    assert lines[5].split() == ["intents", "1", "3.1", "4.0", "8", "0", "HassTurnOn", "0.98"]
    assert len({line.index(cell) for line, cell in ((lines[3], "offline"), (lines[4], "online"))}) == 1


@pytest.mark.parametrize("width", [1, 20, 80, 500])
def test_no_line_is_wider_than_the_terminal(state: TopState, width: int) -> None:
    assert max(map(len, state.render(width, 1.0).splitlines())) <= width


def test_requests_per_second_follow_from_two_stats_in_a_row(state: TopState) -> None:
    said(state, "stats", {**STATS, "answered": 58, "uptime_s": 22}, 10.0)
    assert row(state, 10.0)["requests_per_s"] == 5.0
    assert state.render(200, 10.0).startswith("1 device, 1 online, 5.0 requests/s")


def test_a_daemon_that_was_started_anew_has_no_rate_until_its_second_stats(state: TopState) -> None:
    said(state, "stats", {**STATS, "answered": 2, "uptime_s": 1}, 10.0)
    assert row(state, 10.0)["requests_per_s"] is None
    said(state, "stats", {**STATS, "answered": 12, "uptime_s": 11}, 20.0)
    assert row(state, 20.0)["requests_per_s"] == 1.0


def test_old_numbers_are_not_shown_as_the_present_ones(state: TopState) -> None:
    assert row(state, 1.0 + LOAD_VALID_S)["workers"] == 2
    assert row(state, 1.5 + LOAD_VALID_S)["workers"] is None
    assert row(state, 1.5 + LOAD_VALID_S)["queued"] == 0
    assert row(state, STATS_VALID_S + 1)["memory_mb"] is None


def test_a_device_that_goes_offline_keeps_its_name_and_loses_its_numbers(state: TopState) -> None:
    assert state.offline() == []
    said(state, "status", b"offline", 2.0)
    assert state.offline() == ["hub"]
    assert (row(state)["online"], row(state)["queued"], row(state)["p95_ms"]) == (False, None, None)
    assert [model["model"] for model in row(state)["models"]] == ["intents", "other"]


def test_a_device_whose_retained_documents_are_cleared_is_forgotten() -> None:
    state = TopState()
    for kind, document in (("status", b"online"), ("info", INFO), ("status", b""), ("info", b"")):
        said(state, kind, document)
    assert state.devices == []


@pytest.mark.parametrize(
    "payload",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 50_000, b"x" * 70_000, b'{"queued":NaN,"p50_ms":1e999,"models":7}',
     b'{"queued":true,"running":"1","models":{"a b":1,"m":[]},"answered":' + b"9" * 400 + b"}"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["status", "info", "load", "stats"])
def test_payloads_that_are_no_documents_change_nothing_for_the_worse(kind: str, payload: bytes) -> None:
    state = TopState()
    said(state, "status", b"online")
    said(state, kind, payload)
    json.dumps(state.document(0.0), allow_nan=False)
    assert state.render(200, 0.0)


def test_texts_of_a_device_cannot_move_the_cursor(state: TopState) -> None:
    evil = "\x1b[2J\x9b1A\r\n\u202e" + "x" * 1000
    model = {"version": evil, "last": {"label": evil, "score": "\x1b[2J", evil: 1}}
    said(state, "info", {"edgert": evil, "models": [evil, "ok"]}, 2.0)
    said(state, "stats", {"models": {"m": model, evil: model}}, 2.0)
    text = state.render(500, 2.0)
    assert len(text.splitlines()) == 6
    assert all(letter.isprintable() for letter in text.replace("\n", ""))


def test_topics_that_are_no_devices_are_left_aside() -> None:
    state = TopState()
    for topic in (
        "edgert/v1/d/a b/status",
        "edgert/v1/d//status",
        "other/d/x/status",
        "edgert/v1/d/x/event/status",
        "",
    ):
        state.feed(topic, b"online", 0.0)
    assert state.devices == []


def test_another_root_is_another_world() -> None:
    state = TopState("home/ai")
    state.feed("edgert/v1/d/hub/status", b"online", 0.0)
    state.feed("home/ai/d/hub/status", b"online", 0.0)
    assert state.devices == ["hub"]


def test_devices_and_models_are_bounded() -> None:
    state = TopState()
    for number in range(MOST_DEVICES + 50):
        said(state, "status", b"online", device=f"d{number}")
    said(state, "stats", {"models": {f"m{number}": {} for number in range(500)}}, device="d0")
    assert len(state.devices) == MOST_DEVICES
    assert len(row(state)["models"]) == MOST_MODELS


# --- on a real broker ------------------------------------------------------------------------------------------------


@pytest.fixture
def devices(private_mosquitto: RunningBroker) -> Iterator[Connection]:
    """A connection that speaks for devices: `hub` is online."""
    connection = Connection(private_mosquitto.address, client_id="devices", on_message=lambda message: None)
    connection.start()
    assert connection.wait_ready(5)
    for kind, payload in (
        ("info", json.dumps(INFO).encode()),
        ("load", json.dumps(LOAD).encode()),
        ("status", b"online"),
    ):
        assert connection.publish(Message(f"edgert/v1/d/hub/{kind}", payload, qos=1, retain=True))
    assert connection.flush(5)
    yield connection
    connection.stop()


@pytest.mark.broker
def test_top_prints_one_table_when_the_output_is_no_terminal(
    private_mosquitto: RunningBroker, devices: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "top", "--broker", private_mosquitto.client_address.url(), "--wait", "0")
    assert (status, out.splitlines()[0]) == (0, "1 device, 1 online, 0.0 requests/s")
    assert "hub" in out.splitlines()[3]
    assert "\x1b" not in out


@pytest.mark.broker
def test_status_is_one_if_a_device_is_offline_and_may_ask_for_one_device_only(
    private_mosquitto: RunningBroker, devices: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = ("status", "--broker", private_mosquitto.client_address.url(), "--wait", "0", "--json")
    status, out, err = run(capsys, *ask)
    assert (status, err) == (0, "")
    assert json.loads(out)["devices"][0]["queued"] == 3
    devices.publish(Message("edgert/v1/d/cellar/status", b"offline", qos=1, retain=True))
    assert devices.flush(5)
    status, out, err = run(capsys, *ask)
    assert (status, err) == (1, "not online: cellar\n")
    assert [device["device"] for device in json.loads(out)["devices"]] == ["cellar", "hub"]
    assert run(capsys, *ask, "--device", "hub")[0] == 0
    assert run(capsys, *ask, "--device", "attic")[0] == 1


@pytest.mark.broker
def test_status_of_a_broker_without_devices_is_one(
    private_mosquitto: RunningBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(
        capsys, "status", "--broker", private_mosquitto.client_address.url(), "--wait", "0", "--json"
    )
    assert (status, json.loads(out)) == (1, {"devices": []})
    assert "no device has announced itself" in err


@pytest.mark.broker
def test_stats_that_come_while_waiting_are_in_the_answer_at_once(
    private_mosquitto: RunningBroker, devices: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with Watch(private_mosquitto.address) as watch:
        watch.settle(0)
        assert devices.publish(Message("edgert/v1/d/hub/stats", json.dumps(STATS).encode()))
        began_s = time.monotonic()
        watch.settle(30)
        assert time.monotonic() - began_s < 10
        found: Any = watch.document()
    assert found["devices"][0]["memory_mb"] == 96.2


@pytest.mark.broker
def test_on_a_terminal_the_table_is_drawn_again_until_ctrl_c_which_leaves_the_terminal_as_it_was(
    private_mosquitto: RunningBroker, devices: Connection
) -> None:
    code = f"from edge_runtime.cli import main\nmain(['top', '--broker', {private_mosquitto.client_address.url()!r}])\n"
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        drawn = b""
        while drawn.count(b"1 online") < 2:
            assert select.select([ours], [], [], 10)[0], drawn
            drawn += os.read(ours, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        while select.select([ours], [], [], 1)[0]:
            try:
                drawn += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert drawn.startswith(b"\x1b[?1049h\x1b[?25l")
    assert drawn.endswith(b"\x1b[?25h\x1b[?1049l")
    assert b"Traceback" not in drawn
