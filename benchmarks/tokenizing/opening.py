"""Opening and compiling in fresh processes: what a board waits for and how much memory it holds afterwards."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.tokenizing import goals
from benchmarks.tokenizing.rows import Row

TEXT = "turn on the lights"
ROOT = Path(__file__).resolve().parent.parent.parent


def measure_opening(name: str, path: Path, compiled: Path, peer: str, repeats: int) -> list[Row]:
    """Four rows: time and private memory of opening, time and peak memory of compiling."""
    figures: dict[str, list[dict[str, float]]] = {"theirs": [], "open": [], "compile": []}
    for _ in range(repeats):
        figures["theirs"].append(_in_child("theirs", path))
        figures["open"].append(_in_child("open", compiled))
        figures["compile"].append(_in_child("compile", path))

    def median(which: str, what: str) -> float:
        return statistics.median(figure[what] for figure in figures[which])

    theirs_ms, theirs_mb = median("theirs", "ms"), median("theirs", "peak MB")
    return [
        Row(name, "open", "ms", peer, theirs_ms, median("open", "ms"), goal=goals.OPEN_MS),
        Row(name, "open, then one text", "ms", peer, median("theirs", "first ms"), median("open", "first ms")),
        Row(
            name,
            "open: private memory",
            "MB",
            peer,
            median("theirs", "private MB"),
            median("open", "private MB"),
            goal=goals.OPEN_MB,
        ),
        Row(name, "compile, they load", "ms", peer, theirs_ms, median("compile", "ms"), goal=goals.COMPILE_TIME),
        Row(
            name,
            "compile, they load: peak memory",
            "MB",
            peer,
            theirs_mb,
            median("compile", "peak MB"),
            goal=goals.COMPILE_MEMORY,
        ),
    ]


def _in_child(which: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-c", "from benchmarks.tokenizing.opening import child; child()", which, str(path)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def child() -> None:
    """Do one thing in this fresh process and print its figures; imports are not part of them."""
    which, path = sys.argv[1], Path(sys.argv[2])
    open_one, encode = {"theirs": _theirs, "open": _open, "compile": _compile}[which](path)
    before, resident = _private_mb(), _status_mb("VmRSS")
    started = time.process_time()
    opened = open_one()
    done = time.process_time()
    private = _private_mb() - before
    peak = _status_mb("VmHWM") - resident
    encode(opened)
    first = time.process_time()
    figures = {"ms": done - started, "first ms": first - started}
    print(json.dumps({name: value * 1e3 for name, value in figures.items()} | {"private MB": private, "peak MB": peak}))


Opener = tuple[Callable[[], object], Callable[[object], object]]


def _theirs(path: Path) -> Opener:
    from tokenizers import Tokenizer

    return lambda: Tokenizer.from_file(str(path)), lambda tokenizer: tokenizer.encode(TEXT)


def _open(path: Path) -> Opener:
    from benchmarks.tokenizing import ours

    return lambda: ours.opened(path), lambda tokenizer: tokenizer.encode_batch([TEXT], 512)


def _compile(path: Path) -> Opener:
    from edge_runtime.tokenizer.compiled import compile_tokenizer

    target = path.with_suffix(f".{os.getpid()}.edgert")
    return lambda: compile_tokenizer(path, target), lambda _: target.unlink()


def _private_mb() -> float:
    """Memory that no other process can share: dirty pages of this one, in MB (10^6 bytes)."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) * 1024 / 1e6


def _status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field + ":")) * 1024 / 1e6
