"""CTranslate2's `model.bin`: named arrays, read with bounds.

Source: CTranslate2's model serialization (`python/ctranslate2/specs/model_spec.py`), binary version 6. Numbers are
little-endian. A string is its length in two bytes, that of the final NUL included, then its bytes.

    version u32, spec string, revision u32, count u32
    count times: name string, rank u8, rank times u32, type u8, bytes u32, data
    count of aliases u32, each: alias string, name string
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UnsupportedModel

VERSION = 6
MOST_ARRAYS, MOST_RANK, MOST_NAME = 100_000, 4, 1000
TYPES: dict[int, np.dtype[Any]] = {
    number: np.dtype(name) for number, name in enumerate(("<f4", "i1", "<i2", "<i4", "<f2"))
}

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Model:
    """What a file holds: the name of its specification (as `WhisperSpec`), its revision, arrays by name.

    The arrays are views of the mapped file: take them before it is changed.
    """

    spec: str
    revision: int
    arrays: Mapping[str, Array]


def read_model(file: Path) -> Model:
    """Read a model.

    Raises:
        UnsupportedModel: the file is cut short, claims what cannot be, or is of another version; says where.
    """
    try:
        with file.open("rb") as stream:
            data = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise UnsupportedModel(f"cannot read {file.name}: {error}") from error
    reader = _Reader(data, file.name)
    version = reader.number("<I")
    if version != VERSION:
        raise UnsupportedModel(f"{file.name} has CTranslate2's binary version {version}, only {VERSION} is known")
    spec, revision, count = reader.string(), reader.number("<I"), reader.number("<I")
    if count > MOST_ARRAYS:
        raise reader.refusal(f"{count} arrays, at most {MOST_ARRAYS} are read")
    arrays: dict[str, Array] = {}
    for _ in range(count):
        name, array = reader.array()
        if name in arrays:
            raise reader.refusal(f"{name!r} twice")
        arrays[name] = array
    arrays |= _aliases(reader, arrays)
    if not reader.done:
        raise reader.refusal("bytes after its end")
    return Model(spec, revision, arrays)


def _aliases(reader: _Reader, arrays: Mapping[str, Array]) -> dict[str, Array]:
    count = reader.number("<I")
    if count > MOST_ARRAYS:
        raise reader.refusal(f"{count} aliases, at most {MOST_ARRAYS} are read")
    found = {}
    for _ in range(count):
        alias, name = reader.string(), reader.string()
        if name not in arrays or alias in arrays:
            raise reader.refusal(f"alias {alias!r} for {name!r}, which cannot be")
        found[alias] = arrays[name]
    return found


class _Reader:
    """A position in a file's bytes; every refusal says where."""

    def __init__(self, data: memoryview, name: str) -> None:
        self._data, self._name, self._at = data, name, 0

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self._at == len(self._data)

    def refusal(self, what: str) -> UnsupportedModel:
        """The error that says where the file has what it must not have."""
        return UnsupportedModel(f"{self._name} is no whole CTranslate2 model: at byte {self._at} it has {what[:200]}")

    def number(self, kind: str) -> int:
        """One number of the kinds of `struct`."""
        value: int
        (value,) = struct.unpack(kind, self._take(struct.calcsize(kind)))
        return value

    def string(self) -> str:
        """A string without its NUL."""
        length = self.number("<H")
        if not 0 < length <= MOST_NAME:
            raise self.refusal(f"a string of {length} bytes")
        content = bytes(self._take(length))
        if content[-1] or 0 in content[:-1] or not content.isascii():
            raise self.refusal("a string with other characters than a name has")
        return content[:-1].decode()

    def array(self) -> tuple[str, Array]:
        """A name and its array."""
        name, rank = self.string(), self.number("<B")
        if rank > MOST_RANK:
            raise self.refusal(f"{name!r} of {rank} dimensions")
        shape = [self.number("<I") for _ in range(rank)]
        kind, size = self.number("<B"), self.number("<I")
        dtype = TYPES.get(kind)
        if dtype is None:
            raise self.refusal(f"{name!r} of an unknown type {kind}")
        expected = dtype.itemsize
        for length in shape:  # Python's whole numbers do not overflow
            expected *= length
        if size != expected:
            raise self.refusal(f"{name!r} of {size} bytes, {dtype.name} {shape} takes {expected}")
        return name, np.frombuffer(self._take(size), dtype).reshape(shape)

    def _take(self, size: int) -> memoryview:
        if size > len(self._data) - self._at:
            raise self.refusal(f"{len(self._data) - self._at} bytes left, {size} were promised")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken
