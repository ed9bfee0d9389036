"""The MCUboot image container, pure: header and TLVs to bytes and back. Nothing here looks at the body.

    header 32 bytes | body | protected TLVs | TLVs

Everything is little endian. The SHA-256 covers header, body and protected TLVs; the signature is made over that hash.
The reader takes exactly what the writer writes: flags, other header sizes and unknown TLVs are refused, so no byte of
a file is without meaning.

Sources: MCUboot's "Image format" (docs/design.md) and imgtool 2.5.0, which makes the same bytes.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from edge_runtime.bundle.errors import BadContainer

HEADER_BYTES: Final = 32
MOST_BODY_BYTES: Final = (1 << 32) - 1
AREA_HEAD_BYTES: Final = 4
MOST_AREA_BYTES: Final = (1 << 16) - 1

KEY_HASH, SHA256, ED25519, COUNTER = 0x01, 0x10, 0x24, 0x50
# Of the range that MCUboot leaves to vendors, 0x00a0 and up.
KIND, ROLE, TARGET = 0x00A0, 0x00A1, 0x00A2

_MAGIC = 0x96F3B83D
PROTECTED_MAGIC, PLAIN_MAGIC = 0x6908, 0x6907
_HEADER = struct.Struct("<IIHHIIBBHII")
_PAIR = struct.Struct("<HH")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:\+(\d+))?", re.ASCII)
_VERSION_LIMITS = (0xFF, 0xFF, 0xFFFF, 0xFFFFFFFF)


@dataclass(frozen=True, order=True)
class Version:
    """`MAJOR.MINOR.REVISION+BUILD`, as the header has room for: up to 255.255.65535+4294967295."""

    major: int
    minor: int = 0
    revision: int = 0
    build: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version. BadContainer: it does not fit the header."""
        match = _VERSION.fullmatch(text)
        numbers = [int(part or 0) for part in match.groups()] if match and len(text) <= 64 else []
        if not numbers or any(number > most for number, most in zip(numbers, _VERSION_LIMITS, strict=True)):
            raise BadContainer(f"version {text[:64]!r} must be MAJOR.MINOR.REVISION[+BUILD], at most 255.255.65535")
        return cls(*numbers)

    def __str__(self) -> str:
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.revision}{build}"


@dataclass(frozen=True)
class Header:
    """What the first 32 bytes say: sizes of the body and of the protected TLVs (with their head), and the version."""

    version: Version
    body_bytes: int
    protected_bytes: int


@dataclass(frozen=True)
class Tlv:
    """One tagged value."""

    tag: int
    value: bytes


def write_header(header: Header) -> bytes:
    """The 32 bytes. BadContainer: the body or the protected TLVs are too large for the format."""
    if header.body_bytes > MOST_BODY_BYTES:
        raise BadContainer(f"body has {header.body_bytes} bytes, the format holds {MOST_BODY_BYTES}")
    version = header.version
    numbers = (version.major, version.minor, version.revision, version.build)
    return _HEADER.pack(_MAGIC, 0, HEADER_BYTES, header.protected_bytes, header.body_bytes, 0, *numbers, 0)


def read_header(data: bytes) -> Header:
    """Read the first 32 bytes. BadContainer: with what is wrong."""
    if len(data) < HEADER_BYTES:
        raise BadContainer(f"file ends after {len(data)} bytes, a container's header has {HEADER_BYTES}")
    magic, load_address, header_bytes, protected, body, flags, *version, pad = _HEADER.unpack(data[:HEADER_BYTES])
    if magic != _MAGIC:
        raise BadContainer(f"file begins with {data[:4].hex()}, a container with {_MAGIC.to_bytes(4, 'little').hex()}")
    if header_bytes != HEADER_BYTES:
        raise BadContainer(f"header claims {header_bytes} bytes, edgert's has {HEADER_BYTES}")
    if load_address or flags or pad:
        raise BadContainer(
            f"header has load address {load_address:#x}, flags {flags:#x}, padding {pad:#x}, expected none: "
            "it is firmware, encrypted or compressed"
        )
    return Header(Version(*version), body, protected)


def area_bytes(values: Sequence[Tlv]) -> int:
    """How long `write_area` is."""
    return AREA_HEAD_BYTES + sum(_PAIR.size + len(one.value) for one in values)


def write_area(magic: int, values: Sequence[Tlv]) -> bytes:
    """A TLV area with its head. BadContainer: too long for the format."""
    if area_bytes(values) > MOST_AREA_BYTES:
        raise BadContainer(f"TLVs have {area_bytes(values)} bytes, the format holds {MOST_AREA_BYTES}")
    parts = [_PAIR.pack(one.tag, len(one.value)) + one.value for one in values]
    return _PAIR.pack(magic, area_bytes(values)) + b"".join(parts)


def area_length(head: bytes, magic: int) -> int:
    """Whole length of the area that begins with these 4 bytes. BadContainer: it is no such area."""
    if len(head) < AREA_HEAD_BYTES:
        raise BadContainer("file ends before its TLVs: it was cut short")
    found, length = _PAIR.unpack(head[:AREA_HEAD_BYTES])
    if found != magic or length < AREA_HEAD_BYTES:
        raise BadContainer(f"TLV area begins with {found:#06x} and length {length}, expected {magic:#06x}")
    return int(length)


def read_area(data: bytes, magic: int) -> dict[int, bytes]:
    """Tag -> value of a whole area. BadContainer: a length that points elsewhere, a tag twice."""
    if area_length(data, magic) != len(data):
        raise BadContainer(f"TLV area claims {area_length(data, magic)} bytes, there are {len(data)}")
    found: dict[int, bytes] = {}
    for one in _values(data[AREA_HEAD_BYTES:]):
        if one.tag in found:
            raise BadContainer(f"TLV {one.tag:#06x} is there twice")
        found[one.tag] = one.value
    return found


def _values(data: bytes) -> Iterator[Tlv]:
    at = 0
    while at < len(data):
        head = data[at : at + _PAIR.size]
        tag, length = _PAIR.unpack(head) if len(head) == _PAIR.size else (0, len(data))
        end = at + _PAIR.size + length
        if end > len(data):
            raise BadContainer(f"TLV {tag:#06x} points past the end of its area")
        yield Tlv(tag, data[at + _PAIR.size : end])
        at = end
