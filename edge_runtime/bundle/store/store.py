"""The store of a board: content-addressed objects, signed manifests, and one file that says which bundle is which.

    objects/<sha256>    read-only content, shared by all bundles
    bundles/<sha256>    signed manifest, checked again whenever it is read
    incoming/<model>    signed manifest of a bundle that is on its way, so that its objects are not cleared away
    state.json          the one thing that is ever changed; its rename is the moment at which anything happens

Cut off anywhere, the store holds the state before or the state after, and every bundle that the state names is whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.bundle.container.bundle_file import BundleFile, SignedManifest, open_manifest
from edge_runtime.bundle.errors import BadStore, Downgrade, NoSpace, NothingThere, UpdateError
from edge_runtime.bundle.manifest import FileEntry
from edge_runtime.bundle.store.disk import Disk, put
from edge_runtime.bundle.store.state import STATE, Installed, Slots, State, state_from_bytes, state_to_bytes
from edge_runtime.errors import BundleError

if TYPE_CHECKING:
    from edge_runtime.bundle.trust import Trust

OBJECTS, BUNDLES, INCOMING = "objects", "bundles", "incoming"
TRIES = 3
_STATE_BYTES = 65536  # what a change may need
_SPARE = 1.1  # of what a bundle needs: a disk that is full to the last byte helps nobody

Admit = Callable[[SignedManifest], None]


@dataclass(frozen=True)
class Freed:
    """What garbage collection took away."""

    files: int
    size_bytes: int


class Store:
    """The store on a disk. Several processes may use it: each change is made under a lock.

    Args:
        disk: where it lies.
        trust: gives the keys; asked again each time, as they may change.
        admit: raises for a bundle that this board does not take, whoever signed it: another target, its licence.
        tries: how often a trial may be begun.
    """

    def __init__(
        self,
        disk: Disk,
        trust: Callable[[], Trust],
        admit: Admit = lambda signed: None,
        tries: int = TRIES,
    ) -> None:
        self._disk, self._trust, self._admit, self._tries = disk, trust, admit, tries

    # --- what there is -----------------------------------------------------------------------------------------------

    def state(self) -> State:
        """What is in which slot. BadStore: state.json cannot be read."""
        with _translated():
            try:
                return state_from_bytes(self._disk.read(STATE))
            except FileNotFoundError:
                return State()

    def slots(self, name: str) -> Slots:
        """Of one model. NothingThere: the store has none of that name."""
        models = self.state().models
        if name not in models:
            raise NothingThere(f"store has no model {name[:64]!r}, it has {', '.join(sorted(models)) or 'none'}")
        return models[name]

    def manifest(self, digest: str) -> SignedManifest:
        """A bundle's manifest, its signature checked. BadStore, SignatureRefused, BadContainer: it is not right."""
        with _translated():
            try:
                data = self._disk.read(f"{BUNDLES}/{digest}")
            except FileNotFoundError as error:
                raise BadStore(f"bundle {digest[:12]} is not in the store: install it again") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise BadStore(f"manifest of bundle {digest[:12]} is damaged: install it again")
        return open_manifest(data, self._trust())

    def check(self, digest: str) -> SignedManifest:
        """Check a bundle whole: its signature, and every object's hash. Raises as `manifest`."""
        signed = self.manifest(digest)
        for entry in signed.manifest.files:
            if not self._is_whole(entry):
                raise BadStore(f"{entry.path!r} of bundle {digest[:12]} is damaged or gone: install it again")
        return signed

    # --- a bundle comes ----------------------------------------------------------------------------------------------

    def receive(self, signed: SignedManifest, image: str = "") -> Receiving:
        """Begin to take a bundle.

        Args:
            signed: as `open_manifest` gave it with this board's keys.
            image: MCUboot's hash of the file that it comes as.

        Raises:
            Downgrade: its counter is too low.
            NoSpace: its files and a tenth more do not fit.
            UpdateError: `admit` refuses it.
        """
        self._admit(signed)
        manifest = signed.manifest
        floor = self.state().models.get(manifest.name, Slots()).floor
        if manifest.counter < floor:
            raise Downgrade(f"{manifest.name} {manifest.version}", manifest.counter, floor)
        with _translated():
            missing = {entry.sha256: entry for entry in manifest.files if not self._is_whole(entry)}
            need_bytes = int(_SPARE * (sum(entry.size for entry in missing.values()) + len(signed.data)))
            free_bytes = self._disk.free_bytes()
        if need_bytes > free_bytes:
            raise NoSpace(need_bytes, free_bytes)
        with self._changing():
            put(self._disk, f"{INCOMING}/{manifest.name}", [signed.data])
        return Receiving(self, signed, missing, Installed(signed.digest, manifest.version, manifest.counter, image))

    def install(self, bundle: BundleFile, *, test: bool = True) -> Installed:
        """Take a bundle file; with `test` the daemon tries it as soon as it can. Raises as `receive` and `files`."""
        receiving = self.receive(bundle.signed, bundle.container.hash)
        for entry, content in bundle.files():
            if entry.sha256 in receiving.missing:
                receiving.put(entry, content)
        return receiving.commit(test=test)

    def put_object(self, entry: FileEntry, content: Iterable[bytes]) -> None:
        """Write an object. BadStore: the content is not the one that the manifest lists. NoSpace: the disk is full."""
        with _translated(lambda: NoSpace(entry.size, self._disk.free_bytes())):
            self._make_folders()
            put(self._disk, f"{OBJECTS}/{entry.sha256}", _hashed(entry, content))

    def commit(self, signed: SignedManifest, bundle: Installed, *, test: bool) -> None:
        """Make a bundle whose objects are all there known. Called by `Receiving`."""
        name = signed.manifest.name

        def changed(slots: Slots) -> Slots:
            new = slots.received(bundle)
            return new.tested(self._tries) if test and new.waiting == bundle else new

        with self._changing() as state:
            for entry in signed.manifest.files:
                if self._disk.size(f"{OBJECTS}/{entry.sha256}") != entry.size:
                    raise BadStore(f"{entry.path!r} has not come, or was cleared away: send the bundle again")
            put(self._disk, f"{BUNDLES}/{bundle.digest}", [signed.data])
            self._write(state.changed(name, changed(state.models.get(name, Slots()))))
            if self._disk.size(f"{INCOMING}/{name}") is not None:
                self._disk.remove(f"{INCOMING}/{name}")

    # --- what becomes of it ------------------------------------------------------------------------------------------

    def test(self, name: str) -> Installed:
        """Mark what waits to be tried. NothingThere: nothing waits."""
        trial = self._change(name, lambda slots: slots.tested(self._tries)).trial
        assert trial is not None
        return trial

    def drop(self, name: str) -> None:
        """Let go of what waits. NothingThere: there is no such model."""
        self._change(name, Slots.dropped)

    def begin_trial(self, name: str) -> Installed | None:
        """Spend one try, durably, and say what to load; None: there are none left, and the trial is over.

        Raises:
            NothingThere: there is no trial.
        """
        return self._change(name, Slots.begin).trial

    def confirm(self, name: str) -> Installed:
        """Keep what is on trial. NothingThere: nothing is, or it was not tried."""
        active = self._change(name, Slots.confirmed).active
        assert active is not None
        return active

    def fail(self, name: str, reason: str) -> None:
        """End a trial: what was active stays. NothingThere: there is no trial."""
        self._change(name, lambda slots: slots.failed(reason))

    def rollback(self, name: str, reason: str = "rolled back by hand") -> Installed | None:
        """Go back, out of a trial or to the previous bundle; what is active then. Raises as `Slots.rolled_back`."""
        return self._change(name, lambda slots: slots.rolled_back(reason)).active

    def gc(self, *, unfinished: bool = False) -> Freed:
        """Take away what no slot names.

        Args:
            unfinished: bundles that began to come and never came to their end, too.

        Raises:
            BadStore: a manifest that is still needed cannot be read; nothing is done.
        """
        with self._changing() as state:
            digests = state.digests
            needed = {entry.sha256 for one in digests for entry in self.manifest(one).manifest.files}
            found = [f"{BUNDLES}/{name}" for name in self._disk.names(BUNDLES) if name not in digests]
            for name in self._disk.names(INCOMING):
                awaited = set() if unfinished else self._awaited(name)
                needed |= awaited
                found += [] if awaited else [f"{INCOMING}/{name}"]
            found += [f"{OBJECTS}/{name}" for name in self._disk.names(OBJECTS) if name not in needed]
            freed = Freed(len(found), sum(self._disk.size(path) or 0 for path in found))
            for path in found:
                self._disk.remove(path)
            return freed

    def _awaited(self, name: str) -> set[str]:
        """Objects of a bundle that is on its way; none if what names it is damaged or not signed."""
        try:
            signed = open_manifest(self._disk.read(f"{INCOMING}/{name}"), self._trust())
        except (UpdateError, BundleError):
            return set()
        return {entry.sha256 for entry in signed.manifest.files}

    # --- one change at a time ----------------------------------------------------------------------------------------

    def _change(self, name: str, change: Callable[[Slots], Slots]) -> Slots:
        with self._changing() as state:
            if name not in state.models:
                raise NothingThere(
                    f"store has no model {name[:64]!r}, it has {', '.join(sorted(state.models)) or 'none'}"
                )
            slots = change(state.models[name])
            self._write(state.changed(name, slots))
            return slots

    @contextlib.contextmanager
    def _changing(self) -> Iterator[State]:
        with _translated(lambda: NoSpace(_STATE_BYTES, self._disk.free_bytes())), self._disk.locked():
            self._make_folders()
            yield self.state()

    def _write(self, state: State) -> None:
        put(self._disk, STATE, [state_to_bytes(state)])

    def _make_folders(self) -> None:
        there = self._disk.names("")
        for folder in (OBJECTS, BUNDLES, INCOMING):
            if folder not in there:
                self._disk.make_folder(folder)
                self._disk.sync_folder("")

    def _is_whole(self, entry: FileEntry) -> bool:
        path = f"{OBJECTS}/{entry.sha256}"
        with _translated():
            if self._disk.size(path) != entry.size:
                return False
            hasher = hashlib.sha256()
            for piece in self._disk.pieces(path):
                hasher.update(piece)
            return hasher.hexdigest() == entry.sha256


