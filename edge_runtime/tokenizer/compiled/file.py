"""One flat file of named arrays, mapped into memory instead of read: reader and writer.

    8 bytes   magic
    4 bytes   format version, little-endian
    4 bytes   size of the header
    4 bytes   CRC-32 of the header
    header    JSON: what the file is of, and for each array its name, dtype, place, size and CRC-32
    arrays    little-endian, each at a multiple of 64 bytes

All processes that open a file share its pages. The header is always checked; the arrays, whose CRCs would cost reading
all of the file, when asked for.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays

MAGIC = b"\x93EDGETOK"
FORMAT_VERSION = 2
_ALIGNMENT = 64
_MAX_HEADER_BYTES = 16 * 1024 * 1024
_FIXED_BYTES = len(MAGIC) + 12
_DTYPES = frozenset({"bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float64"})


@dataclass(frozen=True)
class CompiledFile:
    """An open file.

    Attributes:
        about: what the writer said the file is of.
        arrays: read-only views of the mapped file.
    """

    about: Mapping[str, Any]
    arrays: Arrays


def is_compiled(path: Path) -> bool:
    """Say whether a file begins like a compiled one."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def write_compiled(path: Path, about: Mapping[str, Any], arrays: Arrays) -> None:
    """Write a file; whoever opens it meanwhile sees the old one or the new one, whole."""
    entries, place = [], 0
    contents: list[bytes] = []
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        content = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        entries.append([name, str(array.dtype.name), list(array.shape), place, len(content), zlib.crc32(content)])
        padding = -len(content) % _ALIGNMENT
        contents += [content, bytes(padding)]
        place += len(content) + padding
    header = json.dumps({"about": about, "arrays": entries}, ensure_ascii=False, separators=(",", ":")).encode()
    numbers = (FORMAT_VERSION, len(header), zlib.crc32(header))
    start = MAGIC + b"".join(number.to_bytes(4, "little") for number in numbers) + header
    _write_whole(path, [start, bytes(-len(start) % _ALIGNMENT), *contents])


def _write_whole(path: Path, contents: list[bytes]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(contents)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def open_compiled(path: Path, check: bool = False) -> CompiledFile:
    """Map a file.

    Args:
        check: read all of it and compare the CRCs, too.

    Raises:
        UnsupportedTokenizer: it cannot be read, is of another format version, or is damaged.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    except (OSError, ValueError) as error:
        raise UnsupportedTokenizer(f"{path.name} cannot be read: {error}") from error
    header, start = _header(path.name, mapped)
    arrays: ArrayDict = {}
    for name, dtype, shape, place, size, crc in header["arrays"]:
        begin = start + place
        if dtype not in _DTYPES or begin + size > len(mapped):
            raise UnsupportedTokenizer(f"{path.name} is damaged: array {name} does not fit; make it anew")
        content = memoryview(mapped)[begin : begin + size]
        if check and zlib.crc32(content) != crc:
            raise UnsupportedTokenizer(f"{path.name} is damaged: array {name} has another CRC-32; make it anew")
        arrays[name] = np.frombuffer(content, np.dtype(dtype)).reshape(shape)
    return CompiledFile(header["about"], arrays)


def _header(name: str, mapped: mmap.mmap) -> tuple[dict[str, Any], int]:
    """Give the header and where the arrays start."""
    if mapped[: len(MAGIC)] != MAGIC or len(mapped) < _FIXED_BYTES:
        raise UnsupportedTokenizer(f"{name} is no compiled tokenizer")
    version, size, crc = (int.from_bytes(mapped[at : at + 4], "little") for at in range(len(MAGIC), _FIXED_BYTES, 4))
    if version != FORMAT_VERSION:
        raise UnsupportedTokenizer(f"{name} is of format {version}, this edgert reads {FORMAT_VERSION}; make it anew")
    content = mapped[_FIXED_BYTES : _FIXED_BYTES + size] if size <= _MAX_HEADER_BYTES else b""
    if len(content) != size or zlib.crc32(content) != crc:
        raise UnsupportedTokenizer(f"{name} is damaged: its header has another CRC-32; make it anew")
    end = _FIXED_BYTES + size
    header: dict[str, Any] = json.loads(content)
    return header, end + -end % _ALIGNMENT
