"""Finding and starting brokers: the order, the secrets, the rights, and that nothing is left behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge_runtime.errors import NoBroker, UsageError
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.broker import RunningBroker, embedded, mosquitto, start_broker
from edge_runtime.mqtt.broker.probe import accepts
from edge_runtime.mqtt.message import Message
from tests.brokers import NEED_EMBEDDED, Inbox, free_port, started, wait_until
from tests.edge_runtime.mqtt.conftest import Connect

ROOT = "edgert/v1"


def is_running(pid: int) -> bool:
    """Whether this process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_with_a_url_nothing_is_started() -> None:
    with start_broker("mqtt://ann:hunter2@hub:1884") as running:
        assert running.address == running.client_address == BrokerAddress.parse("mqtt://ann:hunter2@hub:1884")
        assert (running.kind, running.pid) == ("given", None)
        assert running.describe() == "mqtt://ann@hub:1884, as given"


def test_a_url_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="expected mqtt://"):
        start_broker("http://hub")


@pytest.mark.broker
def test_a_started_broker_takes_both_its_logins_and_no_other(broker: RunningBroker) -> None:
    assert accepts(broker.address)
    assert accepts(broker.client_address)
    assert broker.address.username != broker.client_address.username
    assert broker.address.password != broker.client_address.password
    for username, password in (("", ""), (broker.address.username, "wrong"), ("root", broker.address.password)):
        assert not accepts(dataclasses.replace(broker.address, username=username, password=password))


@pytest.mark.broker
def test_it_listens_on_loopback_only(broker: RunningBroker) -> None:
    listening = "0A"
    rows = [row.split() for file in ("tcp", "tcp6") for row in Path(f"/proc/net/{file}").read_text().splitlines()[1:]]
    places = [row[1].split(":") for row in rows if row[3] == listening]
    assert [host for host, port in places if int(port, 16) == broker.address.port] == ["0100007F"]


@pytest.mark.broker
def test_its_secrets_are_private_and_gone_when_it_stops(broker: RunningBroker, tmp_path: Path) -> None:
    (directory,) = tmp_path.glob("edgert-broker-*")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    secrets = {broker.address.password, broker.client_address.password}
    holding = [file for file in directory.iterdir() if file.is_file() and any(s in file.read_text() for s in secrets)]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in holding)
    pid = broker.pid
    assert pid is not None
    for public in ("cmdline", "environ"):
        text = Path(f"/proc/{pid}/{public}").read_text()
        assert not any(secret in text for secret in secrets)
    assert not any(secret in broker.describe() + repr(broker) for secret in secrets)
    broker.stop()
    broker.stop()
    assert not is_running(pid)
    assert (broker.pid, list(tmp_path.glob("edgert-broker-*"))) == (None, [])
    assert not accepts(broker.address)


@pytest.mark.broker
def test_mosquitto_keeps_only_hashes_of_passwords(private_mosquitto: RunningBroker, tmp_path: Path) -> None:
    (directory,) = tmp_path.glob("edgert-broker-*")
    files = [file for file in directory.iterdir() if file.is_file()]
    assert len(files) >= 3
    for address in (private_mosquitto.address, private_mosquitto.client_address):
        assert not any(address.password in file.read_text() for file in files)


@pytest.mark.broker
def test_a_broker_that_crashes_is_started_again_where_it_was(broker: RunningBroker, connect: Connect) -> None:
    inbox = Inbox()
    connection = connect(broker.address, subscriptions=[(f"{ROOT}/#", 1)], on_message=inbox)
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_until("the loss is noticed", lambda: not connection.ready)
    assert connection.wait_ready(5), connection.last_error
    assert broker.pid not in (None, pid)
    connection.publish(Message(f"{ROOT}/x", b"", qos=1))
    inbox.get()


@pytest.mark.broker
def test_it_dies_with_its_parent(broker: RunningBroker, tmp_path: Path) -> None:
    source = f"""
import threading
from pathlib import Path
from edge_runtime.mqtt.broker import start_broker
running = start_broker(directory=Path({str(tmp_path)!r}), kind={broker.kind!r})
print(running.pid, flush=True)
threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    wait_until("the broker is gone", lambda: not is_running(pid), 3)


@pytest.mark.broker
def test_it_outlives_the_thread_that_asked_for_it(broker: RunningBroker, tmp_path: Path) -> None:
    made: list[RunningBroker] = []
    thread = threading.Thread(target=lambda: made.append(started(broker.kind, tmp_path)))
    thread.start()
    thread.join(10)
    with made[0] as running:
        time.sleep(0.2)  # the kernel would have killed it by now
        assert accepts(running.address)


@pytest.mark.broker
def test_an_exit_without_stop_leaves_nothing(broker: RunningBroker, tmp_path: Path) -> None:
    directory = tmp_path / "of the child"
    source = f"""
from pathlib import Path
from edge_runtime.mqtt.broker import start_broker
running = start_broker(directory=Path({str(directory)!r}), kind={broker.kind!r})
print(running.pid)
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=20, check=True)
    wait_until("the broker is gone", lambda: not is_running(int(done.stdout)), 3)
    assert list(directory.iterdir()) == []


@pytest.mark.broker
def test_it_is_ready_soon(broker: RunningBroker, tmp_path: Path) -> None:
    begun = time.monotonic()
    with started(broker.kind, tmp_path):
        assert time.monotonic() - begun < 3  # 0.05 s (Mosquitto) and 0.2 s (embedded) when nothing else runs


