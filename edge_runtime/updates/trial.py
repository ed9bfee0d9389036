"""Trying a bundle where it can do no harm: its golden rows, in a process of their own, with a limit on the time.

A bad model may end its process, hang, or take all memory. `python -m edge_runtime.updates.trial FOLDER THREADS LIMIT_S`
loads the bundle, runs the rows, prints one JSON object and ends; after the limit it ends in any case, even if nobody
waits for it any more.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edge_runtime.bundle.errors import TrialFailed
from edge_runtime.errors import EdgertError

_MOST_SAID = 300  # characters of what a process said that ended badly
_LOOK_S = 0.2  # how often it is looked whether whoever waits was told to stop


class TrialLeft(Exception):
    """The daemon stops: the trial has no outcome."""


def run_trial(folder: Path, threads: int, limit_s: float, stopped: Callable[[], bool]) -> str:
    """Try a bundle in a process of its own.

    Args:
        folder: of the bundle.
        threads: of the engine; 0 lets it choose.
        limit_s: for loading and all rows together.
        stopped: whether the outcome is not wanted any more.

    Returns:
        How well it did, for people.

    Raises:
        TrialFailed: a wrong answer, a bundle that does not load, a process that ended or did not end.
        TrialLeft: it was stopped.
    """
    command = [sys.executable, "-m", __name__, str(folder), str(threads), str(limit_s)]
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    except OSError as error:
        raise TrialFailed(f"cannot start a process to try it in: {error.strerror}") from error
    with process:
        try:
            out, err = _ended(process, limit_s, stopped)
        finally:
            process.kill()
    try:
        said = json.loads(out)
        outcome, detail = bool(said["ok"]), str(said["said"])
    except (ValueError, KeyError, TypeError):
        outcome, detail = False, _how_it_ended(process.returncode, err)
    if not outcome:
        raise TrialFailed(detail)
    return detail


def _ended(process: subprocess.Popen[str], limit_s: float, stopped: Callable[[], bool]) -> tuple[str, str]:
    """What the process wrote, when it has ended."""
    end_s = time.monotonic() + limit_s
    while True:
        try:
            return process.communicate(timeout=_LOOK_S)
        except subprocess.TimeoutExpired as error:
            if stopped():
                raise TrialLeft from error
            if time.monotonic() >= end_s:
                said = f"golden rows were not done in {limit_s:g} s: updates.trial_s sets the limit"
                raise TrialFailed(said) from error


def _how_it_ended(status: int, err: str) -> str:
    how = f"by signal {-status}" if status < 0 else f"with status {status}"
    last = (err.strip().splitlines() or ["nothing was said"])[-1]
    return f"the process that tried it ended {how}: {last[:_MOST_SAID]}"


def _try(folder: Path, threads: int) -> dict[str, object]:
    from edge_runtime.model import open_model
    from edge_runtime.selftest import run_golden

    try:
        model = open_model(folder, threads)
        model.warm_up()
        test = run_golden(model, folder)
    except EdgertError as error:
        return {"ok": False, "said": f"{error.code}: {error}"}
    return {"ok": True, "said": f"{test.rows} golden rows agree, {test.measure} {test.worst:.6f}"}


if __name__ == "__main__":
    signal.setitimer(signal.ITIMER_REAL, float(sys.argv[3]) + 5)  # SIGALRM ends the process
    sys.stdout.write(json.dumps(_try(Path(sys.argv[1]), int(sys.argv[2]))))
