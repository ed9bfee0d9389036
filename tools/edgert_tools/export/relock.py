"""`python -m edgert_tools.export.relock NAME`: write `locks/NAME.txt` from `locks/NAME.in` by uv. For developers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PYTHONS = ("3.11", "3.14")
# Its CPU build has another hash on each index; what its CUDA build needs is never installed.
_UNHASHED = "torch"
_LEFT_OUT = re.compile(r"(nvidia|cuda)-|(triton|torch|colorama)==")
_ELSEWHERE = re.compile(r"; .*sys_platform == '(win32|emscripten)'")


def relock(name: str) -> Path:
    """Write one lock; needs uv and a network."""
    folder = Path(__file__).parent / "locks"
    asked = (folder / f"{name}.in").read_text(encoding="utf-8")
    command = ["uv", "pip", "compile", "--universal", "--python-version", PYTHONS[0], "--generate-hashes"]
    command += ["--no-annotate", "--no-header", "--quiet", str(folder / f"{name}.in")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    blocks = re.split(r"\n(?=\S)", found.strip())
    kept = [block for block in blocks if not _LEFT_OUT.match(block) and not _ELSEWHERE.search(block.partition("\n")[0])]
    header = [
        f"# Made of {name}.in by `python -m edgert_tools.export.relock {name}`; a change makes the environment anew.",
        f"# Python {PYTHONS[0]} to {PYTHONS[1]}",
    ]
    without_hash = [line for line in asked.splitlines() if line.startswith(_UNHASHED + "==")]
    file = folder / f"{name}.txt"
    file.write_text("\n".join([*header, *without_hash, *kept]) + "\n", encoding="utf-8")
    return file


if __name__ == "__main__":
    for named in sys.argv[1:]:
        sys.stdout.write(f"{relock(named)}\n")