@pytest.mark.broker
def test_mosquitto_is_preferred(tmp_path: Path) -> None:
    with started("mosquitto", tmp_path), start_broker(directory=tmp_path) as second:
        assert second.kind == "mosquitto"
        assert second.describe().startswith("a private Mosquitto on 127.0.0.1:")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No broker in sight; a folder on PATH for fake ones."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setattr(mosquitto, "_MORE_PATH", "")
    monkeypatch.setenv("PATH", f"{programs}")
    monkeypatch.setitem(sys.modules, "iotcore", None)
    return programs


def fake_program(folder: Path, name: str, script: str) -> None:
    """A shell script as a program."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


@pytest.mark.usefixtures("nothing_installed")
def test_without_any_broker_both_remedies_are_named_on_one_line() -> None:
    with pytest.raises(NoBroker) as caught:
        start_broker()
    text = str(caught.value)
    assert "apt install mosquitto" in text
    assert "pip install 'edgert[broker]'" in text
    assert "\n" not in text
    assert caught.value.exit_code == 2


def test_a_broker_that_does_not_start_is_quoted(nothing_installed: Path, tmp_path: Path) -> None:
    fake_program(nothing_installed, "mosquitto", "echo 'Error: the disk is on fire.' >&2; exit 3")
    fake_program(nothing_installed, "mosquitto_passwd", "exit 0")
    with pytest.raises(NoBroker, match="the disk is on fire"):
        start_broker(directory=tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


def test_a_mosquitto_without_its_password_program_is_named(nothing_installed: Path) -> None:
    fake_program(nothing_installed, "mosquitto", "exit 3")
    with pytest.raises(NoBroker, match="without mosquitto_passwd"):
        start_broker()
    fake_program(nothing_installed, "mosquitto_passwd", "echo 'no idea' >&2; exit 1")
    with pytest.raises(NoBroker, match="no idea"):
        start_broker()


@pytest.mark.broker
def test_a_mosquitto_that_does_not_start_makes_room_for_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not embedded.is_installed():
        pytest.skip(NEED_EMBEDDED)
    fake_program(tmp_path, "mosquitto", "exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with start_broker() as running:
        assert running.kind == "embedded"
        assert "every user sees every topic" in running.describe()


@pytest.mark.broker
def test_what_a_client_may_do_on_mosquitto(private_mosquitto: RunningBroker, connect: Connect) -> None:
    heard = Inbox()
    connect(
        private_mosquitto.address,
        "daemon",
        subscriptions=[(f"{ROOT}/#", 1)],
        on_message=heard,
    )
    client = connect(private_mosquitto.client_address, "client")
    allowed = [f"{ROOT}/d/board/req/infer/m", f"{ROOT}/g/all/req/infer/m"]
    forbidden = [f"{ROOT}/r/home/client/1", f"{ROOT}/d/board/status", "homeassistant/device/x/config", "other"]
    for topic in [*forbidden, *allowed]:
        client.publish(Message(topic, b"", qos=1))
    assert client.flush(2)
    assert [heard.get().topic for _ in allowed] == allowed
    assert client.counters.refused == len(forbidden)


@pytest.mark.broker
def test_what_a_client_may_read_on_mosquitto(private_mosquitto: RunningBroker, connect: Connect) -> None:
    heard = Inbox()
    connect(private_mosquitto.client_address, "client", subscriptions=[("#", 1)], on_message=heard)
    daemon = connect(private_mosquitto.address, "daemon")
    readable = [f"{ROOT}/r/home/client/1", *(f"{ROOT}/d/b/{end}" for end in READABLE)]
    hidden = [f"{ROOT}/r/ann/client/1", f"{ROOT}/d/b/req/infer/m", f"{ROOT}/d/b/other"]
    for topic in [*hidden, *readable]:
        daemon.publish(Message(topic, b"", qos=1))
    assert [heard.get().topic for _ in readable] == readable
    assert heard.is_empty()


READABLE = ["status", "info", "model/m", "load", "res/infer/m", "event/camera"]


@pytest.mark.broker
def test_the_daemon_may_announce_itself_to_home_assistant(private_mosquitto: RunningBroker, connect: Connect) -> None:
    daemon = connect(private_mosquitto.address, "daemon")
    daemon.publish(Message("homeassistant/device/edgert_board/config", b"{}", qos=1, retain=True))
    daemon.publish(Message("homeassistant/status", b"online", qos=1))
    assert daemon.flush(2)
    assert daemon.counters.refused == 1  # it reads the status, and only Home Assistant writes it


@pytest.mark.broker
def test_another_root_has_its_own_rights(private_mosquitto: RunningBroker, tmp_path: Path, connect: Connect) -> None:
    assert private_mosquitto.kind == "mosquitto"
    with start_broker(directory=tmp_path, kind="mosquitto", root="house/ai") as running:
        heard = Inbox()
        connect(running.address, "daemon", subscriptions=[("house/ai/#", 1)], on_message=heard)
        client = connect(running.client_address, "client")
        client.publish(Message("house/ai/d/b/req/infer/m", b"", qos=1))
        assert heard.get().topic == "house/ai/d/b/req/infer/m"


@pytest.mark.broker
def test_mqtt_3_is_answered_by_mosquitto_and_not_by_the_embedded_broker(broker: RunningBroker) -> None:
    """Pinned: `docs/` says that MQTT 3.1.1 clients need Mosquitto."""
    connect_without_login = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01c"
    with socket.create_connection((broker.address.host, broker.address.port), 2) as connection:
        connection.sendall(connect_without_login)
        try:
            answer = connection.recv(4)
        except ConnectionError:
            answer = b""
    not_authorized = b"\x20\x02\x00\x05"
    assert answer == (not_authorized if broker.kind == "mosquitto" else b"")


def test_a_probe_of_nothing_is_no() -> None:
    assert not accepts(BrokerAddress("mqtt", "127.0.0.1", free_port()), 0.2)
