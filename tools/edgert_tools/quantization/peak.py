"""How much memory a bundle takes at most, in a process of its own that answers texts as a board would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TEXTS = 4  # the longest ones
_LIMIT_S = 300
_HIGH_WATER = "VmHWM:"


def peak_bytes(folder: Path, texts: Sequence[str]) -> int | None:
    """The most resident memory, interpreter and libraries included; None where the kernel does not tell, or it failed.

    Args:
        folder: a bundle.
        texts: the longest few of them are asked, one after the other.
    """
    longest = sorted(texts, key=len)[-TEXTS:]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "edgert_tools.quantization.peak", str(folder)]
    done = subprocess.run(
        command,
        input=json.dumps(longest),
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else None


def _child(folder: Path) -> int:
    """Load, answer, and read this process's own high-water mark; getrusage would tell the parent's."""
    from edge_runtime.pipeline import open_pipeline

    pipeline = open_pipeline(folder, threads=1)
    for text in json.loads(sys.stdin.read()):
        pipeline.run([text], truncate=True)
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    kilobytes = next(line.removeprefix(_HIGH_WATER).split()[0] for line in lines if line.startswith(_HIGH_WATER))
    return 1024 * int(kilobytes)


if __name__ == "__main__":
    sys.stdout.write(f"{_child(Path(sys.argv[1]))}\n")
