"""The command line: exit status, error lines, JSON, and what each command prints."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.cli import COMMANDS
from tests import served, tiny
from tests.command import run


@pytest.fixture(params=["embed", "classify"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "bundle", request.param)


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(name in out for name in COMMANDS)


def test_an_unknown_command_is_used_wrongly(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "bake")
    assert status == 2
    assert "bake" in err


def test_inspect_shows_the_bundle(capsys: pytest.CaptureFixture[str], bundle: Path) -> None:
    status, out, _ = run(capsys, "inspect", str(bundle))
    assert status == 0
    assert "tiny 1.2.3" in out
    assert "model.onnx" in out
    assert "Apache-2.0" in out


def test_inspect_gives_the_manifest_to_machines(capsys: pytest.CaptureFixture[str], bundle: Path) -> None:
    _, out, _ = run(capsys, "inspect", str(bundle), "--json")
    assert json.loads(out) == json.loads((bundle / "manifest.json").read_text())


def test_verify_runs_the_golden_rows(capsys: pytest.CaptureFixture[str], bundle: Path) -> None:
    status, out, _ = run(capsys, "verify", str(bundle))
    assert status == 0
    assert "3 of 3 golden rows agree" in out
    status, out, _ = run(capsys, "verify", str(bundle), "--json")
    assert json.loads(out)["rows"] == 3


@pytest.mark.parametrize("command", ["inspect", "verify", "serve", "up"])
def test_an_altered_bundle_is_refused_by_every_command(
    capsys: pytest.CaptureFixture[str], bundle: Path, command: str
) -> None:
    (bundle / "tokenizer.json").write_text("{}")
    arguments = [command, *(["--bundle"] if command in ("serve", "up") else []), str(bundle)]
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (1, "")
    assert "tokenizer.json" in err.splitlines()[-1]


def test_errors_are_json_when_asked_for(capsys: pytest.CaptureFixture[str], bundle: Path) -> None:
    (bundle / "extra").write_text("x")
    status, out, _ = run(capsys, "inspect", str(bundle), "--json")
    assert status == 1
    assert json.loads(out)["error"]["reason"] == "bundle_file_extra"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["inspect", "no-such-folder"], "no-such-folder"),
        (["serve"], "--bundle"),
        (["ask", "tiny"], "TEXT"),
        (["ask", "tiny", "x", "--broker", "http://hub"], "mqtt://"),
        (["serve", "--bundle", ".", "--device", "living room"], "living room"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert says in err


def test_no_broker_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "ask", "tiny", "x", "--broker", "mqtt://127.0.0.1:9", "--timeout", "0.5")
    assert status == 1
    assert "127.0.0.1:9" in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "no-such-folder"],
        ["inspect"],
        ["bake"],
        ["ask", "tiny"],
        ["ask", "tiny", "x", "--timeout", "soon"],
        ["models", "--broker", "http://hub"],
    ],
)
def test_wrong_use_is_json_too_when_asked_for(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = run(capsys, *arguments, "--json")
    assert status == 2
    error = json.loads(out)["error"]
    assert (error["reason"], error["code"]) == ("usage", 400)
    assert error["message"] in err


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "0", "1e9"])
def test_a_timeout_that_is_no_time_is_refused(capsys: pytest.CaptureFixture[str], seconds: str) -> None:
    status, _, err = run(capsys, "ask", "tiny", "x", "--broker", "mqtt://127.0.0.1:9", "--timeout", seconds)
    assert status == 2
    assert "--timeout" in err


@pytest.mark.parametrize("unbuffered", ["", "1"])  # "" as people run it: all is written at the end
@pytest.mark.parametrize("sink", ["/dev/full", "a pipe that nobody reads"])
def test_output_that_cannot_be_written_is_no_traceback(bundle: Path, sink: str, unbuffered: str) -> None:
    if sink == "/dev/full":
        descriptor = os.open(sink, os.O_WRONLY)
    else:
        unread, descriptor = os.pipe()
        os.close(unread)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [*served.EDGERT, "inspect", str(bundle)]
    done = subprocess.run(command, env=environment, stdout=descriptor, stderr=subprocess.PIPE, text=True)
    os.close(descriptor)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) <= 1


def test_ctrl_c_while_modules_are_imported_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([*served.EDGERT, "--help"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_terminal_that_lacks_the_letters_gets_others(bundle: Path) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["source"]["license"] = "Lizenz für 中文"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*served.EDGERT, "inspect", str(bundle)], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Lizenz f" in done.stdout
