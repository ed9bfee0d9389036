"""Containers: sealed with a key, and opened by whoever trusts it.

Of a file that is opened, only sizes are looked at before the signature is checked: 32 bytes of header and the TLVs
that hold hash, key and signature. Body and everything else are read after.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, get_args

from edge_runtime.bundle.container.image import (
    AREA_HEAD_BYTES,
    COUNTER,
    ED25519,
    HEADER_BYTES,
    KEY_HASH,
    KIND,
    PLAIN_MAGIC,
    PROTECTED_MAGIC,
    ROLE,
    SHA256,
    TARGET,
    Header,
    Tlv,
    Version,
    area_bytes,
    area_length,
    read_area,
    read_header,
    write_area,
    write_header,
)
from edge_runtime.bundle.container.tape import CHUNK_BYTES
from edge_runtime.bundle.errors import BadContainer, SignatureRefused
from edge_runtime.bundle.target import Target, target_from_bytes, target_to_bytes

if TYPE_CHECKING:
    from edge_runtime.bundle.container.keys import SigningKey
    from edge_runtime.bundle.trust import Trust

Kind = Literal["bundle", "manifest", "keys"]
MOST_COUNTER = (1 << 32) - 1
_UNSIGNED = "none"
_KIND_WORDS: dict[bytes, Kind] = {f"edgert-{kind}/1".encode(): kind for kind in get_args(Kind)}
_COUNTER = struct.Struct("<I")


@dataclass(frozen=True)
class Label:
    """What stands on a container besides its body.

    Attributes:
        kind: what the body is.
        version: of the bundle, as MCUboot's header has it.
        counter: MCUboot's security counter: a board never goes below what it has confirmed.
        target: which boards it is for.
    """

    kind: Kind
    version: Version
    counter: int
    target: Target


@dataclass(frozen=True)
class Container:
    """A container whose hash is right.

    Attributes:
        label: as above.
        role: what the key is for that has signed it; "none" for a container that is not signed.
        key_id: of that key; empty if there is none.
        hash: MCUboot's image hash in hex, by which SMP tools call it.
        body_bytes: size of the body, which begins after the header.
    """

    label: Label
    role: str
    key_id: str
    hash: str
    body_bytes: int


@dataclass(frozen=True)
class _Parts:
    """What was read of a file, nothing of it believed."""

    header: Header
    protected: bytes
    plain: dict[int, bytes]
    hash: bytes


def write_container(
    write: Callable[[bytes], object], label: Label, body: Iterable[bytes], body_bytes: int, key: SigningKey | None
) -> None:
    """Write a container; the same input gives the same bytes.

    Args:
        write: takes the bytes.
        body: in pieces, `body_bytes` together.
        key: None leaves it unsigned, so that only `edgert bundle sign` takes it.

    Raises:
        BadContainer: a number that does not fit the format, or a body of another length.
    """
    protected = _protected(label, key.role if key else _UNSIGNED)
    head = write_header(Header(label.version, body_bytes, area_bytes(protected)))
    hasher, written = hashlib.sha256(head), 0
    write(head)
    for piece in body:
        hasher.update(piece)
        write(piece)
        written += len(piece)
    if written != body_bytes:
        raise BadContainer(f"body has {written} bytes, {body_bytes} were announced")
    area = write_area(PROTECTED_MAGIC, protected)
    hasher.update(area)
    write(area)
    plain = [Tlv(SHA256, hasher.digest())]
    if key is not None:
        plain += [Tlv(KEY_HASH, key.public.hash), Tlv(ED25519, key.sign(hasher.digest()))]
    write(write_area(PLAIN_MAGIC, plain))


def verify(stream: BinaryIO, trust: Trust, kind: Kind) -> Container:
    """Check hash and signature of a container of this kind; the stream must stand at its beginning.

    Memory is bounded whatever the file claims; the body is read once and not kept.

    Raises:
        BadContainer: cut short, damaged, another format.
        SignatureRefused: not signed, by nobody whom `trust` has, or by a key that is not for this.
    """
    parts = _read(stream)
    if ED25519 not in parts.plain:
        raise SignatureRefused("container is not signed: sign it with `edgert bundle sign`")
    key = trust.key(parts.plain[KEY_HASH])
    if not key.verify(parts.plain[ED25519], parts.hash):
        raise SignatureRefused(f"signature is not the one of key {key.id}: the file was changed, or badly made")
    found = _container(parts)
    trust.check(key, found.label.kind)
    if found.role != key.role:
        raise SignatureRefused(f"container says it is signed for {found.role}, key {key.id} is a {key.role} key")
    return _of_kind(found, kind)


def inspect(stream: BinaryIO, kind: Kind) -> Container:
    """Check the hash only: what its maker may look at on a workstation, but no board may use. Raises as `verify`."""
    return _of_kind(_container(_read(stream)), kind)


def _of_kind(found: Container, kind: Kind) -> Container:
    if found.label.kind != kind:
        raise BadContainer(f"container is of kind {found.label.kind}, expected {kind}")
    return found


def _protected(label: Label, role: str) -> list[Tlv]:
    if not 0 <= label.counter <= MOST_COUNTER:
        raise BadContainer(f"counter is {label.counter}, the format holds 0 to {MOST_COUNTER}")
    return [
        Tlv(COUNTER, _COUNTER.pack(label.counter)),
        Tlv(KIND, f"edgert-{label.kind}/1".encode()),
        Tlv(ROLE, role.encode()),
        Tlv(TARGET, target_to_bytes(label.target)),
    ]


def _read(stream: BinaryIO) -> _Parts:
    head = stream.read(HEADER_BYTES)
    header = read_header(head)
    hasher, left = hashlib.sha256(head), header.body_bytes
    while left:
        piece = stream.read(min(left, CHUNK_BYTES))
        if not piece:
            raise BadContainer(f"file ends {left} bytes before the end of its body: it was cut short")
        hasher.update(piece)
        left -= len(piece)
    protected = _area(stream, PROTECTED_MAGIC)
    if len(protected) != header.protected_bytes:
        raise BadContainer(f"protected TLVs have {len(protected)} bytes, the header says {header.protected_bytes}")
    hasher.update(protected)
    plain = read_area(_area(stream, PLAIN_MAGIC), PLAIN_MAGIC)
    if stream.read(1):
        raise BadContainer("bytes follow the end of the container")
    _check_plain(plain, hasher.digest())
    return _Parts(header, protected, plain, hasher.digest())


def _area(stream: BinaryIO, magic: int) -> bytes:
    head = stream.read(AREA_HEAD_BYTES)
    length = area_length(head, magic)
    data = head + stream.read(length - AREA_HEAD_BYTES)
    if len(data) != length:
        raise BadContainer("file ends in the middle of its TLVs: it was cut short")
    return data


def _check_plain(plain: dict[int, bytes], digest: bytes) -> None:
    """Outside the hash nothing may stand but hash, key and signature."""
    if set(plain) not in ({SHA256}, {SHA256, KEY_HASH, ED25519}):
        raise BadContainer(
            f"unprotected TLVs are {', '.join(map(hex, sorted(plain)))}, expected SHA-256, key and signature"
        )
    if plain[SHA256] != digest:
        raise BadContainer("SHA-256 is not the one in the file: it was damaged or changed, fetch it again")
    if ED25519 in plain and (len(plain[KEY_HASH]), len(plain[ED25519])) != (32, 64):
        raise BadContainer("key hash and signature must have 32 and 64 bytes")


def _container(parts: _Parts) -> Container:
    values = read_area(parts.protected, PROTECTED_MAGIC)
    if set(values) != {COUNTER, KIND, ROLE, TARGET}:
        raise BadContainer(f"protected TLVs are {', '.join(map(hex, sorted(values)))}: it is no container of edgert's")
    kind = _KIND_WORDS.get(values[KIND])
    if kind is None:
        raise BadContainer(f"container is of kind {values[KIND][:40]!r}: update edgert")
    if len(values[COUNTER]) != _COUNTER.size:
        raise BadContainer(f"security counter has {len(values[COUNTER])} bytes, expected {_COUNTER.size}")
    (counter,) = _COUNTER.unpack(values[COUNTER])
    label = Label(kind, parts.header.version, counter, target_from_bytes(values[TARGET]))
    role = values[ROLE].decode("ascii", "replace")[:16]
    return Container(label, role, parts.plain.get(KEY_HASH, b"").hex()[:16], parts.hash.hex(), parts.header.body_bytes)