class Receiving:
    """A bundle on its way into a store.

    Attributes:
        missing: the files that must still come, by their SHA-256; what the store has already is not among them.
    """

    def __init__(self, store: Store, signed: SignedManifest, missing: dict[str, FileEntry], bundle: Installed) -> None:
        self._store, self._signed, self._bundle, self.missing = store, signed, bundle, missing

    def put(self, entry: FileEntry, content: Iterable[bytes]) -> None:
        """Take a file. Raises as `Store.put_object`; then it is still missing."""
        self._store.put_object(entry, content)
        self.missing.pop(entry.sha256, None)

    def commit(self, *, test: bool = True) -> Installed:
        """Make the bundle known, durably. BadStore: a file has not come."""
        if self.missing:
            raise BadStore(
                f"{len(self.missing)} files have not come: {', '.join(one.path for one in self.missing.values())}"
            )
        self._store.commit(self._signed, self._bundle, test=test)
        return self._bundle


def _hashed(entry: FileEntry, content: Iterable[bytes]) -> Iterator[bytes]:
    """The content again; it ends with an error, before its file gets a name, if it is not the one that is listed."""
    hasher, size = hashlib.sha256(), 0
    for piece in content:
        hasher.update(piece)
        size += len(piece)
        if size > entry.size:
            break
        yield piece
    if (size, hasher.hexdigest()) != (entry.size, entry.sha256):
        raise BadStore(f"{entry.path!r} is not the file that the manifest lists: send it again")


@contextlib.contextmanager
def _translated(full: Callable[[], NoSpace] | None = None) -> Iterator[None]:
    """Say what the file system says in words of ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) and full is not None:
            raise full() from error
        raise BadStore(f"cannot use the store: {error.filename or 'disk'}: {error.strerror or error}") from error
