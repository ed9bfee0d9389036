"""pip as a program that fills an environment with a lock's packages: what a person sees of it, and clear reasons."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgert_tools.export.lock import Lock
from edgert_tools.progress import Say

INDEX = "EDGERT_TORCH_INDEX"  # index with PyTorch's CPU build, where the default one has CUDA
_CUDA = re.compile(r"(nvidia|cuda)-")
_LOOKING = re.compile(r"^(?:Collecting|Processing) (?:\S*/)?([A-Za-z0-9][\w.]*)")
_LARGE = re.compile(r"^\s*Downloading (?:\S*/)?([^\s/-]+)-(\d[^\s-]*)\S* \((\d[\d.]*) (MB|GB)\)")
_NO_ANSWER = re.compile(
    r"Retrying \(|NewConnectionError|Max retries exceeded|Read timed out|Connection to \S+ timed out"
    r"|NameResolutionError|Connection refused"
)
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_HASH = re.compile(r"THESE PACKAGES DO NOT MATCH THE HASHES")
_MISSING = re.compile(r"No matching distribution found for (\S+)")


def install(lock: Lock, python: Path, say: Say) -> str:
    """Install a lock's packages, and nothing else, into the environment of `python`; why not, or "".

    Hashed requirements are installed by their hashes; the others only by their version.
    """
    reason = _refuse_cuda(lock, python)
    for requirements, options in ((lock.unhashed, _torch_index()), (lock.hashed, ("--require-hashes",))):
        if requirements and not reason:
            reason = _run(requirements, python, options, say)
    return reason


def _torch_index() -> tuple[str, ...]:
    index = os.environ.get(INDEX)
    return ("--index-url", index) if index else ()


def _command(python: Path, *options: str) -> list[str]:
    # The pip of the Python that runs this: an environment without pip is made in a fifth of the time.
    return [
        *(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-input", "--no-deps"),
        *("--disable-pip-version-check", "--only-binary", ":all:", "--timeout", "20", "--retries", "2", *options),
    ]


def _refuse_cuda(lock: Lock, python: Path) -> str:
    """Look at what pip would take for PyTorch before gigabytes of CUDA libraries are missed or fetched."""
    torch = [line for line in lock.unhashed if line.startswith("torch==")]
    if not torch:
        return ""
    command = _command(python, "--dry-run", "--ignore-installed", "--quiet", "--report=-", *_torch_index(), *torch)
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        return _reason(done.stderr.splitlines(), torch)
    items = json.loads(done.stdout)["install"]
    needed = [line for item in items for line in item["metadata"].get("requires_dist", []) if "extra ==" not in line]
    if not any(_CUDA.match(line) for line in needed) or not sys.platform.startswith("linux"):
        return ""
    return (
        "pip's index has only the CUDA build of PyTorch for this machine, several GB more: set "
        f"{INDEX} to the index of the CPU build (in the command that PyTorch's install page shows for CPU)"
    )


def _run(requirements: Sequence[str], python: Path, options: Sequence[str], say: Say) -> str:
    with tempfile.TemporaryDirectory(prefix="edgert-lock-") as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(requirements) + "\n", encoding="utf-8")
        process = subprocess.Popen(
            [*_command(python, *options), "--requirement", str(file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        watch = _Watch(len(requirements), say, sys.stderr.isatty())
        try:
            assert process.stdout is not None
            with process:
                said = [watch.line(line.rstrip()) for line in process.stdout]
        except BaseException:  # Ctrl-C: pip and what it started end with us
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            watch.clear()
    return _reason(said, requirements) if process.returncode else ""


class _Watch:
    """Shows how far pip is: on a terminal which package of how many, always those that are large."""

    def __init__(self, total: int, say: Say, terminal: bool) -> None:
        self._total, self._say, self._terminal, self._seen = total, say, terminal, 0

    def line(self, line: str) -> str:
        """Look at one line of pip's and give it back."""
        if large := _LARGE.match(line):
            self.clear()
            self._say(f"  fetching {large[1]} {large[2]}, {large[3]} {large[4]}")
        elif looking := _LOOKING.match(line):
            self._seen += line.startswith("Collecting")
            self._passing(f"    {min(self._seen, self._total)} of {self._total}: {looking[1]}")
        elif line.startswith("Installing collected packages:"):
            self.clear()
            self._say(f"  unpacking {line.count(',') + 1} packages")
        return line

    def clear(self) -> None:
        """Take the passing line away."""
        self._passing("")

    def _passing(self, text: str) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def _reason(said: Sequence[str], requirements: Sequence[str]) -> str:
    """Why pip gave up, in a line with a remedy."""
    text = "\n".join(said)
    missing = _MISSING.search(text)
    if "No module named pip" in text:
        return "this Python has no pip: run `python -m ensurepip`"
    if _FULL.search(text):
        return "the disk is full: free some gigabytes, or set EDGERT_CACHE (and TMPDIR, for pip) to another disk"
    if _NO_ANSWER.search(text):
        return (
            "no package index answered: check the network and pip's settings, or copy the edgert cache folder of a "
            "machine of this kind that has it and set EDGERT_CACHE to it"
        )
    if _HASH.search(text):
        return "a package has another hash than the locked one: check pip's index (a mirror that builds its own?)"
    if missing:
        machine = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {os.uname().machine}"
        return f"pip's index has no {missing[1]} for {machine}: check pip's settings, or use another Python"
    errors = [line.strip() for line in said if line.strip().lower().startswith("error:")]
    told = errors[-1][:300] if errors else (text.strip()[-300:] or "pip said nothing")
    return f"pip stopped at {requirements[0].split(' ')[0]} or after it: {told}"
