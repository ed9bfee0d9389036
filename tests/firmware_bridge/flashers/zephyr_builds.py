"""Real Zephyr servers, and MCUboot: prebuilt in the source distribution of smpclient, fetched by pip, run here.

They are 32-bit x86 programs and images for QEMU; nothing of them is kept in this repository.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgert_tools.cache import cache_folder, keep, work_folder

VERSION = "7.3.0"
SHA256 = "86aa4bc1c621805d97f449793a4077f049aa88a98a1e916bf59423d072bd2a3b"  # of the archive, as the index has it
_INSIDE = f"smpclient-{VERSION}/tests/fixtures/smp-server"
_BUILD = "zephyr_4.4.0_smp_server_0eae053d"
_FETCH_S = 300
_START_S = 10.0


def builds() -> Path:
    """The folder of the builds, out of an archive whose hash was checked; or a skip that names what is missing."""
    folder = cache_folder() / "peers" / f"zephyr-builds-{VERSION}"
    if not folder.exists():
        with work_folder() as work:
            _fetch(work)
            keep(work / _INSIDE, folder)
    return folder


def _fetch(work: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run(
        [*command, f"smpclient=={VERSION}", "-d", str(work)],
        capture_output=True,
        text=True,
        timeout=_FETCH_S,
        check=False,
    )
    archive = work / f"smpclient-{VERSION}.tar.gz"
    if not archive.exists():
        pytest.skip(f"source distribution of smpclient {VERSION} cannot be had: {done.stderr.strip()[-160:]}")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    with tarfile.open(archive) as tar:
        tar.extractall(work, [one for one in tar if one.name.startswith(_INSIDE)], filter="data")


def facts(config: str, target: str) -> dict[str, object]:
    """What the builds say of one of them."""
    found = json.loads((builds() / "manifest.json").read_text())
    return next(one for one in found if (one["config"], one["target"]) == (config, target))


def firmware(name: str) -> Path:
    """A file of the builds, by the end of its name."""
    return builds() / f"{_BUILD}_{name}"


@contextlib.contextmanager
def zephyr(config: str, folder: Path) -> Iterator[str]:
    """A server for as long as the block runs; the name of its PTY, if it has one."""
    if platform.machine() != "x86_64":
        pytest.skip("the prebuilt Zephyr servers are for x86")
    if not any(Path(one).exists() for one in ("/lib/ld-linux.so.2", "/lib32/ld-linux.so.2")):
        pytest.skip("the 32-bit C library is not installed: apt install libc6-i386 lib32gcc-s1")
    program = firmware(f"native_sim_{config}.exe")
    program.chmod(0o755)
    process = subprocess.Popen([str(program)], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        timer = threading.Timer(_START_S, process.kill)
        timer.start()
        device = ""
        for line in process.stdout:
            if match := re.search(rb"pseudotty: (\S+)", line):
                device = match[1].decode()
            if b"Booting" in line or b"Started" in line or b"smp_sample" in line:
                break
        timer.cancel()
        assert device or config.startswith("udp"), "the server did not name its port"
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield device
    finally:
        process.kill()
        process.wait()


def qemu() -> str:
    """The emulator, or a skip."""
    found = shutil.which("qemu-system-arm")
    if found is None:
        pytest.skip("qemu-system-arm is not installed (apt install qemu-system-arm)")
    return os.fspath(found)
