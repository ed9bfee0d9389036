"""`edgert up` as a person uses it: it starts a broker, prints lines that work when pasted, and cleans up."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime.commands.ask import ask
from edge_runtime.model import KINDS
from edge_runtime.mqtt.address import BrokerAddress
from edge_runtime.mqtt.contract import parse
from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.topics import Topics
from edge_runtime.up import lines_to_try
from tests import served, tiny
from tests.brokers import started

pytestmark = pytest.mark.broker

WAIT_S = 20.0
# What `edgert` is on a machine without Mosquitto.
NO_MOSQUITTO = """
from edge_runtime.mqtt.broker import mosquitto
mosquitto.find = lambda: None
from edge_runtime.cli import main
main()
"""


@dataclass
class Home:
    """A running `edgert up`, what it said, and the environment of the terminal beside it."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    said: list[str]

    def paste(self, line: str) -> str:
        """Run a line as the other terminal would; its stdout."""
        done = subprocess.run(["sh", "-c", line], env=self.environment, capture_output=True, text=True, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def line(self, start: str) -> str:
        """The printed line to try that starts so."""
        return next(line.strip() for line in self.said if line.strip().startswith(start))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """This process's environment with a runtime folder of its own and `edgert` on the PATH."""
    for name in ("runtime", "bin"):
        (tmp_path / name).mkdir(mode=0o700)
    script = tmp_path / "bin" / "edgert"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(served.EDGERT)} "$@"\n')
    script.chmod(0o755)
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    return {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path / "runtime"), "PATH": path}


@pytest.fixture(params=["mosquitto", "embedded"])
def home(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> Iterator[Home]:
    started(request.param, Path(tempfile.gettempdir())).stop()  # skips the test where it is not installed
    edgert = served.EDGERT if request.param == "mosquitto" else [sys.executable, "-c", NO_MOSQUITTO]
    bundle = tiny.write_bundle(tmp_path / "bundle")
    command = [*edgert, "up", "--bundle", str(bundle), "--device", "home-test"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line.rstrip("\n"))
        if line.startswith("Ctrl-C"):
            break
    yield Home(process, environment, said)
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_it_says_which_broker_it_took_and_the_printed_lines_work(home: Home) -> None:
    broker = next(line for line in home.said if line.startswith("broker: "))
    assert home.line("edgert ask").startswith("edgert ask tiny ")
    assert any(label in home.paste(home.line("edgert ask")) for label in tiny.LABELS)
    assert json.loads(home.paste(home.line("mosquitto_rr")))["label"] in tiny.LABELS
    if "Mosquitto on" in broker:
        both = (
            f"{home.line('mosquitto_sub').removesuffix('&')} -C 1 -W 10 & sleep 1; {home.line('mosquitto_pub')}; wait"
        )
        assert json.loads(home.paste(both))["status"] == "ok"
    else:  # MQTT 5 only, so no lines for 3.1.1 clients
        assert not any("mosquitto_pub" in line for line in home.said)


def test_ask_and_models_find_it_without_a_word_about_the_broker(home: Home) -> None:
    body = json.loads(home.paste("edgert ask tiny 'turn on' 'close' --json"))
    assert [row["label"] in tiny.LABELS for row in body["results"]] == [True, True]
    (model,) = json.loads(home.paste("edgert models --json"))
    assert (model["device"], model["model"], model["online"]) == ("home-test", "tiny", True)
    assert "tiny" in home.paste("edgert models")


def test_the_note_is_private_and_ctrl_c_removes_all(home: Home) -> None:
    note = Path(home.environment["XDG_RUNTIME_DIR"]) / "edgert-up.json"
    assert note.stat().st_mode & 0o777 == 0o600
    port = int(json.loads(note.read_text())["url"].rpartition(":")[2])
    home.process.send_signal(signal.SIGINT)
    assert home.process.wait(WAIT_S) == 0
    assert not note.exists()
    done = subprocess.run(
        [*served.EDGERT, "ask", "tiny", "x", "--broker", f"mqtt://127.0.0.1:{port}", "--timeout", "1"],
        env=home.environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "refused" in done.stderr) == (1, True)


def test_the_passwords_are_on_no_command_line(home: Home) -> None:
    note = Path(home.environment["XDG_RUNTIME_DIR"]) / "edgert-up.json"
    password = json.loads(note.read_text())["url"].split("@")[0].rpartition(":")[2]
    commands = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(entry.read_bytes())
        except OSError:
            continue  # ended meanwhile
    assert len(password) >= 16
    assert not any(password.encode() in command for command in commands)


def test_a_broker_by_url_is_used_and_left_running(environment: dict[str, str], tmp_path: Path) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    with served.broker("mosquitto") as broker:
        command = [*served.EDGERT, "up", "--bundle", str(bundle), "--broker", broker.address.url()]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("Ctrl-C"):
                break
        process.terminate()
        process.communicate(timeout=WAIT_S)
        assert "as given" in said
        assert process.returncode == 0
        served_again = served.daemon(broker.address, [bundle])
        with served_again:
            served.wait_online(broker.client_address)


def test_a_stale_note_is_not_followed(environment: dict[str, str]) -> None:
    note = Path(environment["XDG_RUNTIME_DIR"]) / "edgert-up.json"
    ended = subprocess.Popen(["true"])
    ended.wait()
    note.write_text(json.dumps({"pid": ended.pid, "url": "mqtt://127.0.0.1:9"}))
    done = subprocess.run(
        [*served.EDGERT, "ask", "tiny", "x", "--timeout", "0.3"], env=environment, capture_output=True, text=True
    )
    assert "127.0.0.1:9:" not in done.stderr
    assert "mqtt://127.0.0.1" in done.stderr


def test_without_a_place_for_the_note_the_lines_to_paste_name_the_broker(
    environment: dict[str, str], tmp_path: Path
) -> None:
    bundle = tiny.write_bundle(tmp_path / "bündle mit ü")
    with served.broker("mosquitto") as broker:
        command = [*served.EDGERT, "up", "--bundle", str(bundle), "--broker", broker.address.url()]
        nowhere = {**environment, "XDG_RUNTIME_DIR": "/proc/no-such-folder"}
        process = subprocess.Popen(command, env=nowhere, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line.strip())
            if line.startswith("Ctrl-C"):
                break
        ask = next(line for line in said if line.startswith("edgert ask"))
        assert broker.address.url() in ask
        process.terminate()
        process.communicate(timeout=WAIT_S)
        assert process.returncode == 0


@pytest.mark.parametrize("task", sorted(KINDS))
def test_the_lines_to_paste_ask_a_model_what_it_can_be_asked(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes, topics = KINDS[task].takes, Topics("hub")
    lines = lines_to_try(BrokerAddress("mqtt", "127.0.0.1", 1883), topics, "tiny", takes, only_mqtt_5=False)
    for file in ("numbers.npz", "sound.wav", "picture.jpg"):
        (tmp_path / file).touch()
    monkeypatch.chdir(tmp_path)
    program, name, *arguments = shlex.split(lines[0])
    assert (program, name) == ("edgert", "ask")
    ask.make_context("ask", arguments)  # raises click's UsageError
    if takes.words == "none":
        assert len(lines) == 1
        return
    payloads = [shlex.split(line.removesuffix("&"))[-1].encode() for line in lines if " -m " in line]
    assert len(payloads) == 2
    for payload in payloads:
        parse(Message(topics.infer("tiny"), payload), topics, 1 << 20, lambda _: takes)  # raises Refused
