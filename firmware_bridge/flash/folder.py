"""`dir:PATH`: the store itself, in a folder of this machine: a card in a reader, a root file system, this board.

Nothing decides here whether the bundle is good: the daemon of the board that gets the folder tries it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_runtime.bundle.container.bundle_file import open_manifest
from edge_runtime.bundle.errors import BadStore, UpdateError
from edge_runtime.bundle.store.disk import RealDisk
from edge_runtime.bundle.store.state import Slots
from edge_runtime.bundle.store.store import OBJECTS, Receiving, Store
from edge_runtime.bundle.target import Here, check_target
from edge_runtime.bundle.trust import Trust
from edge_runtime.errors import BundleError
from firmware_bridge.errors import BadTarget, NotDecided, RolledBack
from firmware_bridge.flash.cargo import Cargo, Item
from firmware_bridge.flash.target import End, Progress, Sent, Wanted

_CHUNK_BYTES = 1 << 20
_LOOK_S = 0.2


class FolderTarget:
    """A store in a folder.

    Args:
        root: the store; made if its parent is there.
        trust: the keys that the board will trust.
        board: what the board is; None: it is not known, so a bundle for other boards is not noticed here.
        wait: whether a daemon serves this store now, so that there is something to wait for.
    """

    def __init__(
        self, root: Path, trust: Callable[[], Trust], board: Here | None = None, *, wait: bool = False
    ) -> None:
        if not root.parent.is_dir():
            raise BadTarget(f"there is no folder {root.parent}: is the card mounted?")
        try:
            self._disk = RealDisk(root)
        except OSError as error:
            raise BadStore(f"cannot make {root}: {error.strerror}") from error
        self._root, self._board, self._wait, self._trust = root, board, wait, trust
        self._store = Store(self._disk, trust)
        self._receiving: Receiving | None = None

    def look(self, cargo: Cargo) -> Wanted:
        """See `Target`. The signature is checked with the keys given."""
        signed = open_manifest(cargo.signed.data, self._trust())
        if self._board is not None:
            check_target(signed.container.label.target, self._board)
        state = _state(self._store, cargo)
        self._receiving = self._store.receive(signed, cargo.image)
        items = [item for item in cargo.items if item.entry.sha256 in self._receiving.missing]
        return Wanted(
            items,
            sum(item.entry.size for item in items),
            free_bytes=self._disk.free_bytes(),
            state=state,
            way=f"folder {self._root}",
        )

    def send(self, cargo: Cargo, wanted: Wanted, progress: Progress) -> Sent:
        """See `Target`."""
        assert self._receiving is not None
        done = 0
        for item in wanted.items:
            self._receiving.put(item.entry, _content(cargo, item, done, progress))
            done += item.entry.size
        return Sent(done, 0, done)

    def commit(self, cargo: Cargo, *, test: bool) -> None:
        """See `Target`: what was written is read back from the card first."""
        assert self._receiving is not None
        installed = self._receiving.commit(test=False)
        for item in cargo.items:
            self._forget(item)
        self._store.check(installed.digest)
        name = cargo.signed.manifest.name
        if test and self._store.slots(name).waiting == installed:
            self._store.test(name)

    def _forget(self, item: Item) -> None:
        """Drop what the system remembers of a file, so that it is read from the card and not from memory."""
        with contextlib.suppress(OSError), (self._root / OBJECTS / item.entry.sha256).open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def outcome(self, cargo: Cargo, limit_s: float, tell: Callable[[str], None]) -> End:
        """See `Target`."""
        if not self._wait:
            return "installed"
        end_s = time.monotonic() + limit_s
        while True:
            slots = self._store.slots(cargo.signed.manifest.name)
            if slots.active is not None and slots.active.digest == cargo.signed.digest:
                return "confirmed"
            if slots.trial is None and _was_refused(slots, cargo):
                assert slots.refused is not None
                raise RolledBack(f"{cargo.signed.manifest.version} did not stay: {slots.refused.reason}")
            if time.monotonic() >= end_s:
                raise NotDecided(f"not decided in {limit_s:g} s: is the daemon of this store running?")
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """See `Target`."""


def _state(store: Store, cargo: Cargo) -> str:
    """Which slot this very bundle is in."""
    with contextlib.suppress(UpdateError, BundleError):
        slots = store.slots(cargo.signed.manifest.name)
        for name in ("active", "trial", "waiting", "previous"):
            bundle = getattr(slots, name)
            if bundle is not None and bundle.digest == cargo.signed.digest:
                return name
        if _was_refused(slots, cargo):
            return "refused"
    return ""


def _was_refused(slots: Slots, cargo: Cargo) -> bool:
    return slots.refused is not None and slots.refused.bundle.digest == cargo.signed.digest


def _content(cargo: Cargo, item: Item, before: int, progress: Progress) -> Iterator[bytes]:
    for at in range(0, item.entry.size, _CHUNK_BYTES):
        piece = cargo.read(item, at, _CHUNK_BYTES)
        yield piece
        progress(before + at + len(piece))
