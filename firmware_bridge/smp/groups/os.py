"""Group 0: echo, threads, clock, reset, sizes, what runs here."""

from __future__ import annotations

import platform
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from firmware_bridge.smp.fields import Limits
from firmware_bridge.smp.group import Body, Group, reads
from firmware_bridge.smp.hub import Hub
from firmware_bridge.smp.limits import BUF_COUNT, BUF_SIZE
from firmware_bridge.smp.message import READ, WRITE, Rc
from firmware_bridge.smp.refusals import Refused
from firmware_bridge.smp.session import Session

NUMBER = 0
ECHO, TASKS, DATETIME, RESET, PARAMETERS, INFO, BOOTLOADER = 0, 2, 4, 5, 6, 7, 8
_INVALID_FORMAT, _NO_ANSWER = 2, 3
_SWAP_WITHOUT_SCRATCH = 3  # what MCUboot calls two slots that are exchanged, and back if nobody confirms
_MOST_TASKS = 64
_FORMATS = "snrvbmpio"


@dataclass(frozen=True)
class Echo:
    """A text to send back."""

    d: Annotated[str, Limits(0, BUF_SIZE - 64)]


@dataclass(frozen=True)
class Reset:
    """Zephyr's words; both are without meaning here: a reset is never refused, and there is no other way to boot."""

    force: int = 0
    boot_mode: Annotated[int, Limits(0, 255)] = 0


@dataclass(frozen=True)
class Info:
    """Which words are wanted, as letters."""

    format: Annotated[str, Limits(0, 32)] = "s"


@dataclass(frozen=True)
class Query:
    """What is asked of the bootloader; nothing: its name."""

    query: Annotated[str, Limits(0, 64)] = ""


def os_group(hub: Hub) -> Group:
    """The group."""
    return Group(
        NUMBER,
        "os mgmt",
        {
            (READ, ECHO): reads(Echo, _echo),
            (WRITE, ECHO): reads(Echo, _echo),
            (READ, TASKS): lambda body, session: {"tasks": _tasks()},
            (READ, DATETIME): lambda body, session: {"datetime": datetime.now(UTC).isoformat(timespec="microseconds")},
            (WRITE, RESET): reads(Reset, lambda asked, session: _reset(hub, session)),
            (READ, PARAMETERS): lambda body, session: {"buf_size": BUF_SIZE, "buf_count": BUF_COUNT},
            (READ, INFO): reads(Info, lambda asked, session: {"output": _info(hub, asked.format or "s")}),
            (READ, BOOTLOADER): reads(Query, _bootloader),
        },
    )


def _echo(asked: Echo, session: Session) -> Body:
    return {"r": asked.d}


def _reset(hub: Hub, session: Session) -> Body:
    """Exchange slots as a bootloader would; the daemon follows the store without losing a request."""
    hub.slots.reset()
    session.after.append(hub.reset)
    return {}


def _info(hub: Hub, wanted: str) -> str:
    """The words in the order of the specification, whatever the order of the letters."""
    unknown = set(wanted) - set(_FORMATS) - {"a"}
    if unknown:
        raise Refused(Rc.EINVAL, f"format {wanted!r} may have {_FORMATS}a", NUMBER, _INVALID_FORMAT)
    system = platform.uname()
    words = {
        "s": system.system,
        "n": hub.device,
        "r": system.release,
        "v": system.version,
        "b": f"edgert {hub.edgert}",
        "m": system.machine,
        "p": system.processor or system.machine,
        "i": _board() or system.machine,
        "o": "edgert",
    }
    return " ".join(words[letter] for letter in _FORMATS if letter in wanted or "a" in wanted)


def _bootloader(asked: Query, session: Session) -> Body:
    if not asked.query:
        return {"bootloader": "MCUboot"}
    if asked.query == "mode":
        return {"mode": _SWAP_WITHOUT_SCRATCH, "no-downgrade": True}
    raise Refused(Rc.ENOENT, f"query {asked.query!r} has no answer, 'mode' has", NUMBER, _NO_ANSWER)


def _tasks() -> dict[str, dict[str, int]]:
    """The threads of this process; only what Linux knows of them."""
    found = {}
    for thread in threading.enumerate()[:_MOST_TASKS]:
        if thread.native_id is not None:
            fields = _thread(thread.native_id)
            name = thread.name[:32]
            found[name if name not in found else f"{name[:20]}-{thread.native_id}"] = fields
    return found


def _thread(native_id: int) -> dict[str, int]:
    """Priority, state (0 runs, 1 sleeps, 2 else) and clock ticks, from proc(5)."""
    try:
        text = Path(f"/proc/self/task/{native_id}/stat").read_text(encoding="ascii", errors="replace")
        words = text.rpartition(")")[2].split()
        state, priority, ticks = words[0], int(words[15]), int(words[11]) + int(words[12])
    except (OSError, IndexError, ValueError):
        return {"prio": 0, "tid": native_id, "state": 2}
    return {"prio": priority, "tid": native_id, "state": {"R": 0, "S": 1}.get(state, 2), "runtime": ticks}


def _board() -> str:
    """The board's name in the device tree; empty on a machine without one."""
    try:
        text = Path("/proc/device-tree/model").read_bytes()
    except OSError:
        return ""
    return text.rstrip(b"\0").decode("ascii", "replace")
