"""What Linux says about memory: of the machine, of the cgroup that this process is in, of the process.

Every reader takes the root folder, so that tests can lay out the files of any board.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

BUDGET_SHARE = 0.75  # of what there is: the rest is for the interpreter, the page cache and everybody else
UNKNOWN_MB = 1024.0  # no Linux: what a developer's machine surely has
_MB = 1 << 20
_CGROUPS = "sys/fs/cgroup"
# What a cgroup's memory is limited by. Over `memory.high` nobody is killed, but everything is slow.
_LIMITS_V2 = ("memory.max", "memory.high")
_LIMIT_V1 = "memory.limit_in_bytes"


def available_mb(root: Path = Path("/")) -> float | None:
    """Megabytes that this process may come to: the least of what is available, what is built in, and the cgroup.

    Returns:
        None: nothing says so, as on a system without /proc.

    Source: proc_meminfo(5); "Memory Interface Files" in the kernel's admin-guide/cgroup-v2; memory.txt of v1.
    """
    built_in = _fields_kb(root / "proc/meminfo")
    found = [built_in[name] / 1024 for name in ("MemAvailable", "MemTotal") if name in built_in]
    found += [limit / _MB for limit in _cgroup_limits(root)]
    return min(found, default=None)


def default_budget_mb(root: Path = Path("/")) -> float:
    """Megabytes that models may take if nobody says: three quarters of what this process may come to."""
    available = available_mb(root)
    return BUDGET_SHARE * (UNKNOWN_MB if available is None else available)


def process_rss_mb(root: Path = Path("/")) -> float:
    """Megabytes of this process that are in memory now; 0 if the system does not say."""
    return _fields_kb(root / "proc/self/status").get("VmRSS", 0) / 1024


def _fields_kb(file: Path) -> dict[str, int]:
    """The `Name:  123 kB` lines of a file of /proc."""
    fields = {}
    for line in _text(file).splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdecimal():
            fields[name] = int(words[0])
    return fields


def _cgroup_limits(root: Path) -> Iterator[int]:
    """Bytes that each cgroup on the way from this process's up to the root allows; "max" allows all."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if hierarchy == "0" and not controllers:
            yield from _limits(root / _CGROUPS, path, _LIMITS_V2)
            yield from _limits(root / _CGROUPS / "unified", path, _LIMITS_V2)
        elif "memory" in controllers.split(","):
            yield from _limits(root / _CGROUPS / "memory", path, (_LIMIT_V1,))


def _limits(mounted: Path, path: str, names: tuple[str, ...]) -> Iterator[int]:
    """Limits of a cgroup and of those above it.

    In a container the path may be the host's, of which the container shows only the end: what is not there limits
    nothing, and the last files read are the container's own, at the top.
    """
    level = PurePosixPath(*(part for part in path.split("/") if part not in ("", ".", "..")))
    for folder in (level, *level.parents):
        for name in names:
            limit = _text(mounted / folder / name).strip()
            if limit.isdecimal():
                yield int(limit)


def _text(file: Path) -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    return ""
