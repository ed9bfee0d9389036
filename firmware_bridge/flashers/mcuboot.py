"""What stands on an MCUboot image of any board, pure: its version, and the hash by which SMP calls it.

Source: MCUboot, "Image format" (docs/design.md).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from edge_runtime.bundle.errors import BadContainer

_MAGIC = 0x96F3B83D
_HEADER = struct.Struct("<IIHHIIBBHI")
_AREA, _VALUE = struct.Struct("<HH"), struct.Struct("<HH")
_PLAIN, _PROTECTED = 0x6907, 0x6908
_HASHES = {0x10: hashlib.sha256, 0x11: hashlib.sha384, 0x12: hashlib.sha512}
_ENCRYPTED = 0x04 | 0x08
MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class FirmwareImage:
    """An image file whose hash is right; `hash` is the one that it carries."""

    data: bytes
    version: str
    hash: bytes


def read_image(data: bytes) -> FirmwareImage:
    """Read an image. BadContainer: it is none, cut short, or damaged: better found here than by the board's loader."""
    if len(data) > MOST_BYTES:
        raise BadContainer(f"image has {len(data)} bytes, the most is {MOST_BYTES}")
    if len(data) < _HEADER.size or int.from_bytes(data[:4], "little") != _MAGIC:
        raise BadContainer(f"file begins with {data[:4].hex()}: it is no MCUboot image; sign it with imgtool")
    _, _, header_bytes, protected, body, flags, *numbers = _HEADER.unpack_from(data)
    covered = header_bytes + body + protected
    if protected and _area(data, header_bytes + body, _PROTECTED) != protected:
        raise BadContainer("protected TLVs of the image have another length than its header says")
    values = _values(data, covered, _area(data, covered, _PLAIN))
    found = next((tag for tag in _HASHES if tag in values), None)
    if found is None:
        raise BadContainer("image carries no hash: sign it with imgtool")
    if not flags & _ENCRYPTED and _HASHES[found](data[:covered]).digest() != values[found]:
        raise BadContainer("image is damaged: its hash is another one than it carries")
    major, minor, revision, build = numbers
    version = f"{major}.{minor}.{revision}" + (f".{build}" if build else "")
    return FirmwareImage(data, version, values[found])


def _area(data: bytes, at: int, magic: int) -> int:
    """Length of the area of TLVs that begins here."""
    if at + _AREA.size > len(data):
        raise BadContainer("image ends before its TLVs: it was cut short")
    found, length = _AREA.unpack_from(data, at)
    if found != magic or length < _AREA.size or at + length > len(data):
        raise BadContainer(f"TLVs of the image begin with {found:#06x} and length {length}: it is damaged")
    return int(length)


def _values(data: bytes, at: int, length: int) -> dict[int, bytes]:
    end, at, values = at + length, at + _AREA.size, {}
    while at + _VALUE.size <= end:
        tag, size = _VALUE.unpack_from(data, at)
        at += _VALUE.size
        if at + size > end:
            raise BadContainer(f"TLV {tag:#06x} of the image points past the end of its area")
        values[tag] = data[at : at + size]
        at += size
    return values
