"""Peers: installed apart or a reason why not, started until they answer, ended with all their children."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.service_parts import peer_venv, peers
from benchmarks.service_parts.http_load import HttpConnections
from benchmarks.service_parts.infinity_folder import infinity_folder
from benchmarks.service_parts.peer_settings import BUNDLE, THREADS
from benchmarks.service_parts.peer_venv import NoPeer, one_line, peer_python
from benchmarks.service_parts.peers import Peer, served_by
from benchmarks.service_parts.served_model import ServedModel
from edge_runtime.pipeline import open_pipeline
from tests.tiny import write_bundle

TEXTS = ["turn on the light", "close the kitchen blind please", "up"]
# Answers with what it was told, from a process that has a child of its own.
ECHO = """
import http.server, json, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        told = {name: os.environ.get(name) for name in ("EDGERT_BENCH_BUNDLE", "EDGERT_BENCH_THREADS", "PYTHONPATH")}
        body = json.dumps({**told, "child": child.pid, "cwd": os.getcwd()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"""


@pytest.fixture
def this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers run with the Python of the tests: nothing is installed."""
    monkeypatch.setattr(peers, "peer_python", lambda *_, **__: Path(sys.executable))


def _peer(script: str) -> Peer:
    return Peer("fake", ("fake==1.5",), lambda port, _bundle, _work: ["-c", script, str(port)])


@pytest.mark.usefixtures("this_python")
def test_a_peer_is_told_its_bundle_and_threads_and_leaves_no_child_behind(tmp_path: Path) -> None:
    peer = _peer(ECHO)
    with served_by(peer, tmp_path, threads=3) as port, HttpConnections(port, peer.path, peer.body, 1) as connection:
        told = json.loads(connection.run(["hello"]).bodies[0])
    assert told[BUNDLE] == str(tmp_path.resolve())
    assert told[THREADS] == "3"
    assert not Path(told["cwd"]).exists()
    _wait_until_gone(told["child"])


def _wait_until_gone(pid: int) -> None:
    """Return when the process is dead, though init may not have reaped it yet."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            return
        os.sched_yield()
    pytest.fail(f"process {pid} still runs")


@pytest.mark.usefixtures("this_python")
def test_a_peer_that_ends_at_once_says_its_last_line(tmp_path: Path) -> None:
    with (
        pytest.raises(NoPeer, match="it does not start: no model here"),
        served_by(_peer("import sys; sys.exit('starting\\nno model here')"), tmp_path),
    ):
        pass


def test_a_peer_that_no_index_has_is_a_reason_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(peer_venv, "make_venv", lambda venv, reuse: _link_venv(venv))
    with pytest.raises(NoPeer, match=r"could not get no-such-server==1\.0"):
        peer_python("no-such-server", ("no-such-server==1.0",))
    assert list(tmp_path.rglob("*")) == []


def _link_venv(venv: Path) -> None:
    """In place of an environment: the Python of the tests, whose pip refuses before it writes."""
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)


def test_an_environment_in_the_cache_is_used_again_unless_the_pins_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path))
    made: list[tuple[str, ...]] = []

    def make(folder: Path, requirements: tuple[str, ...], torch: list[str], torch_index: str) -> None:
        made.append(requirements)
        _link_venv(folder)

    monkeypatch.setattr(peer_venv, "_make", make)
    first = peer_python("server", ("server==1.0", "engine==2"))
    assert peer_python("server", ("server==1.0", "engine==2")) == first
    assert peer_python("server", ("server==1.0", "engine==3")) != first
    assert made == [("server==1.0", "engine==2"), ("server==1.0", "engine==3")]


@pytest.mark.parametrize(
    ("said", "line"),
    [("\n could not get a==1: no index\n  check it", "could not get a==1: no index"), ("\n", "no reason given")],
)
def test_a_reason_fits_a_cell(said: str, line: str) -> None:
    assert one_line(said) == line
    assert len(one_line("x" * 1000)) <= 160


def test_every_peer_is_pinned() -> None:
    for peer in peers.peers():
        assert all(requirement.count("==") == 1 for requirement in peer.requirements), peer.name
        assert peer.title.split()[-1][0].isdigit()


@pytest.mark.parametrize("threads", ["0", "1"])
@pytest.mark.parametrize("task", ["embed", "classify"])
def test_the_peers_model_answers_as_edgert_does_alone_and_in_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, threads: str
) -> None:
    bundle = write_bundle(tmp_path / "tiny", task)
    monkeypatch.setenv(BUNDLE, str(bundle))
    monkeypatch.setenv(THREADS, threads)
    pipeline, model = open_pipeline(bundle), ServedModel()
    alone = [model.answer([text])[0] for text in TEXTS]
    for text, answer in zip(TEXTS, alone, strict=True):
        values = pipeline.vectors([text])[0]
        if task == "embed":
            assert answer["embedding"] == pytest.approx(values, abs=1e-6)
        else:
            assert answer["label"] == pipeline.manifest.task.labels[int(values.argmax())]
            assert answer["score"] == pytest.approx(float(values.max()), abs=1e-5)
    if task == "embed":  # the tiny classifier averages padding, too
        for one, together in zip(alone, model.answer(TEXTS), strict=True):
            assert together["embedding"] == pytest.approx(one["embedding"], abs=1e-6)


def test_infinity_gets_the_bundles_own_files(tmp_path: Path) -> None:
    bundle, folder = write_bundle(tmp_path / "tiny", "embed"), tmp_path / "model"
    folder.mkdir()
    infinity_folder(bundle, folder)
    assert (folder / "model.onnx").samefile(bundle / "model.onnx")
    assert (folder / "tokenizer.json").samefile(bundle / "tokenizer.json")
    config = json.loads((folder / "config.json").read_text())
    assert (config["architectures"], config["hidden_size"]) == (["BertModel"], 16)
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 64
