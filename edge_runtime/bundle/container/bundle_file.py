"""`NAME-VERSION.edgert`: a whole bundle as one signed file.

Its body is a tar. The first file in it, `manifest.edgert`, is a container of its own around the exact bytes of
`manifest.json`: it stays with the bundle wherever its files go one by one, and vouches for them by their hashes.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from edge_runtime.bundle.container.image import HEADER_BYTES, Version
from edge_runtime.bundle.container.sealed import Container, Kind, Label, inspect, verify, write_container
from edge_runtime.bundle.container.tape import CHUNK_BYTES, Member, read_tape, tape_bytes, write_tape
from edge_runtime.bundle.errors import BadContainer
from edge_runtime.bundle.manifest import MANIFEST, MAX_MANIFEST_BYTES, FileEntry, Manifest, from_json, read_bundle
from edge_runtime.bundle.target import Target
from edge_runtime.errors import BundleError

if TYPE_CHECKING:
    from edge_runtime.bundle.container.keys import SigningKey
    from edge_runtime.bundle.trust import Trust

SUFFIX = ".edgert"
SIGNED_MANIFEST = "manifest.edgert"
MOST_SIGNED_MANIFEST_BYTES = MAX_MANIFEST_BYTES + (1 << 17)  # header and both TLV areas at their largest


@dataclass(frozen=True)
class SignedManifest:
    """A manifest with what vouches for it; `data` is the whole small container, `body` the bytes of manifest.json."""

    container: Container
    manifest: Manifest
    data: bytes
    body: bytes

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the small container: what a store calls this bundle."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True)
class BundleFile:
    """An opened bundle file."""

    container: Container
    signed: SignedManifest
    _files: Iterator[tuple[Member, Iterator[bytes]]]

    def files(self) -> Iterator[tuple[FileEntry, Iterator[bytes]]]:
        """Each file with its content in pieces, once; the last piece comes only if the hash is right.

        Raises:
            BadContainer: a file too many or too few, in another order, or altered.
        """
        for entry in self.signed.manifest.files:
            member, content = next(self._files, (None, iter(())))
            if member != Member(entry.path, entry.size):
                found = f"{member.path!r} of {member.size} bytes" if member else "the end"
                raise BadContainer(f"manifest lists {entry.path!r} of {entry.size} bytes, in the tar comes {found}")
            yield entry, _checked(entry, content)
        if (extra := next(self._files, None)) is not None:
            raise BadContainer(f"{extra[0].path!r} is in the tar but not in the manifest")


def file_name(manifest: Manifest) -> str:
    """What a bundle file is called."""
    return f"{manifest.name}-{manifest.version}{SUFFIX}"


def build(folder: Path, out: Path, key: SigningKey | None, target: Target) -> Manifest:
    """Make one file of a bundle folder; the same folder, key and target give the same bytes.

    Args:
        out: written whole or not at all.
        key: None makes a file that still has to be signed.

    Raises:
        BundleError: the folder is not a whole bundle.
        BadContainer: something in it does not fit the format.
    """
    manifest = read_bundle(folder)
    files = ((entry, _pieces(folder / entry.path)) for entry in manifest.files)
    _write(out, (folder / MANIFEST).read_bytes(), files, key, target)
    return manifest


def sign(source: Path, out: Path, key: SigningKey) -> Manifest:
    """Sign a bundle file anew: one that was not signed, or that was for development. Raises as `open_bundle`."""
    with source.open("rb") as stream:
        opened = open_bundle(stream, None)
        _write(out, opened.signed.body, opened.files(), key, opened.container.label.target)
    return opened.signed.manifest


def open_bundle(stream: BinaryIO, trust: Trust | None) -> BundleFile:
    """Check a bundle file and open it; its files are read later, from the same stream.

    Args:
        stream: seekable, at its beginning.
        trust: whose signature is asked for; None, on a workstation, checks hashes only.

    Raises:
        SignatureRefused: the signature, before anything but sizes was looked at.
        BadContainer, BundleError: it is not whole, or not as edgert writes it.
    """
    outer = _check(stream, trust, "bundle")
    stream.seek(HEADER_BYTES)
    files = read_tape(stream, outer.body_bytes)
    first, content = next(files, (None, iter(())))
    if first is None or first.path != SIGNED_MANIFEST or first.size > MOST_SIGNED_MANIFEST_BYTES:
        raise BadContainer(f"tar must begin with {SIGNED_MANIFEST!r} of at most {MOST_SIGNED_MANIFEST_BYTES} bytes")
    signed = open_manifest(b"".join(content), trust)
    inner = signed.container
    for what in ("version", "counter", "target"):
        if getattr(inner.label, what) != getattr(outer.label, what):
            raise BadContainer(f"{what} of the bundle file and of the manifest in it are not the same")
    if (inner.role, inner.key_id) != (outer.role, outer.key_id):
        raise BadContainer("bundle file and the manifest in it are signed with different keys")
    return BundleFile(outer, signed, files)


def open_manifest(data: bytes, trust: Trust | None) -> SignedManifest:
    """Check a signed manifest and read it; `trust` and errors as for `open_bundle`."""
    container = _check(io.BytesIO(data), trust, "manifest")
    if container.body_bytes > MAX_MANIFEST_BYTES:
        raise BadContainer(f"manifest has {container.body_bytes} bytes, more than {MAX_MANIFEST_BYTES}")
    body = data[HEADER_BYTES : HEADER_BYTES + container.body_bytes]
    manifest = from_json(body)
    if any(entry.path.casefold() == SIGNED_MANIFEST for entry in manifest.files):
        raise BadContainer(f"manifest lists {SIGNED_MANIFEST!r}, a name that the container needs")
    if _label("manifest", manifest, container.label.target) != container.label:
        raise BadContainer("version or counter of the container are not those of its manifest")
    return SignedManifest(container, manifest, data, body)


def _check(stream: BinaryIO, trust: Trust | None, kind: Kind) -> Container:
    return inspect(stream, kind) if trust is None else verify(stream, trust, kind)


def _label(kind: Kind, manifest: Manifest, target: Target) -> Label:
    return Label(kind, Version.parse(manifest.version), manifest.counter, target)


def _write(
    out: Path, body: bytes, files: Iterator[tuple[FileEntry, Iterator[bytes]]], key: SigningKey | None, target: Target
) -> None:
    manifest = from_json(body)
    small = io.BytesIO()
    write_container(small.write, _label("manifest", manifest, target), [body], len(body), key)
    first = Member(SIGNED_MANIFEST, len(small.getvalue()))
    open_manifest(small.getvalue(), None)  # what the reader would refuse must never be written
    members = [first, *(Member(entry.path, entry.size) for entry in manifest.files)]
    contents = ((Member(entry.path, entry.size), content) for entry, content in files)
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as stream:
            tape = _joined(first, small.getvalue(), contents)
            write_container(stream.write, _label("bundle", manifest, target), tape, tape_bytes(members), key)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(out)
    except OSError as error:
        raise BundleError(f"cannot write {out}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _joined(first: Member, data: bytes, contents: Iterator[tuple[Member, Iterator[bytes]]]) -> Iterator[bytes]:
    """The tar in pieces."""

    def files() -> Iterator[tuple[Member, Iterator[bytes]]]:
        yield first, iter([data])
        yield from contents

    yield from write_tape(files())


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            yield piece


def _checked(entry: FileEntry, content: Iterator[bytes]) -> Iterator[bytes]:
    hasher, last = hashlib.sha256(), b""
    for piece in content:
        hasher.update(piece)
        if last:
            yield last
        last = piece
    if hasher.hexdigest() != entry.sha256:
        raise BadContainer(f"{entry.path!r} is not the file that the manifest lists: its SHA-256 differs")
    if last:
        yield last
