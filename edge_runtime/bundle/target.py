"""Which boards a bundle is for, and whether this is one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Set
from dataclasses import dataclass

from edge_runtime.bundle.errors import BadContainer, WrongTarget
from edge_runtime.strict import StrictError, decode

MOST_TARGET_BYTES = 8192
_RELEASE = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True)
class Target:
    """What a bundle asks of a board; what is empty asks nothing.

    Attributes:
        targets: processors, one of which the board must be, as `cpu-aarch64-dotprod`; `cpu` is every one.
        boards: one of which the board must be, as `raspberrypi,5-model-b`, by the names in its device tree.
        runtime: the oldest edgert that can run it.
        memory_mb: what models must be able to take.
    """

    targets: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()
    runtime: str = ""
    memory_mb: int = 0


@dataclass(frozen=True)
class Here:
    """What this board is, in the words of `Target`."""

    targets: Set[str]
    boards: Set[str]
    runtime: str
    memory_mb: float


def target_to_bytes(target: Target) -> bytes:
    """Compact JSON, always the same for the same target."""
    return json.dumps(dataclasses.asdict(target), separators=(",", ":"), sort_keys=True).encode()


def target_from_bytes(data: bytes) -> Target:
    """Read it. BadContainer: it is not as it is written."""
    try:
        if len(data) > MOST_TARGET_BYTES:
            raise StrictError(f"has {len(data)} bytes, the most is {MOST_TARGET_BYTES}")
        return decode(Target, json.loads(data))
    except (ValueError, RecursionError) as error:
        raise BadContainer(f"target: {error}") from error


def check_target(target: Target, here: Here) -> None:
    """Raise WrongTarget if a bundle is not for this board, with what it asks and what there is."""
    if target.targets and "cpu" not in target.targets and here.targets.isdisjoint(target.targets):
        raise WrongTarget(f"bundle is for {', '.join(target.targets)}, this processor is {_list(here.targets)}")
    if target.boards and here.boards.isdisjoint(target.boards):
        raise WrongTarget(f"bundle is for {', '.join(target.boards)}, this board is {_list(here.boards)}")
    if _release(here.runtime) < _release(target.runtime):
        raise WrongTarget(f"bundle needs edgert {target.runtime}, this is {here.runtime}: update edgert first")
    if here.memory_mb < target.memory_mb:
        raise WrongTarget(f"bundle needs {target.memory_mb} MB of memory, models can take {here.memory_mb:.0f} here")


def _list(names: Set[str]) -> str:
    return ", ".join(sorted(names)) or "none that it knows"


def _release(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with; what follows them, as `rc1`, is not looked at."""
    match = _RELEASE.match(version)
    return tuple(int(part or 0) for part in match.groups()) if match else (0, 0, 0)
