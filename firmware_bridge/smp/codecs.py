"""Compression of single pieces on the wire: zlib always, zstd where the board has `zstandard`.

A piece says how large it will be; more is never made, whatever it holds.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from edge_runtime.errors import EdgertError

ZLIB, ZSTD = "zlib", "zstd"


class BadCodec(EdgertError):
    """A piece is compressed in a way that is not known here, or is not what it says."""

    code = "bad_codec"
    status = 400


def codecs_here() -> tuple[str, ...]:
    """What can be read and written here, the better one first."""
    return (ZSTD, ZLIB) if find_spec("zstandard") else (ZLIB,)


def compress(codec: str, data: bytes) -> bytes:
    """Compress a piece. BadCodec: not known here."""
    if codec == ZLIB:
        return zlib.compress(data, 6)
    if codec == ZSTD and ZSTD in codecs_here():
        return bytes(_zstandard().ZstdCompressor(level=3).compress(data))
    raise BadCodec(f"codec {codec[:16]!r} is not known here, known are {', '.join(codecs_here())}")


def decompress(codec: str, data: bytes, size: int) -> bytes:
    """Undo `compress`. BadCodec: not known here, damaged, or it does not make exactly `size` bytes."""
    if codec == ZLIB:
        made, whole = _inflate(data, size)
    elif codec == ZSTD and ZSTD in codecs_here():
        made, whole = _unzstd(data, size)
    else:
        raise BadCodec(f"codec {codec[:16]!r} is not known here, known are {', '.join(codecs_here())}")
    if len(made) != size or not whole:
        raise BadCodec(f"{codec} piece does not make the {size} bytes that it announces")
    return made


def _inflate(data: bytes, size: int) -> tuple[bytes, bool]:
    inflating = zlib.decompressobj()
    try:
        made = inflating.decompress(data, size + 1)
    except zlib.error as error:
        raise BadCodec(f"zlib piece is damaged: {error}") from error
    return made, inflating.eof and not inflating.unused_data


def _unzstd(data: bytes, size: int) -> tuple[bytes, bool]:
    zstandard = _zstandard()
    try:
        announced = zstandard.frame_content_size(data)
        if announced != size:  # -1: not said; then it is not one of ours
            return b"", False
        return bytes(zstandard.ZstdDecompressor().decompress(data, size, allow_extra_data=False)), True
    except zstandard.ZstdError as error:
        raise BadCodec(f"zstd piece is damaged: {error}") from error


def _zstandard() -> Any:
    return import_module("zstandard")
