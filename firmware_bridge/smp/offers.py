"""Bundles that come file by file: what was offered, what is missing, what has come of it."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from edge_runtime.bundle.container.bundle_file import SignedManifest, open_manifest
from edge_runtime.bundle.errors import UpdateError
from edge_runtime.bundle.specs import FileEntry
from edge_runtime.bundle.store.state import Installed, Slots
from edge_runtime.bundle.store.store import Receiving, Store
from edge_runtime.bundle.trust import Trust
from edge_runtime.errors import EdgertError
from firmware_bridge.smp.codecs import decompress
from firmware_bridge.smp.edgert_group import (
    MOST_RANGES,
    CommitAnswer,
    OfferAnswer,
    OfferRequest,
    PutAnswer,
    PutRequest,
    StatusAnswer,
    missing_bits,
)
from firmware_bridge.smp.finishing import Finishing, StillBusy
from firmware_bridge.smp.parts import Part, Parts

MOST_OFFERS = 8
FORGET_S = 14 * 86400.0  # what has come of an object that nobody has gone on with


class NotOffered(UpdateError):
    """The object belongs to no bundle that was offered since the server started."""

    code = "not_offered"


class NotComplete(UpdateError):
    """The bundle is to be committed, but files of it have not come."""

    code = "not_complete"


class ChunkDamaged(UpdateError):
    """The piece is not what its CRC, or the whole not what its name says; send it again."""

    code = "chunk_damaged"


class ChunkOutside(UpdateError):
    """The piece reaches past the end of what it is a piece of."""

    code = "chunk_outside"


@dataclass
class _Arriving:
    """A signed manifest that is not whole yet."""

    size: int
    data: bytes = b""


class Offers:
    """Bundles on their way.

    Args:
        store: takes them.
        trust: the keys that are trusted now.
        parts: where objects are kept meanwhile.
        finishing: hashes what may be large.
        refused: told why a bundle or an object was not taken.
    """

    def __init__(
        self,
        store: Store,
        trust: Callable[[], Trust],
        parts: Parts,
        finishing: Finishing,
        refused: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._store, self._trust, self._parts, self._finishing = store, trust, parts, finishing
        self._refused = refused
        self._lock = threading.Lock()
        self._arriving: dict[str, _Arriving] = {}
        self._offers: dict[str, tuple[SignedManifest, Receiving]] = {}
        self._entries: dict[str, FileEntry] = {}

    # --- offer -------------------------------------------------------------------------------------------------------

    def offer(self, asked: OfferRequest) -> OfferAnswer:
        """A piece of a signed manifest.

        Raises:
            ChunkDamaged, ChunkOutside: it does not make the manifest that it names.
            UpdateError, BundleError: all of it has come, and the bundle is not taken.
        """
        name = asked.bundle.hex()
        if name in self._offers or self._finishing.goes_on(name):
            return self._offered(name, b"", asked.len)
        with self._lock:
            have, data = self._take(name, asked)
        if data is None:
            return OfferAnswer(have)
        if hashlib.sha256(data).hexdigest() != name:
            raise ChunkDamaged("manifest that was offered is not the one of that name: send it again")
        return self._offered(name, data, asked.len)

    def _take(self, name: str, asked: OfferRequest) -> tuple[int, bytes | None]:
        """How much has come, and all of it when it has."""
        arriving = self._arriving.get(name)
        if arriving is None or arriving.size != asked.len:
            while len(self._arriving) >= MOST_OFFERS:
                del self._arriving[next(iter(self._arriving))]
            arriving = self._arriving[name] = _Arriving(asked.len)
        if asked.off + len(asked.data) > asked.len:
            raise ChunkOutside(f"manifest has {asked.len} bytes, a piece of it ends at {asked.off + len(asked.data)}")
        if asked.off == len(arriving.data):
            arriving.data += asked.data
        if len(arriving.data) < arriving.size:
            return len(arriving.data), None
        return arriving.size, self._arriving.pop(name).data

    def _offered(self, name: str, data: bytes, size: int) -> OfferAnswer:
        try:
            if name not in self._offers:
                self._finishing.done(name, lambda: self._receive(name, data))
        except StillBusy:
            return OfferAnswer(size, busy=True)
        signed, receiving = self._offers[name]
        state, _ = self._known(name)
        bits, left = _missing(signed, receiving)
        return OfferAnswer(size, state if state != "unknown" else "receiving", bits, left)

    def _receive(self, name: str, data: bytes) -> None:
        try:
            signed = open_manifest(data, self._trust())
            receiving = self._store.receive(signed)
        except EdgertError as error:
            self._refused(str(error))
            raise
        self._parts.forget_older(FORGET_S)
        with self._lock:
            while len(self._offers) >= MOST_OFFERS:
                del self._offers[next(iter(self._offers))]
            self._offers[name] = (signed, receiving)
            self._index()

    # --- put ---------------------------------------------------------------------------------------------------------

    def put(self, asked: PutRequest) -> PutAnswer:
        """A piece of an object.

        Raises:
            NotOffered: no bundle that was offered has it.
            ChunkOutside, ChunkDamaged, BadCodec: the piece is not taken.
            NoSpace, BadStore: all has come, and it is not taken; what had come is gone if it was damaged.
        """
        name = asked.object.hex()
        entry = self._entry(name)
        data = decompress(asked.codec, asked.data, asked.size) if asked.codec else asked.data
        if asked.off + len(data) > entry.size:
            raise ChunkOutside(f"object has {entry.size} bytes, a piece of it ends at {asked.off + len(data)}")
        if zlib.crc32(data) != asked.crc:
            raise ChunkDamaged("piece does not have the CRC that was announced: send it again")
        if not self._is_missing(name):
            return PutAnswer(entry.size, durable=entry.size, done=True)
        part = self._parts.open(name, entry.size)
        part.write(asked.off, data)
        return self._progress(part, entry)

    def _progress(self, part: Part, entry: FileEntry) -> PutAnswer:
        busy = False
        if part.whole:
            try:
                self._finishing.done(part.name, lambda: self._keep(part, entry))
                return PutAnswer(entry.size, durable=entry.size, done=True)
            except StillBusy:
                busy = True
        return PutAnswer(part.prefix, part.further(MOST_RANGES), part.durable, busy=busy)

    def _keep(self, part: Part, entry: FileEntry) -> None:
        """Put an object into the store, which hashes it on the way."""
        if not self._is_missing(entry.sha256):
            return
        try:
            self._store.put_object(entry, part.pieces())
        except EdgertError as error:
            self._refused(str(error))
            if error.code != "no_space":
                self._parts.remove(part.name)
            raise
        with self._lock:
            for _, receiving in self._offers.values():
                receiving.missing.pop(entry.sha256, None)
        self._parts.remove(part.name)

    def _entry(self, name: str) -> FileEntry:
        entry = self._entries.get(name)
        if entry is None:
            raise NotOffered(f"object {name[:12]} belongs to no bundle that was offered: offer the bundle first")
        return entry

    def _index(self) -> None:
        """Note all objects that may come."""
        self._entries = {entry.sha256: entry for signed, _ in self._offers.values() for entry in signed.manifest.files}

    def _is_missing(self, name: str) -> bool:
        with self._lock:
            return any(name in receiving.missing for _, receiving in self._offers.values())

    # --- commit and status -------------------------------------------------------------------------------------------

    def commit(self, bundle: bytes, *, test: bool) -> CommitAnswer:
        """Make a bundle known, durably; asked again, say what is.

        Raises:
            NotOffered: nobody has offered it, and the store does not have it.
            NotComplete: files have not come.
        """
        name = bundle.hex()
        if name in self._offers:
            signed, receiving = self._offers[name]
            if receiving.missing:
                raise NotComplete(f"{len(receiving.missing)} files of {signed.manifest.name} have not come: put them")
            try:
                receiving.commit(test=test)
            finally:  # also when a file was cleared away meanwhile: then a new offer says which
                with self._lock:
                    self._offers.pop(name, None)
                    self._index()
        state, found = self._known(name)
        if found is None:
            raise NotOffered(f"bundle {name[:12]} is not here: offer it first")
        model, installed = found
        if test and state == "waiting":
            self._store.test(model)
            state = "trial"
        return CommitAnswer(model, installed.version, installed.counter, state == "trial")

    def bundle_status(self, bundle: bytes) -> StatusAnswer:
        """What became of a bundle. Raises what `offer` would, if that was still busy."""
        name = bundle.hex()
        if self._finishing.goes_on(name):
            return StatusAnswer("receiving", busy=True)
        state, found = self._known(name)
        if name in self._offers:
            signed, receiving = self._offers[name]
            bits, left = _missing(signed, receiving)
            manifest = signed.manifest
            state = state if state not in ("unknown", "refused") else "receiving"
            return StatusAnswer(state, manifest.name, manifest.version, missing=bits, left=left)
        if found is None:
            return StatusAnswer("unknown")
        slots = self._store.slots(found[0])
        reason = slots.refused.reason if slots.refused and state == "refused" else ""
        return StatusAnswer(state, found[0], found[1].version, reason[:4096], begun=slots.begun)

    def object_status(self, wanted: bytes) -> StatusAnswer:
        """What has come of an object."""
        name = wanted.hex()
        try:
            entry = self._entry(name)
        except NotOffered:
            return StatusAnswer("unknown")
        if not self._is_missing(name):
            return StatusAnswer("active", off=entry.size, durable=entry.size, done=True)
        got = self._progress(self._parts.open(name, entry.size), entry)
        state = "active" if got.done else "receiving"
        return StatusAnswer(state, off=got.off, ranges=got.ranges, durable=got.durable, done=got.done, busy=got.busy)

    def _known(self, digest: str) -> tuple[str, tuple[str, Installed] | None]:
        """What the store has made of a bundle, its model, and what it is."""
        for model, slots in self._store.state().models.items():
            for state, bundle in _places(slots):
                if bundle is not None and bundle.digest == digest:
                    return state, (model, bundle)
        return "unknown", None


def _places(slots: Slots) -> list[tuple[str, Installed | None]]:
    refused = slots.refused.bundle if slots.refused else None
    return [
        ("active", slots.active),
        ("trial", slots.trial),
        ("waiting", slots.waiting),
        ("refused", refused),  # before "previous": who asks wants to know why it is not active any more
        ("previous", slots.previous),
    ]


def _missing(signed: SignedManifest, receiving: Receiving) -> tuple[bytes, int]:
    """The bits of what must still come, in the manifest's order, and how many bytes that is."""
    missing = dict(receiving.missing)
    bits = missing_bits([entry.sha256 in missing for entry in signed.manifest.files])
    return bits, sum(entry.size for entry in missing.values())
