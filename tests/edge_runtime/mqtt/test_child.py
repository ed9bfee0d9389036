"""Supervision of a child process, with shell scripts as children."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.mqtt.broker.child import RESTARTS, Child, ChildFailed
from tests.brokers import wait_until


def shell(script: str, folder: Path, **keywords: dict[str, str]) -> Child:
    return Child("script", ["/bin/sh", "-c", script], folder / "log", **keywords)


def test_a_child_that_ends_before_it_is_ready_is_quoted_and_not_started_again(tmp_path: Path) -> None:
    child = shell("echo one; echo two >&2; exit 7", tmp_path)
    with pytest.raises(ChildFailed, match=r"script ended at once: one \| two"):
        child.start(lambda: False, 5)
    assert child.pid is None


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    child = Child("script", ["/nowhere/broker"], tmp_path / "log")
    with pytest.raises(ChildFailed, match=r"FileNotFoundError.*No such file"):
        child.start(lambda: False, 5)


def test_a_machine_that_refuses_to_start_processes_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ChildFailed, match=r"cannot start /nowhere/python: No such file"):
        Child("script", ["/bin/true"], tmp_path / "log").start(lambda: False, 5)


def test_a_child_that_never_becomes_ready_is_ended(tmp_path: Path) -> None:
    child = shell("echo hm; exec sleep 60", tmp_path)
    with pytest.raises(ChildFailed, match=r"not ready in 0.3 s: hm"):
        child.start(lambda: False, 0.3)
    assert child.pid is None


def test_an_interrupt_while_it_starts_ends_it(tmp_path: Path) -> None:
    child = shell("exec sleep 60", tmp_path)

    def interrupted() -> bool:
        wait_until("it runs", lambda: child.pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        child.start(interrupted, 5)
    assert child.pid is None


def test_a_child_that_ends_later_is_started_again_until_it_keeps_ending(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    child = shell(f"echo started >> {tmp_path}/runs; sleep 0.2; echo why", tmp_path)
    child.start((tmp_path / "runs").exists, 5)
    wait_until("it is given up", lambda: "keeps ending" in caplog.text)
    assert len((tmp_path / "runs").read_text().splitlines()) == RESTARTS
    assert "why" in caplog.text
    child.stop()


def test_a_child_that_ignores_the_gentle_end_is_killed(tmp_path: Path) -> None:
    child = shell(f"trap '' TERM; echo ready > {tmp_path}/ready; while :; do sleep 1; done", tmp_path)
    child.start((tmp_path / "ready").exists, 5)
    begun = time.monotonic()
    child.stop(timeout_s=0.2)
    assert child.pid is None
    assert time.monotonic() - begun < 2


def test_stopped_it_stays_stopped(tmp_path: Path) -> None:
    child = shell(f"echo started >> {tmp_path}/runs; exec sleep 60", tmp_path)
    child.start(lambda: (tmp_path / "runs").exists() and (tmp_path / "runs").read_text() != "", 5)
    child.stop()
    child.stop()
    time.sleep(0.3)  # three times the pause before a restart
    assert (tmp_path / "runs").read_text() == "started\n"


def test_an_interrupt_of_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    child = shell(f"echo ready > {tmp_path}/ready; exec sleep 60", tmp_path)
    child.start((tmp_path / "ready").exists, 5)
    assert child.pid is not None
    assert os.getpgid(child.pid) != os.getpgid(0)
    child.stop()


def test_the_environment_reaches_it(tmp_path: Path) -> None:
    child = shell(f"echo $COLOUR > {tmp_path}/colour; exec sleep 60", tmp_path, environment={"COLOUR": "blue"})
    child.start(lambda: (tmp_path / "colour").exists() and (tmp_path / "colour").read_text() == "blue\n", 5)
    child.stop()
