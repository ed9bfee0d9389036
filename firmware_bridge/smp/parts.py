"""What has come of a file that is not whole yet, kept so that a power cut loses little of it.

    NAME.part      the bytes, each at its place
    NAME.journal   lines that say which of them are on the disk for certain; the last whole line counts

A line is added only after the bytes it speaks of were synced. So what a journal says outlives any cut, and what came
after its last line, `STEP_BYTES` and a little more, is sent again.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from firmware_bridge.smp.ranges import Ranges

STEP_BYTES = 48 << 10  # with eight requests of 8 KB under way, under 128 KB are sent again after a cut
MOST_OPEN = 32
_STEP_SHARE = 256  # of a large file, a share of it: syncing has its price, and a 256th is not much to send again
_CHUNK_BYTES = 1 << 20
_PART, _JOURNAL = ".part", ".journal"


class Part:
    """One such file. Several senders may write to it at once.

    Args:
        folder: where it lies.
        name: without slashes; the caller's.
        size: of the whole. What is there of another size is thrown away.
    """

    def __init__(self, folder: Path, name: str, size: int) -> None:
        self.name, self.size = name, size
        self._file, self._journal = folder / (name + _PART), folder / (name + _JOURNAL)
        self._lock = threading.Lock()
        self._durable = _read_journal(self._journal, size) if self._file.exists() else Ranges()
        self._received = Ranges(self._durable)
        self._unproven = 0
        self._known = len(self._durable) > 0  # whether the names are on the disk
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        if not self._durable:
            self._journal.unlink(missing_ok=True)
        self._descriptor = os.open(self._file, flags | (0 if self._durable else os.O_TRUNC), 0o600)
        self._lines = os.open(self._journal, flags | os.O_APPEND, 0o600)

    @property
    def step_bytes(self) -> int:
        """How much may come before it is made certain."""
        return max(STEP_BYTES, self.size // _STEP_SHARE)

    @property
    def prefix(self) -> int:
        """Everything before this byte has come."""
        return self._received.prefix

    @property
    def durable(self) -> int:
        """Everything before this byte outlives a power cut."""
        return self._durable.prefix

    @property
    def whole(self) -> bool:
        """Whether all has come."""
        return self._received.prefix == self.size

    def further(self, most: int) -> tuple[int, ...]:
        """What has come behind the first gap: pairs of first and past-the-last byte, flat."""
        with self._lock:
            return self._received.after_prefix(most)

    def write(self, offset: int, data: bytes) -> int:
        """Take bytes at their place; how many of them were new.

        What would leave too many gaps is not taken, and counts as not having come. OSError: the disk is full or fails.
        """
        end = offset + len(data)
        with self._lock:
            if self._received.covers(offset, end) or not self._received.room_for(offset, end):
                return 0
            _write_at(self._descriptor, data, offset)
            new = self._received.add(offset, end)
            self._unproven += new
            if self._unproven >= self.step_bytes or self._received.prefix == self.size:
                self._prove()
            return new

    def head(self, size: int) -> bytes:
        """The first bytes, as far as they have come."""
        return os.pread(self._descriptor, min(size, self.prefix), 0)

    def pieces(self) -> Iterator[bytes]:
        """The whole content."""
        with self._file.open("rb") as stream:
            while piece := stream.read(_CHUNK_BYTES):
                yield piece

    @property
    def file(self) -> Path:
        """The bytes as a file."""
        return self._file

    def close(self) -> None:
        """Make certain what has come, and let go of it."""
        with self._lock:
            if self._unproven and self._descriptor >= 0:
                with contextlib.suppress(OSError):  # then it counts as not having come
                    self._prove()
            self._let_go()

    def remove(self) -> None:
        """Throw it away."""
        with self._lock:
            self._let_go()
            self._journal.unlink(missing_ok=True)
            self._file.unlink(missing_ok=True)

    def _let_go(self) -> None:
        for descriptor in (self._descriptor, self._lines):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lines = -1

    def _prove(self) -> None:
        """Sync, and say so in the journal: in this order."""
        os.fsync(self._descriptor)
        os.write(self._lines, _line(self.size, self._received))
        os.fsync(self._lines)
        if not self._known:
            sync_path(self._file.parent)
            self._known = True
        self._durable = Ranges(self._received)
        self._unproven = 0


class Parts:
    """The parts in a folder, which is made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Part] = {}
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def open(self, name: str, size: int) -> Part:
        """The part of this name, with what has come of it before."""
        with self._lock:
            part = self._open.pop(name, None)
            if part is not None and part.size != size:
                part.remove()
                part = None
            while len(self._open) >= MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            self._open[name] = part or Part(self._folder, name, size)
            return self._open[name]

    def remove(self, name: str) -> None:
        """Throw away what has come of it."""
        with self._lock:
            part = self._open.pop(name, None)
        if part is not None:
            part.remove()
        for ending in (_PART, _JOURNAL):
            (self._folder / (name + ending)).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Of all that have begun, the one that was written to last at the end."""
        found = sorted((_changed_s(path), path.name) for path in self._folder.glob("*" + _PART))
        return [name.removesuffix(_PART) for _, name in found]

    def forget_older(self, age_s: float) -> None:
        """Throw away what nobody has sent anything of for so long."""
        limit_s = time.time() - age_s
        for path in self._folder.glob("*" + _PART):
            name = path.name.removesuffix(_PART)
            if name not in self._open and _changed_s(path) < limit_s:
                self.remove(name)

    def close(self) -> None:
        """Make certain what has come of all."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    left = memoryview(data)
    while left:
        written = os.pwrite(descriptor, left, offset)
        left, offset = left[written:], offset + written


def _line(size: int, ranges: Ranges) -> bytes:
    said = f"{size} " + ",".join(f"{start}-{end}" for start, end in ranges)
    return f"\n{zlib.crc32(said.encode()):08x} {said}\n".encode()  # a torn line before it must not swallow this one


def _read_journal(file: Path, size: int) -> Ranges:
    """What the last whole line says; nothing if there is none, or none of this size."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return Ranges()
    for line in reversed(lines):
        crc, _, said = line.partition(b" ")
        if crc == f"{zlib.crc32(said):08x}".encode():
            return _ranges_of(said.decode("ascii", "replace"), size)
    return Ranges()


def _ranges_of(said: str, size: int) -> Ranges:
    written_size, _, pairs = said.partition(" ")
    if written_size != str(size):
        return Ranges()
    bounds = [pair.split("-") for pair in pairs.split(",") if pair]
    return Ranges((int(start), int(end)) for start, end in bounds)


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def sync_path(path: Path) -> None:
    """Return when a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
