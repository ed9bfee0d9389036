"""The boards that can be emulated: `boards.toml`, and the files of /proc and /sys that programs there read."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.strict import decode
from edgert_tools.planning.boards import Board, find_board

_SEEN_APART = ("proc", "sys", "dev", "tmp")  # of the root: a board has its own, or the host's


@dataclass(frozen=True)
class EmulatedBoard:
    """One board as QEMU plays it; see `boards.toml`."""

    cpu: str
    parts: tuple[str, ...]
    variant: str
    revision: str
    features: str
    model: str
    name: str = ""

    @property
    def profile(self) -> Board:
        """What `edgert plan` knows of the board."""
        return find_board(self.name)

    @property
    def core(self) -> str:
        """QEMU's name of the core, without its switches."""
        return self.cpu.partition(",")[0]

    @property
    def cpu_info(self) -> str:
        """/proc/cpuinfo as Linux prints it there."""
        cores = [
            f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: {self.features}\n"
            f"CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: {self.variant}\n"
            f"CPU part\t: {part}\nCPU revision\t: {self.revision}\n\n"
            for number, part in enumerate(self.parts)
        ]
        return "".join(cores) + f"Model\t\t: {self.model}\n"


@cache
def emulated_boards() -> tuple[EmulatedBoard, ...]:
    """All of them."""
    tables = tomllib.loads(files("edgert_tools.arm").joinpath("boards.toml").read_text(encoding="utf-8"))
    return tuple(dataclasses.replace(decode(EmulatedBoard, table, name), name=name) for name, table in tables.items())


def emulated_board(name: str) -> EmulatedBoard:
    """The board of this name. UsageError: there is none, with what there is."""
    known = {board.name: board for board in emulated_boards()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"those that can be emulated are {', '.join(known)}"
    raise UsageError(f"no target {name[:64]!r}: {hint}")


def parse_targets(lists: Iterable[str]) -> tuple[str, ...]:
    """Names out of comma-separated lists, each once, in the order they were given. UsageError: an unknown one."""
    names = [name.strip() for text in lists for name in text.split(",") if name.strip()]
    return tuple(emulated_board(name).name for name in dict.fromkeys(names))


def write_board(board: EmulatedBoard, base: Path, folder: Path, shown: Mapping[str, Path]) -> Path:
    """Fill an empty folder for QEMU's `-L`: links to what is in the root `base`, and this board's own files.

    `shown` are further files, which programs find below `/edgert` by these names. Without an ARM /proc/cpuinfo there
    onnxruntime's cpuinfo library parses the host's and crashes on import.
    """
    for entry in sorted(base.iterdir()):
        if entry.name not in _SEEN_APART:
            (folder / entry.name).symlink_to(entry)
    (folder / "edgert").mkdir()
    for name, file in shown.items():
        (folder / "edgert" / name).symlink_to(file.absolute())
    profile, last = board.profile, len(board.parts) - 1
    total_kb = int(profile.memory_mb[0] * profile.visible * 1024)
    cpus = f"0-{last}\n"
    _write(folder, "proc/cpuinfo", board.cpu_info)
    _write(folder, "proc/device-tree/model", board.model + "\0")
    _write(folder, "proc/meminfo", _memory_info(total_kb))
    for name in ("possible", "present", "online"):
        _write(folder, f"sys/devices/system/cpu/{name}", cpus)
    _write(folder, "sys/devices/system/cpu/kernel_max", "255\n")
    _write(folder, "sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
    _write(folder, "sys/class/thermal/thermal_zone0/temp", "48300\n")
    return folder


def _memory_info(total_kb: int) -> str:
    rows = {
        "MemTotal": total_kb,
        "MemFree": total_kb * 6 // 10,
        "MemAvailable": total_kb * 8 // 10,
        "SwapTotal": 0,
        "SwapFree": 0,
    }
    return "".join(f"{name + ':':15}{kilobytes:9d} kB\n" for name, kilobytes in rows.items())


def _write(folder: Path, path: str, text: str) -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="ascii")
