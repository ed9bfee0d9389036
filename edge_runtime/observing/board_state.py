"""How the board is: memory of this process and temperature, read from the kernel's files."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PLAUSIBLE_C = (-40.0, 150.0)  # broken sensors say 0 K, 255 or -274
# Zones that are the processor's: Raspberry Pi, most ARM boards, Rockchip, Allwinner, Intel.
_PROCESSOR = ("cpu-thermal", "cpu_thermal", "soc-thermal", "soc_thermal", "x86_pkg_temp", "cpu")


def process_memory_mb(root: Path = Path("/")) -> float | None:
    """Megabytes (2^20) of this process that are in RAM; None if the system does not say.

    Source: proc_pid_statm(5), second field, in pages.
    """
    try:
        return int((root / "proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES / (1 << 20)
    except (OSError, ValueError, IndexError):
        return None


def temperature_c(root: Path = Path("/")) -> float | None:
    """Degrees Celsius of the processor, else of the hottest sensor; None if there is no sensor.

    Source: the kernel's Documentation/driver-api/thermal/sysfs-api.rst: `temp` is in thousandths of a degree.
    """
    zones = [_zone(folder) for folder in sorted((root / "sys/class/thermal").glob("thermal_zone*"))]
    found = [(kind, degrees) for kind, degrees in zones if degrees is not None]
    of_processor = [degrees for kind, degrees in found if kind.startswith(_PROCESSOR)]
    return max(of_processor or [degrees for _, degrees in found], default=None)


def _zone(folder: Path) -> tuple[str, float | None]:
    try:
        degrees = int((folder / "temp").read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):  # a sensor that is switched off answers with an error
        return "", None
    try:
        kind = (folder / "type").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        kind = ""
    return kind, degrees if _PLAUSIBLE_C[0] < degrees < _PLAUSIBLE_C[1] else None
