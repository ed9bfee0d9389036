"""The few things that a store asks of a file system, each of which a power cut may come before or after.

Paths are relative, with `/`. What is not synced may be lost, torn or out of order after a cut, names as well as
contents; `put` is the one way in which anything gets its final name.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from edge_runtime.bundle.errors import StoreBusy

PART = ".part"
CHUNK_BYTES = 1 << 20
_LOOK_S = 0.05


class Writing(Protocol):
    """A file that is being written from its beginning."""

    def write(self, data: bytes) -> None:
        """Append."""

    def sync(self) -> None:
        """Return when the content is on the disk."""

    def close(self) -> None:
        """Let go of it."""


class Disk(Protocol):
    """A folder on some file system. What goes wrong is an OSError, as the system says it."""

    def read(self, path: str) -> bytes:
        """Whole content."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """Content, a bounded piece at a time."""

    def size(self, path: str) -> int | None:
        """Bytes of a file; None: there is no such file."""

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted; none if there is no such folder."""

    def make_folder(self, folder: str) -> None:
        """Make it, if it is not there."""

    def create(self, path: str) -> Writing:
        """Begin a file; what had that name is gone."""

    def rename(self, path: str, to: str) -> None:
        """Give a file another name, in place of what had it."""

    def remove(self, path: str) -> None:
        """Take a file away."""

    def sync_folder(self, folder: str) -> None:
        """Return when the names in a folder are on the disk."""

    def free_bytes(self) -> int:
        """Room that is left."""

    def locked(self) -> AbstractContextManager[None]:
        """For one at a time, of all processes. StoreBusy: somebody else does not end."""


def put(disk: Disk, path: str, pieces: Iterable[bytes]) -> None:
    """Write a file so that it has its name only when all of it is on the disk, and has it for good on return."""
    part = path + PART
    try:
        writing = disk.create(part)
        try:
            for piece in pieces:
                writing.write(piece)
            writing.sync()
        finally:
            writing.close()
        disk.rename(part, path)
        disk.sync_folder(folder_of(path))
    except Exception:
        with contextlib.suppress(OSError):
            disk.remove(part)
        raise


def folder_of(path: str) -> str:
    """The folder that a path lies in; empty: the store's own."""
    return path.rpartition("/")[0]


class RealDisk:
    """A folder of this machine; it is made if it is not there.

    Args:
        root: the folder.
        patience_s: how long to wait for somebody else who has the lock.
    """

    def __init__(self, root: Path, patience_s: float = 30.0) -> None:
        self.root, self._patience_s = root, patience_s
        root.mkdir(parents=True, exist_ok=True)
        owner = root.stat()
        self._owner = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else None

    def read(self, path: str) -> bytes:
        """See `Disk`."""
        return (self.root / path).read_bytes()

    def pieces(self, path: str) -> Iterator[bytes]:
        """See `Disk`."""
        with (self.root / path).open("rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece

    def size(self, path: str) -> int | None:
        """See `Disk`."""
        try:
            return (self.root / path).stat().st_size
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """See `Disk`."""
        try:
            return sorted(entry.name for entry in (self.root / folder).iterdir())
        except FileNotFoundError:
            return []

    def make_folder(self, folder: str) -> None:
        """See `Disk`."""
        (self.root / folder).mkdir(exist_ok=True)
        self._hand_over(self.root / folder, 0o755)

    def create(self, path: str) -> Writing:
        """See `Disk`. Files cannot be written to once they are there: only replaced."""
        (self.root / path).unlink(missing_ok=True)
        descriptor = os.open(self.root / path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        self._hand_over(self.root / path, 0o444)
        return _RealWriting(descriptor)

    def rename(self, path: str, to: str) -> None:
        """See `Disk`."""
        (self.root / path).replace(self.root / to)

    def remove(self, path: str) -> None:
        """See `Disk`."""
        (self.root / path).unlink()

    def sync_folder(self, folder: str) -> None:
        """See `Disk`."""
        descriptor = os.open(self.root / folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self) -> int:
        """See `Disk`."""
        return shutil.disk_usage(self.root).free

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """See `Disk`. The lock ends with the process, however that ends."""
        file = self.root / "lock"
        made = not file.exists()
        descriptor = os.open(file, os.O_RDONLY | os.O_CREAT, 0o644)  # to lock a file it is enough to read it
        try:
            if made:
                self._hand_over(file, 0o644)
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _hand_over(self, path: Path, mode: int) -> None:
        """Let the store's owner, whom the daemon runs as, have what root makes here; whatever root's umask is."""
        path.chmod(mode)
        if self._owner is not None:
            os.chown(path, *self._owner)

    def _lock(self, descriptor: int) -> None:
        end_s = time.monotonic() + self._patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end_s:
                    raise StoreBusy(
                        f"another process has been changing {self.root} for {self._patience_s:g} s"
                    ) from error
                time.sleep(_LOOK_S)  # flock itself knows no limit
            else:
                return


class _RealWriting:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
