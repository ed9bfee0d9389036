"""A bundle file as what may have to travel: its signed manifest, and each of its files at its place."""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.container.bundle_file import SignedManifest, open_bundle
from edge_runtime.bundle.errors import BadContainer, SignatureRefused
from edge_runtime.bundle.manifest import FileEntry

_SAMPLE_BYTES = 65536
_SAMPLES = 4


@dataclass(frozen=True)
class Item:
    """A file of the bundle; `offset` is where it begins in the bundle file."""

    entry: FileEntry
    offset: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content."""
        return bytes.fromhex(self.entry.sha256)


class Cargo:
    """An open bundle file whose hashes were all checked; whether its signature counts, the board says.

    Attributes:
        path: of the file.
        signed: its manifest with what vouches for it.
        image: MCUboot's hash of the whole file, in hex.
        items: the files, in the manifest's order; of two that are the same the first.
    """

    def __init__(self, path: Path, descriptor: int, signed: SignedManifest, image: str, items: list[Item]) -> None:
        self.path, self.signed, self.image, self.items, self._descriptor = path, signed, image, items, descriptor

    @property
    def size_bytes(self) -> int:
        """Of the whole file."""
        return os.fstat(self._descriptor).st_size

    def read(self, item: Item, offset: int, size: int) -> bytes:
        """A part of a file. BadContainer: the bundle file has become shorter."""
        size = min(size, item.entry.size - offset)
        data = os.pread(self._descriptor, size, item.offset + offset)
        if len(data) != size:
            raise BadContainer(f"{self.path} was changed while it was read")
        return data

    def whole(self) -> bytes:
        """The bundle file."""
        return os.pread(self._descriptor, self.size_bytes, 0)

    def compressed_share(self, items: list[Item]) -> float:
        """About which share of these files is left when they are compressed, by samples of the largest."""
        largest = sorted(items, key=lambda one: one.entry.size, reverse=True)[:_SAMPLES]
        raw = squeezed = 0
        for item in largest:
            sample = self.read(item, item.entry.size // 3, _SAMPLE_BYTES)
            raw += len(sample)
            squeezed += min(len(sample), len(zlib.compress(sample, 1)))
        return squeezed / raw if raw else 1.0


@contextlib.contextmanager
def open_cargo(path: Path) -> Iterator[Cargo]:
    """Open a bundle file and check every hash in it.

    Raises:
        SignatureRefused: nobody has signed it, so that no board would take it.
        BadContainer, BundleError: it is not whole.
    """
    with path.open("rb") as stream:
        opened = open_bundle(stream, None)
        if not opened.container.key_id:
            raise SignatureRefused(f"{path.name} is not signed, no board takes it: run `edgert bundle sign` first")
        items: dict[str, Item] = {}
        for entry, content in opened.files():
            items.setdefault(entry.sha256, Item(entry, stream.tell()))
            for _ in content:
                pass
        yield Cargo(path, stream.fileno(), opened.signed, opened.container.hash, list(items.values()))
