"""What this board is, in the words in which bundles ask for a board."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edge_runtime import __version__
from edge_runtime.bundle.target import Here
from edge_runtime.engine.memory.machine import UNKNOWN_MB, available_mb
from edge_runtime.engine.processor import targets_here

_MODEL = "proc/device-tree/compatible"


def here(names: Collection[str] = (), root: Path = Path("/")) -> Here:
    """This board.

    Args:
        names: what it is called besides, by its owner.
        root: of the file system, for tests.
    """
    available = available_mb(root)
    return Here(
        targets=targets_here(),
        boards=frozenset({*names, *_compatible(root / _MODEL)}),
        runtime=__version__,
        memory_mb=UNKNOWN_MB if available is None else available,
    )


def _compatible(file: Path) -> list[str]:
    """Names in the device tree, as `raspberrypi,5-model-b`; none on a PC. Source: Devicetree Specification 2.3.1."""
    try:
        return [name.decode("ascii", "replace") for name in file.read_bytes().split(b"\0") if name]
    except OSError:
        return []
