"""An exporter in a process of its own: what it says comes through, and it never outlives who asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime.errors import UnsupportedModel
from edgert_tools.export.process import Call, run

HERE = Path(sys.executable)
SIDE = """
import os, signal, sys, time
class Refused(Exception):
    what, why, remedy = "the graph cannot be built", "node /x is a Mystery", "take another model"
def adds(say, *, first, second):
    print("chatter that is no answer")
    os.write(1, b"nor is this\\n")
    say("adding"); say("nearly there")
    return {"sum": first + second, "isolated": sys.flags.isolated, "hub": os.environ["HF_HUB_OFFLINE"],
            "path": os.environ.get("PYTHONPATH")}
def refuses(say): raise Refused
def fails(say): raise RuntimeError("no  such\\nthing")
def dies(say): sys.stderr.write("first\\nlast words\\n"); sys.stderr.flush(); os._exit(7)
def is_killed(say): os.kill(os.getpid(), signal.SIGKILL)
def waits(say, *, mark):
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    open(mark, "w").write(f"{os.getpid()} {child.pid}")
    say("waiting")
    time.sleep(600)
"""


@pytest.fixture
def side(tmp_path: Path) -> Path:
    file = tmp_path / "side.py"
    file.write_text(SIDE)
    return file


def call(side: Path, function: str, **arguments: object) -> Call:
    return Call(str(side), function, arguments)


def unheard(line: str) -> None:
    """Progress that nobody reads."""


def test_a_result_comes_back_with_progress_and_no_chatter(side: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    said: list[str] = []
    found = run(HERE, call(side, "adds", first=2, second=3), said.append)
    assert found == {"sum": 5, "isolated": 1, "hub": "1", "path": None}
    assert said == ["adding", "nearly there"]


def test_a_refusal_says_what_why_and_the_remedy(side: Path) -> None:
    told = "the graph cannot be built: node /x is a Mystery: take another model"
    with pytest.raises(UnsupportedModel, match=told):
        run(HERE, call(side, "refuses"), unheard)


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("fails", r"the exporter stopped \(RuntimeError\): no such thing"),
        ("dies", "ended with status 7: last words"),
        ("is_killed", "want of memory"),
        ("not_there", "AttributeError"),
    ],
)
def test_a_child_that_fails_is_one_clear_line(side: Path, function: str, told: str) -> None:
    with pytest.raises(UnsupportedModel, match=told) as refused:
        run(HERE, call(side, function), unheard)
    assert "\n" not in str(refused.value)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids: list[int], within_s: float = 20) -> bool:
    limit = time.monotonic() + within_s
    while any(map(is_running, pids)) and time.monotonic() < limit:
        time.sleep(0.02)
    return not any(map(is_running, pids))


class Interrupt(Exception):
    """Stands for Ctrl-C, which arrives in between two lines."""


def test_what_interrupts_the_parent_ends_the_child_and_what_it_started(side: Path, tmp_path: Path) -> None:
    mark = tmp_path / "pids"

    def interrupted(line: str) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        run(HERE, call(side, "waits", mark=str(mark)), interrupted)
    assert gone(list(map(int, mark.read_text().split())))


def test_a_parent_that_is_killed_takes_its_child_along(side: Path, tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    program = (
        "import sys\nfrom pathlib import Path\nfrom edgert_tools.export.process import Call, run\n"
        f"asked = Call({str(side)!r}, 'waits', {{'mark': {str(mark)!r}}})\n"
        "run(Path(sys.executable), asked, lambda line: print(line, flush=True))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "waiting\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()
    assert gone(list(map(int, mark.read_text().split())))
