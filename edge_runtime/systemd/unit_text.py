"""The text of the daemon's unit, shut in as far as the daemon can live with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from edge_runtime.errors import UsageError

WATCHDOG_S = 30
# Folders that systemd makes for the account; what to write into the unit for each.
GIVEN_FOLDERS = {"/var/log/edgert": "LogsDirectory=edgert", "/var/lib/edgert": "StateDirectory=edgert"}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\$?", re.ASCII)
_DESCRIPTION = "edgert, models over MQTT"


@dataclass(frozen=True)
class UnitSettings:
    """What differs between one unit and another.

    Attributes:
        command: absolute program and its arguments.
        per_user: for a user's own systemd, which cannot shut a service in as the system's can.
        user: the account to run as; "": one that systemd makes up (DynamicUser).
        memory_max_mb: the kernel ends the daemon over this; 0: no limit.
        writable: folders that the daemon writes to.
        sees_home: something that the daemon reads lies in a home folder.
    """

    command: Sequence[str]
    per_user: bool = False
    user: str = ""
    memory_max_mb: int = 0
    writable: Sequence[str] = ()
    sees_home: bool = False


def unit_text(settings: UnitSettings) -> str:
    """The text of `edgert.service`.

    Raises:
        UsageError: a path or name that cannot stand in a unit.

    Source: systemd.service(5), systemd.exec(5).
    """
    if settings.user and not _USER.fullmatch(settings.user):
        raise UsageError(f"user {settings.user[:40]!r} is no name of an account")
    sections = (
        ("Unit", _unit(per_user=settings.per_user)),
        ("Service", [*_service(settings), *([] if settings.per_user else _shut_in(settings))]),
        ("Install", [f"WantedBy={'default' if settings.per_user else 'multi-user'}.target"]),
    )
    text = "\n".join("\n".join([f"[{name}]", *lines, ""]) for name, lines in sections)
    return f"# Written by `edgert service install`, which writes it anew.\n{text}"


def _unit(*, per_user: bool) -> list[str]:
    order = ["Wants=network-online.target", "After=network-online.target mosquitto.service"]
    return [f"Description={_DESCRIPTION}", *([] if per_user else order), "StartLimitIntervalSec=0"]


def _service(settings: UnitSettings) -> list[str]:
    lines = [
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={' '.join(map(_quoted, settings.command))}",
        "ExecReload=/bin/kill -HUP $MAINPID",
        f"WatchdogSec={WATCHDOG_S}",
        "Restart=on-failure",
        "RestartSec=5",
        "RestartPreventExitStatus=2",  # used wrongly: it would only say so again
        "TimeoutStartSec=300",  # many models on a slow card
        "TimeoutStopSec=60",
        "NoNewPrivileges=yes",
        "UMask=0077",
    ]
    if settings.memory_max_mb:
        lines.append(f"MemoryMax={settings.memory_max_mb}M")
    return lines


def _shut_in(settings: UnitSettings) -> list[str]:
    """What only the system's manager can do: an account, and a view of the machine without what is not needed."""
    # ProcSubset=pid would hide /proc/meminfo, MemoryDenyWriteExecute would forbid engines that compile.
    lines = [f"User={settings.user}" if settings.user else "DynamicUser=yes"]
    for folder in dict.fromkeys(settings.writable):
        lines.append(GIVEN_FOLDERS.get(folder) or f"ReadWritePaths={_quoted(folder)}")
    return [
        *lines,
        "ProtectSystem=strict",
        f"ProtectHome={'read-only' if settings.sees_home else 'yes'}",
        *(f"{name}=yes" for name in ("PrivateTmp", "PrivateDevices", "ProtectClock", "ProtectControlGroups")),
        *(f"ProtectKernel{name}=yes" for name in ("Logs", "Modules", "Tunables")),
        "ProtectHostname=yes",
        "ProtectProc=invisible",
        *(f"Restrict{name}=yes" for name in ("Namespaces", "Realtime", "SUIDSGID")),
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",  # the resolver asks by netlink
        "LockPersonality=yes",
        "RemoveIPC=yes",
        "CapabilityBoundingSet=",
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallErrorNumber=EPERM",
    ]


def _quoted(word: str) -> str:
    """A word as it must stand in a unit, where `%`, `$`, quotes and spaces mean something."""
    if not word or not word.isprintable():
        raise UsageError(f"{word[:80]!r} cannot stand in a unit: it is empty or has a control character")
    escaped = word.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    plain = re.fullmatch(r"[\w/.:=@+,%-]+", word)
    return escaped if plain else f'"{escaped}"'


def is_home(path: PurePath) -> bool:
    """Whether a path is one that ProtectHome=yes hides."""
    return path.parts[1:2] in (("home",), ("root",)) or path.parts[1:3] == ("run", "user")
