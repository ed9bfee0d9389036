"""Debian's programs that emulation needs, and what is missing here."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from edge_runtime.errors import EdgertError

QEMU = "qemu-aarch64"
# Program -> Debian package. setarch is util-linux's, which no Debian is without.
PACKAGES = {QEMU: "qemu-user", "mmdebstrap": "mmdebstrap", "gcc": "gcc"}
_HEADERS = "/usr/include/stdio.h"  # of libc6-dev, which `gcc` only recommends


class ArmUnavailable(EdgertError):
    """Boards cannot be emulated here; the message names what is missing and how to get it."""

    code = "arm_unavailable"


def check_programs() -> None:
    """Refuse at once what could not be finished.

    Raises:
        ArmUnavailable: no x86-64 Linux, programs missing, or a QEMU that loads no plugins.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise ArmUnavailable(f"boards are emulated on x86-64 Linux only, this is {sys.platform} {platform.machine()}")
    missing = missing_packages()
    if missing:
        raise ArmUnavailable(
            f"emulating boards needs {', '.join(missing)}: as root on Debian, "
            f"apt-get install --no-install-recommends {' '.join(missing)}"
        )
    qemu_version()


def missing_packages() -> list[str]:
    """Debian packages that are not there, sorted."""
    missing = {package for program, package in PACKAGES.items() if shutil.which(program) is None}
    if not Path(_HEADERS).exists():
        missing.add("libc6-dev")
    return sorted(missing)


@cache
def qemu_version() -> tuple[int, ...]:
    """As (7, 2, 22). ArmUnavailable: it does not say, or it was built without plugins, as static ones are."""
    said = run([QEMU, "--version"], "ask QEMU for its version")
    found = re.search(r"version (\d+(?:\.\d+)+)", said)
    if found is None:
        raise ArmUnavailable(f"{QEMU} --version says no version: {said[:120]!r}")
    if "-plugin" not in run([QEMU, "-h"], "ask QEMU for its options"):
        raise ArmUnavailable(
            f"the {QEMU} at {shutil.which(QEMU)} loads no plugins, so it cannot count: use one that is linked "
            "dynamically, as Debian 12's package qemu-user"
        )
    return tuple(map(int, found[1].split(".")))


def run(command: Sequence[str], purpose: str, timeout_s: float = 600) -> str:
    """Run a program and give what it printed. ArmUnavailable: it failed, with its last words."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ArmUnavailable(f"cannot {purpose}: {error}") from error
    if done.returncode != 0:
        raise ArmUnavailable(f"cannot {purpose}: {last_words(done.stderr) or f'exit status {done.returncode}'}")
    return done.stdout


def last_words(stderr: str) -> str:
    """The line of what a program complained about that tells most."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(E|ERROR|error|fatal)\b", line)]
    return (errors or lines or [""])[-1][:300]
