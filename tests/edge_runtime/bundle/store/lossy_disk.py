"""A disk whose power can be cut before any operation, and what it may look like afterwards.

What was synced is there. Of what was not, each write may be lost, torn, zeros, or there before an earlier one, and the
names of files are those after some of the changes of names, in order. After ALICE (Pillai et al., OSDI 2014).
"""

from __future__ import annotations

import contextlib
import copy
import errno
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge_runtime.bundle.store.disk import folder_of

BLOCK = 512


class PowerCut(BaseException):
    """The machine is gone; nothing may catch this."""


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    unsynced: list[tuple[int, bytes]] = field(default_factory=list)


@dataclass(frozen=True)
class _Naming:
    folder: str
    path: str
    number: int | None  # None: the name goes


class LossyDisk:
    """A `Disk` in memory.

    Attributes:
        operations: how many there were.
        cut_at: the operation before which the power goes.
        room_bytes: after which the disk is full.
        log: what each operation was.
    """

    def __init__(self) -> None:
        self.operations, self.cut_at, self.room_bytes = 0, -1, 1 << 30
        self.log: list[str] = []
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._durable_names: dict[str, int] = {}
        self._namings: list[_Naming] = []
        self._folders = {""}

    def copy(self) -> LossyDisk:
        return copy.deepcopy(self)

    def after_cut(self, rng: random.Random) -> LossyDisk:
        """One of the disks that are left if the power goes now."""
        left = LossyDisk()
        left._folders = set(self._folders)
        names = dict(self._durable_names)
        for naming in self._namings[: rng.randint(0, len(self._namings))]:
            _apply(names, naming)
        for number, path in enumerate(sorted(names)):
            data = _torn(self._files[names[path]], rng)
            left._files[number] = _File(bytearray(data), bytes(data))
            left._names[path] = left._durable_names[path] = number
        return left

    def damage(self, path: str) -> None:
        """A bit rots."""
        self._files[self._names[path]].now[0] ^= 1

    # --- Disk --------------------------------------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return bytes(self._files[self._names[path]].now)

    def pieces(self, path: str) -> Iterator[bytes]:
        yield self.read(path)

    def size(self, path: str) -> int | None:
        return len(self.read(path)) if path in self._names else None

    def names(self, folder: str) -> list[str]:
        files = [path.rpartition("/")[2] for path in self._names if folder_of(path) == folder]
        return sorted(files + [name for name in self._folders if name and folder_of(name) == folder])

    def make_folder(self, folder: str) -> None:
        self._step(f"mkdir {folder}")
        self._folders.add(folder)  # that folders themselves survive is not doubted here

    def create(self, path: str) -> _LossyWriting:
        self._step(f"create {path}")
        number = len(self._files)
        self._files[number] = _File()
        self._name(path, number)
        return _LossyWriting(self, self._files[number], path)

    def rename(self, path: str, to: str) -> None:
        self._step(f"rename {to}")
        number = self._names[path]
        self._name(to, number)
        self._name(path, None)

    def remove(self, path: str) -> None:
        self._step(f"remove {path}")
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        self._name(path, None)

    def sync_folder(self, folder: str) -> None:
        self._step(f"sync folder {folder}")
        self.sync_names(folder)

    def free_bytes(self) -> int:
        return self.room_bytes - sum(len(self._files[number].now) for number in set(self._names.values()))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        yield

    # --- inside ------------------------------------------------------------------------------------------------------

    def sync_names(self, folder: str) -> None:
        for naming in self._namings:
            if naming.folder == folder:
                _apply(self._durable_names, naming)
        self._namings = [naming for naming in self._namings if naming.folder != folder]

    def _step(self, what: str) -> None:
        if self.operations == self.cut_at:
            raise PowerCut(what)
        self.operations += 1
        self.log.append(what)

    def _name(self, path: str, number: int | None) -> None:
        self._namings.append(_Naming(folder_of(path), path, number))
        _apply(self._names, self._namings[-1])


class _LossyWriting:
    def __init__(self, disk: LossyDisk, file: _File, path: str) -> None:
        self._disk, self._file, self._path = disk, file, path

    def write(self, data: bytes) -> None:
        for at in range(0, len(data), BLOCK):
            block = data[at : at + BLOCK]
            self._disk._step(f"write {self._path}")
            if self._disk.free_bytes() < len(block):
                raise OSError(errno.ENOSPC, "no space left on device", self._path)
            self._file.unsynced.append((len(self._file.now), block))
            self._file.now += block

    def sync(self) -> None:
        self._disk._step(f"sync {self._path}")
        self._disk_sync()

    def close(self) -> None:
        pass

    def _disk_sync(self) -> None:
        self._file.durable, self._file.unsynced = bytes(self._file.now), []


def _apply(names: dict[str, int], naming: _Naming) -> None:
    if naming.number is None:
        names.pop(naming.path, None)
    else:
        names[naming.path] = naming.number


def _torn(file: _File, rng: random.Random) -> bytes:
    data = bytearray(file.durable)
    for at, block in file.unsynced:
        fate = rng.random()
        if fate < 0.4:
            continue
        if fate < 0.6:
            block = block[: rng.randrange(len(block))]
        elif fate < 0.7:
            block = bytes(len(block))  # the length came to the disk before the data
        if len(data) < at:
            data.extend(bytes(at - len(data)))
        data[at : at + len(block)] = block
    return bytes(data)


class NoSync(LossyDisk):
    """A mutant: the contents of files are not synced."""

    def create(self, path: str) -> _LossyWriting:
        writing = super().create(path)
        writing._disk_sync = lambda: None  # type: ignore[method-assign]
        return writing


class NoFolderSync(LossyDisk):
    """A mutant: the names of files are not synced."""

    def sync_names(self, folder: str) -> None:
        pass
