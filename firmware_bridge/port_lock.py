"""One program at a time on a port, by a lock file beside the lock that the system keeps.

pyserial's own lock is a `flock` on the device: a program that opens it without asking gets in all the same, and root is
not held back by TIOCEXCL. The file's lock ends with the process that holds it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path

from firmware_bridge.errors import PortBusy

_FOLDERS = (Path("/run/lock"), Path("/var/lock"))


def lock_file(device: str, folder: Path | None = None) -> Path:
    """The lock file of a device, the same for every name that a link gives it."""
    where = folder or next((one for one in _FOLDERS if os.access(one, os.W_OK)), Path(tempfile.gettempdir()))
    return where / f"edgert{os.path.realpath(device).replace('/', '-')}.lock"


class PortLock:
    """Holds a device until it is released.

    Raises:
        PortBusy: another process holds it; the message says which.
    """

    def __init__(self, device: str, folder: Path | None = None) -> None:
        path = lock_file(device, folder)
        try:
            self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            raise PortBusy(f"{device}: cannot lock it by {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(self._descriptor)
            self._descriptor = None
            raise PortBusy(f"{device} is in use by process {holder or '?'}: end it, or wait") from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)

    def release(self) -> None:
        """Let the next one in; more than once does no harm."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def holder_of(device: str, folder: Path | None = None) -> int | None:
    """The process that holds a device; None: none does. Looks only."""
    try:
        descriptor = os.open(lock_file(device, folder), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        text = os.read(descriptor, 20).strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None
