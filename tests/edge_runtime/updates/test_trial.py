"""Trying a bundle in a process of its own: whatever happens in there, here comes a reason."""

from __future__ import annotations

import shutil
import sys
import threading
from pathlib import Path

import pytest

from edge_runtime.bundle.errors import TrialFailed
from edge_runtime.updates import trial
from edge_runtime.updates.trial import TrialLeft, run_trial
from tests import tiny
from tests.edge_runtime.test_keeper import broken

LIMIT_S = 60.0


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_bundle(tmp_path_factory.mktemp("trial") / "bundle")


def never() -> bool:
    return False


def test_a_good_bundle_says_how_good(bundle: Path) -> None:
    assert run_trial(bundle, 1, LIMIT_S, never).startswith("3 golden rows agree, largest probability gap 0.0")


def test_a_bundle_that_answers_something_else_fails_with_the_difference(bundle: Path, tmp_path: Path) -> None:
    bad = broken(bundle, tmp_path / "bad")
    with pytest.raises(TrialFailed, match="golden_mismatch: 'turn on the light' gives"):
        run_trial(bad, 1, LIMIT_S, never)


def test_a_damaged_bundle_fails_with_what_is_wrong(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "bad")
    (tmp_path / "bad" / "model.onnx").write_bytes(b"x")
    with pytest.raises(TrialFailed, match=r"bundle_file_altered: 'model\.onnx'"):
        run_trial(tmp_path / "bad", 1, LIMIT_S, never)


class Child:
    """A program in place of the one that tries."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str) -> None:
        script = tmp_path / "child.py"
        script.write_text(f"import os, signal, sys, time\n{source}\n")
        starter = tmp_path / "python"
        starter.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        starter.chmod(0o755)
        monkeypatch.setattr(trial.sys, "executable", str(starter))


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by signal 9: nothing was said"),
        ("os.abort()", "ended by signal 6"),
        ("sys.exit('no such operator')", "ended with status 1: no such operator"),
        ("print('hello')", "ended with status 0"),
        ("print('{\"ok\": true}')", "ended with status 0"),
        ("print('[]')", "ended with status 0"),
    ],
)
def test_a_process_that_ends_badly_is_a_trial_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, complaint: str
) -> None:
    Child(monkeypatch, tmp_path, source)
    with pytest.raises(TrialFailed, match=complaint):
        run_trial(tmp_path, 1, LIMIT_S, never)


def test_a_process_that_hangs_is_ended_after_the_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    Child(monkeypatch, tmp_path, f"open({str(pid)!r}, 'w').write(str(os.getpid())); signal.pause()")
    with pytest.raises(TrialFailed, match=r"not done in 2 s: updates\.trial_s"):
        run_trial(tmp_path, 1, 2.0, never)
    assert not Path(f"/proc/{pid.read_text()}").exists()


def test_a_daemon_that_stops_does_not_wait_for_a_trial(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    Child(monkeypatch, tmp_path, "signal.pause()")
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(TrialLeft):
        run_trial(tmp_path, 1, LIMIT_S, stopped.is_set)


def test_a_process_that_cannot_be_started_is_a_trial_that_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trial.sys, "executable", str(tmp_path / "none"))
    with pytest.raises(TrialFailed, match="cannot start a process"):
        run_trial(tmp_path, 1, LIMIT_S, never)
