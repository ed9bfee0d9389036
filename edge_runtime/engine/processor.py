"""What this processor is, in the words of a bundle's `targets`: its architecture, and what its int8 kernels need.

Source of the names: Linux' `Features` on ARM64 (Documentation/arch/arm64/elf_hwcaps.rst) and `flags` on x86.
"""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
# ONNX Runtime has 8-bit kernels for ARM cores with dot product, and faster ones for those with I8MM.
_ARM = {"asimddp": "dotprod", "i8mm": "i8mm"}
_X86 = {"avx512_vnni": "vnni", "avx_vnni": "vnni", "avx2": "avx2"}
_MACHINES = {"arm64": "aarch64", "AMD64": "x86_64"}


def targets_of(machine: str, cpu_info: str) -> frozenset[str]:
    """The targets that a machine is: `cpu-aarch64`, and `cpu-aarch64-dotprod` if every core has dot product.

    Args:
        machine: as `platform.machine()` has it.
        cpu_info: the text of /proc/cpuinfo; empty if there is none.
    """
    machine = _MACHINES.get(machine, machine)
    cores = [
        set(line.partition(":")[2].split())
        for line in cpu_info.splitlines()
        if line.partition(":")[0].strip() in ("Features", "flags")
    ]
    shared = set.intersection(*cores) if cores else set[str]()
    names = _ARM if machine == "aarch64" else _X86 if machine == "x86_64" else {}
    return frozenset({f"cpu-{machine}", *(f"cpu-{machine}-{names[flag]}" for flag in shared & names.keys())})


@cache
def targets_here() -> frozenset[str]:
    """The targets that this machine is."""
    try:
        text = _CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # no Linux
        text = ""
    return targets_of(platform.machine(), text)
