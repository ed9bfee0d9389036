"""The daemon's unit on this machine: put in place, taken away, looked at, all by the program `systemctl`."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UnitFailed, UnsupportedBoard

UNIT = "edgert.service"
SYSTEM_FOLDER = Path("/etc/systemd/system")
_RUN_S = 120.0  # starting the daemon loads its models
_SHOWN = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "StatusText",
    "MainPID",
    "NRestarts",
    "MemoryCurrent",
)


@dataclass(frozen=True)
class UnitStatus:
    """What systemd says of the unit; None where it says nothing."""

    installed: bool
    enabled: bool
    active: bool
    state: str
    status: str
    pid: int | None
    restarts: int | None
    memory_mb: float | None


@dataclass(frozen=True)
class ServiceUnit:
    """The unit of one manager: the system's, or a user's own.

    Attributes:
        per_user: it is the user's.
        folder: where the unit lies.
    """

    per_user: bool
    folder: Path

    @property
    def file(self) -> Path:
        """The unit's file."""
        return self.folder / UNIT

    def install(self, text: str) -> None:
        """Write the unit, enable it and start it; one that runs with another text is restarted.

        Raises:
            UnitFailed: no right to write there, or systemd refused; the file is then as before.
            UnsupportedBoard: no systemd here.
        """
        self._systemctl_path()
        before = self._text()
        self._write(text)
        try:
            self._systemctl("daemon-reload")
            self._systemctl("enable", "--now", UNIT)
            if before is not None and before != text:
                self._systemctl("restart", UNIT)
        except UnitFailed:
            self._restore(before)
            raise

    def remove(self) -> bool:
        """Stop, disable and delete the unit; False if there was none.

        Raises:
            UnitFailed: no right to do so, or systemd refused.
            UnsupportedBoard: no systemd here.
        """
        self._systemctl_path()
        if self._text() is None:
            return False
        self._systemctl("disable", "--now", UNIT)
        try:
            self.file.unlink(missing_ok=True)
        except OSError as error:
            raise UnitFailed(f"cannot delete {self.file}: {error.strerror}: {self._remedy()}") from error
        self._systemctl("daemon-reload")
        return True

    def status(self) -> UnitStatus:
        """Ask systemd how the unit is.

        Raises:
            UnitFailed: systemd does not answer.
            UnsupportedBoard: no systemd here.
        """
        return parse_status(self._systemctl("show", UNIT, f"--property={','.join(_SHOWN)}"))

    def _systemctl(self, *arguments: str) -> str:
        command = [self._systemctl_path(), *(["--user"] if self.per_user else []), *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=_RUN_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnitFailed(f"`systemctl {' '.join(arguments)}` did not end well: {error}") from error
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
            raise UnitFailed(f"`systemctl {' '.join(arguments)}` failed: {said[:500]}: {self._remedy()}")
        return done.stdout

    def _systemctl_path(self) -> str:
        path = shutil.which("systemctl")
        if path is None:
            raise UnsupportedBoard(
                "this machine has no systemctl, so no systemd: let its own init program start `edgert serve`"
            )
        return path

    def _remedy(self) -> str:
        if self.per_user:
            return f"`journalctl --user -u {UNIT}` may say more"
        return f"run it with sudo, or with --user; `journalctl -u {UNIT}` may say more"

    def _text(self) -> str | None:
        try:
            return self.file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnitFailed(f"cannot read {self.file}: {error.strerror}") from error

    def _write(self, text: str) -> None:
        """Put the file in place, whole or not at all."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(prefix=f".{UNIT}.", dir=self.folder)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                    out.write(text)
                    out.flush()
                    os.fchmod(out.fileno(), 0o644)
                    os.fsync(out.fileno())
                Path(name).replace(self.file)
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise UnitFailed(f"cannot write {self.file}: {error.strerror}: {self._remedy()}") from error

    def _restore(self, before: str | None) -> None:
        with contextlib.suppress(OSError, UnitFailed):
            if before is None:
                self.file.unlink(missing_ok=True)
            else:
                self._write(before)
            self._systemctl("daemon-reload")


def service_unit(
    *, per_user: bool, folder: Path | None = None, environment: Mapping[str, str] = os.environ
) -> ServiceUnit:
    """The unit of this machine's systemd or of this user's, in the folder that systemd looks into if not another."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"
    return ServiceUnit(per_user, folder or (own if per_user else SYSTEM_FOLDER))


def parse_status(shown: str) -> UnitStatus:
    """Read what `systemctl show` prints."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def number(name: str) -> int | None:
        text = values.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None  # 2^64-1: not set

    memory_bytes = number("MemoryCurrent")
    return UnitStatus(
        installed=values.get("LoadState") == "loaded",
        enabled=values.get("UnitFileState") == "enabled",
        active=values.get("ActiveState") in ("active", "reloading"),
        state=f"{values.get('ActiveState', 'unknown')} ({values.get('SubState', 'unknown')})",
        status=values.get("StatusText", ""),
        pid=number("MainPID") or None,
        restarts=number("NRestarts"),
        memory_mb=None if memory_bytes is None else round(memory_bytes / (1 << 20), 1),
    )
