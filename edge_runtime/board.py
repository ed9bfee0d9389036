"""Can this machine run the daemon? Checked before anything heavy is imported, told in one plain line."""

from __future__ import annotations

import platform
import struct
import sys

from edge_runtime.errors import UnsupportedBoard

# onnxruntime's wheels are manylinux_2_27/2_28 for x86_64 and aarch64 only: no 32-bit, no musl.
MIN_GLIBC = (2, 28)
ARCHITECTURES = ("aarch64", "x86_64", "arm64", "AMD64")


def check_board(
    *,
    bits: int = struct.calcsize("P") * 8,
    machine: str | None = None,
    libc: tuple[str, str] | None = None,
    python: tuple[int, int] = sys.version_info[:2],
    system: str = sys.platform,
) -> None:
    """Refuse, with a reason and a remedy, a machine that cannot run models.

    The arguments exist for tests; by default they describe this machine.

    Raises:
        UnsupportedBoard: 32-bit userland, other architecture, musl or old glibc, old Python.
    """
    machine = platform.machine() if machine is None else machine
    if python < (3, 11):
        raise UnsupportedBoard(f"Python is {python[0]}.{python[1]}, edgert needs 3.11 or newer")
    if bits != 64 or machine not in ARCHITECTURES:
        raise UnsupportedBoard(
            f"this is a {bits}-bit Python on {machine}; onnxruntime exists for 64-bit ARM and x86 only: "
            "install a 64-bit system (Raspberry Pi OS 64-bit runs on Pi 3, 4, 5 and Zero 2)"
        )
    if system != "linux":
        return  # a developer's machine; pip found an onnxruntime for it or the import says so
    name, version = platform.libc_ver() if libc is None else libc
    if name != "glibc":
        raise UnsupportedBoard("this system has no glibc (Alpine?); onnxruntime needs it: use Debian, Ubuntu or Fedora")
    found = tuple(int(part) for part in version.split(".")[:2])
    if found < MIN_GLIBC:
        raise UnsupportedBoard(
            f"glibc is {version}, onnxruntime needs 2.28 or newer: use Debian 10, Ubuntu 20.04 or newer"
        )
