"""The one folder that the fs group sees: flat, with names of its own alphabet, and a limit on what it holds.

It is where a person puts what a tool shall fetch (`/files/NAME`), and where tools put what a person shall find. Nothing
in edgert reads it. No name leads out of it, and no link in it is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.errors import EdgertError
from firmware_bridge.smp.parts import sync_path

MOUNT = "/files/"
MOST_NAME_CHARS = 64
MOST_FILES = 256
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
_PART = ".part"  # begins with the one character that no name may begin with
_CHUNK_BYTES = 1 << 16


class FileRefused(EdgertError):
    """A file cannot be read or written; `code` says why."""

    code = "file_refused"


class BadName(FileRefused):
    """The name is none that a file here can have."""

    code = "bad_name"


class WrongMount(FileRefused):
    """The name lies outside of the one folder there is."""

    code = "wrong_mount"


class NoFile(FileRefused):
    """There is no such file."""

    code = "no_file"


class NoRoom(FileRefused):
    """The folder would hold more than it may."""

    code = "no_room"


class BadOffset(FileRefused):
    """The place lies behind the end."""

    code = "bad_offset"


class BrokenFile(FileRefused):
    """The file system refuses."""

    code = "broken_file"


class Files:
    """The folder, made if it is not there.

    Args:
        folder: where.
        most_bytes: of all files together.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._lock = threading.Lock()
        self._uploads: dict[str, int] = {}  # name -> announced size
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob(_PART + "*"):  # nobody can go on with it: fs uploads have no hash to know it by
            path.unlink()

    def size(self, name: str) -> int:
        """Bytes of a file."""
        with self._opened(name) as descriptor:
            return os.fstat(descriptor).st_size

    def read(self, name: str, offset: int, most: int) -> tuple[bytes, int]:
        """At most so many bytes from a place on, and the file's size. BadOffset: it is shorter."""
        with self._opened(name) as descriptor:
            size = os.fstat(descriptor).st_size
            if offset > size:
                raise BadOffset(f"offset is {offset}, {name[:64]!r} has {size} bytes")
            return os.pread(descriptor, most, offset), size

    def checked(self, name: str, kind: str, offset: int, length: int | None) -> tuple[int, bytes | int]:
        """How many bytes from a place on were read, and their "sha256" or "crc32"."""
        hasher, crc, done = hashlib.sha256(), 0, 0
        for piece in self._pieces(name, offset, length):
            done += len(piece)
            if kind == "sha256":
                hasher.update(piece)
            else:
                crc = zlib.crc32(piece, crc)
        return done, hasher.digest() if kind == "sha256" else crc

    def write(self, name: str, offset: int, data: bytes, size: int | None) -> int:
        """Take a piece of a file; the next byte that is wanted.

        Offset 0 with the whole file's size begins it anew. A piece that comes twice, or too early, changes nothing.
        The file has its name when all has come and is on the disk; until then the old one stays.
        """
        path = self._folder / _checked(name)
        part = self._folder / (_PART + path.name)
        with self._lock, _translated(name):
            if offset == 0 and size is not None:
                self._begin(path.name, part, size)
            if path.name not in self._uploads:
                raise BadOffset(f"no upload of {name[:64]!r} is going on: begin at offset 0, with its length")
            have, whole = part.stat().st_size, self._uploads[path.name]
            if offset != have:
                return have
            if have + len(data) > whole:
                raise BadOffset(f"{name[:64]!r} was announced with {whole} bytes, more came")
            self._append(part, data)
            if have + len(data) == whole:
                self._finish(part, path)
            return have + len(data)

    def close(self) -> None:
        """What the fs group calls closing: nothing stays open between requests."""

    def _begin(self, name: str, part: Path, size: int) -> None:
        there = [entry for entry in self._folder.iterdir() if not entry.name.startswith(_PART)]
        announced = {other: more for other, more in self._uploads.items() if other != name}
        taken = sum(entry.lstat().st_size for entry in there) + sum(announced.values())
        if taken + size > self._most_bytes or len(there) + len(announced) >= MOST_FILES:
            raise NoRoom(
                f"{name!r} has {size} bytes: {MOST_FILES} files, {self._most_bytes} bytes together, are the most here"
            )
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self._uploads[name] = size

    def _append(self, part: Path, data: bytes) -> None:
        descriptor = os.open(part, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW)
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)

    def _finish(self, part: Path, path: Path) -> None:
        sync_path(part)
        part.replace(path)
        sync_path(self._folder)
        del self._uploads[path.name]

    @contextlib.contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A file, open for reading; links, and what is no file, are refused."""
        path = self._folder / _checked(name)
        with _translated(name):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise NoFile(f"{name[:64]!r} is no file")
            yield descriptor
        finally:
            os.close(descriptor)

    def _pieces(self, name: str, offset: int, length: int | None) -> Iterator[bytes]:
        with self._opened(name) as descriptor:
            size = os.fstat(descriptor).st_size
            if offset > size:
                raise BadOffset(f"offset is {offset}, {name[:64]!r} has {size} bytes")
            end = size if length is None else min(size, offset + length)
            while offset < end and (piece := os.pread(descriptor, min(_CHUNK_BYTES, end - offset), offset)):
                yield piece
                offset += len(piece)


@contextlib.contextmanager
def _translated(name: str) -> Iterator[None]:
    """Say what the file system says in words of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise NoFile(f"there is no file {name[:64]!r}") from error
    except OSError as error:
        raise BrokenFile(f"{name[:64]!r}: {error.strerror or error}") from error


def _checked(name: str) -> str:
    """The bare name of `NAME` or `/files/NAME`."""
    if name.startswith("/") and not name.startswith(MOUNT):
        raise WrongMount(f"name {name[:64]!r} must begin with {MOUNT!r}, or be a bare name")
    bare = name.removeprefix(MOUNT)
    if not _NAME.fullmatch(bare) or ".." in bare:
        raise BadName(f"name {name[:64]!r} must be {MOUNT}NAME: 1 to {MOST_NAME_CHARS} of A-Z a-z 0-9 _ . -")
    return bare
