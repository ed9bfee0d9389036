"""pip as `setup_venv.py` runs it: what a person sees of it, clear errors, and no CUDA build by surprise.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CUDA_DISTRIBUTION = re.compile(r"(nvidia|cuda)-|(pytorch-)?triton\b")
# What pip says. "is ignored" comes for each local index folder that lacks a package: never the cause of anything.
HARMLESS = re.compile(r"WARNING: Location '.*' is ignored:")
LARGE_FILE = re.compile(r"^\s*Downloading (?:\S*/)?([^\s/-]+)-(\d[^\s-]*)\S* \((\d[\d.]* MB)\)$")
PROGRESS = re.compile(r"^Progress (\d+) of ([1-9]\d*)$")  # bytes, as `--progress-bar=raw` prints them
LOOKING_AT = re.compile(r"^(?:Collecting|Processing) (?:\S*/)?([A-Za-z0-9][\w.]*)")
NO_ANSWER = re.compile(
    r"Retrying \(|NewConnectionError|Max retries exceeded|Read timed out|Connection to \S+ timed out"
)
NO_DISTRIBUTION = re.compile(r"No matching distribution found for (.+)")


class SetupError(Exception):
    """The set-up stops; the message is for the person who typed the command."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def say(text: str) -> None:
    """Progress, for a person: stdout stays free for results."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Pip:
    """pip as a program that works on one `.venv`; failures become `SetupError`."""

    def __init__(self, venv: Path, borrowed: bool = False) -> None:
        # -I: what a PYTHONPATH or user site of the caller holds must not count as installed.
        self._command = [str(venv / "bin" / "python"), "-I", "-m", "pip"]
        if borrowed:  # the pip of the Python that runs this script, aimed at `venv`, which has none
            self._command = [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python")]

    def renew(self, requirement: str) -> None:
        """Bring a new pip into the venv by an old one, which may not know the options of `install`."""
        self._run("--quiet", "--upgrade", requirement)

    def install(self, *arguments: str) -> None:
        """Run `pip install`; a person sees large files and, on a terminal, how far each is."""
        self._run("--progress-bar=raw", *arguments)

    def _run(self, *arguments: str) -> None:
        """Run `pip install` and listen to it."""
        listener = Listener(sys.stderr.isatty())
        process = subprocess.Popen(
            self._arguments(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        with process:
            said = [line.rstrip() for line in map(listener, process.stdout) if line]
        listener.passing("")
        if process.returncode:
            raise not_available(said, arguments)

    def report(self, *arguments: str) -> dict[str, Any]:
        """pip's installation report for `arguments`, nothing being installed."""
        command = self._arguments("--dry-run", "--no-deps", "--ignore-installed", "--quiet", "--report=-", *arguments)
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode:
            raise not_available(done.stderr.splitlines(), arguments)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def _arguments(self, *arguments: str) -> list[str]:
        # Two more tries: pip's five, for each of several packages, would keep a person without a network for minutes.
        options = ("--no-input", "--disable-pip-version-check", "--retries=2")
        return [*self._command, "install", *options, *arguments]


class Listener:
    """Shows a person what matters of pip's lines; called with one, gives it back, or nothing if it is harmless."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self._told_of_silence = False

    def __call__(self, line: str) -> str:
        if HARMLESS.match(line):
            return ""
        if progress := PROGRESS.match(line):
            self.passing(f"    {int(progress[1]) / int(progress[2]):4.0%}")
            return ""
        if large := LARGE_FILE.search(line):
            self.lasting(f"  fetching {large[1]} {large[2]}, {large[3]}")
        elif looking := LOOKING_AT.match(line):
            self.passing(f"    looking at {looking[1]}")
        elif line.startswith("Installing collected packages:"):
            self.lasting(f"  unpacking {line.count(',') + 1} packages, this takes a while")
        elif line.startswith("WARNING: Retrying") and not self._told_of_silence:
            self._told_of_silence = True
            self.lasting("  the package index does not answer, trying again ...")
        return line

    def lasting(self, text: str) -> None:
        """A line that stays."""
        self.passing("")
        say(text)

    def passing(self, text: str) -> None:
        """A text that the next one overwrites; on a terminal only."""
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def not_available(said: list[str], arguments: tuple[str, ...]) -> SetupError:
    """The error for a pip that gave up: what could not be got, why, pip's last error line, a remedy."""
    missing = [found[1] for line in said if (found := NO_DISTRIBUTION.search(line))]
    errors = [line.strip() for line in said if line.strip().lower().startswith("error:")]
    if any(NO_ANSWER.search(line) for line in said):
        reason, remedy = "no package index answered", "check the network and pip's index settings"
    elif missing:
        machine = f"Python {platform.python_version()} on {platform.machine()}"
        reason = f"no package index answered, or none has it for {machine}"
        remedy = "check the network and pip's index settings"
    else:
        reason, remedy = "pip stopped", "see its words above"
        say("\n".join(said[-20:]))
    return SetupError(
        f"could not get {missing[-1] if missing else arguments[-1]}: {reason}\n"
        f"  pip's last error: {errors[-1] if errors else 'none'}\n"
        f"  {remedy}, then run the same command again: it goes on where it stopped"
    )


# --- PyTorch without CUDA ------------------------------------------------------------------------------------


def cuda_requirements(report: Mapping[str, Any]) -> list[str]:
    """The CUDA packages that the distributions in pip's `report` ask for on this machine."""
    on_linux = report["environment"]["platform_system"] == "Linux"
    lines = [line for item in report["install"] for line in item["metadata"].get("requires_dist", [])]
    found = []
    for line in lines:
        name, _, marker = line.partition(";")
        applies = "extra ==" not in marker and (on_linux or "linux" not in marker.lower())
        if applies and CUDA_DISTRIBUTION.match(name):
            found.append(name.strip())
    return found


def refuse_cuda(report: Mapping[str, Any]) -> None:
    """Stop before a CUDA build of PyTorch is installed."""
    if found := cuda_requirements(report):
        raise SetupError(
            f"pip would install the CUDA build of PyTorch here, several GB more "
            f"({len(found)} CUDA packages, such as {found[-1]}).\n"
            "Name the package index of the CPU build: the address behind --index-url in the command that\n"
            'pytorch.org\'s install page shows for "Compute Platform: CPU"\n'
            "  make demo TORCH_INDEX=<that address>\n"
            "or accept the CUDA build: make demo ALLOW_CUDA=1",
            exit_code=2,
        )


def installed(venv: Path) -> dict[str, str]:
    """Name (lower case, hyphens) and version of each distribution in `venv`."""
    folders = venv.glob("lib/python*/site-packages/*.dist-info")
    pairs = [folder.name[: -len(".dist-info")].split("-", 1) for folder in folders]
    return {name.lower().replace("_", "-"): version for name, version in pairs}


def cuda_packages(venv: Path) -> list[str]:
    """The CUDA packages that are in `venv`."""
    return sorted(name for name in installed(venv) if CUDA_DISTRIBUTION.match(name))


def verify_no_cuda(venv: Path) -> None:
    """Make sure that no CUDA package came in by another way."""
    if found := cuda_packages(venv):
        raise SetupError(
            f"CUDA packages landed in {venv}: {', '.join(found)}. Remove that folder and set up again, "
            "or accept them with ALLOW_CUDA=1",
            exit_code=2,
        )
