"""Header of a GGUF file: metadata, and the tensors' names, types, shapes. Reads no tensor; bounded in all it takes.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.tensors import LONGEST_NAME, MOST_VALUES, Tensor

Value = str | int | float | bool | tuple[object, ...]

_MAX_KEYS = 100_000
_MAX_TENSORS = 1_000_000
_MAX_TEXT_BYTES = 4 << 20  # a chat template
_MAX_ARRAY_BYTES = 512 << 20  # a vocabulary with its merges
_MAX_DEPTH = 4
_MAX_ITEMS = 4_000_000  # texts of an array: the largest vocabularies have 0.3 million pieces and as many merges
_KEPT = 64  # of a longer array only its length is of use here
_STRING, _ARRAY = 8, 9
# Type of metadata -> struct format; strings and arrays apart.
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
# Type of a tensor -> name, values in a block, bytes of a block: ggml's type table.
TYPES: Mapping[int, tuple[str, int, int]] = {
    **{0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22)},
    **{7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110)},
    **{12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292)},
    **{16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50)},
    **{20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136)},
    **{24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8)},
    **{29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66)},
    **{39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18)},
}


@dataclass(frozen=True)
class GgufHeader:
    """`metadata` has each key's value; of an array longer than 64 only `lengths`. Shapes have the outputs first."""

    metadata: Mapping[str, Value]
    lengths: Mapping[str, int]
    tensors: tuple[Tensor, ...]


def read_gguf(file: Path) -> GgufHeader:
    """Read the header of a GGUF file.

    Raises:
        BadSource: not GGUF, of another version, cut short anywhere, or counts and sizes that cannot be.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            return _Reader(stream, size, file.name).header()
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror or error}") from error


class _Reader:
    """A position in a file that never leaves it."""

    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self._stream, self._left, self._size, self._name = stream, size, size, name

    def header(self) -> GgufHeader:
        if self._take(min(4, self._left)) != b"GGUF":
            raise BadSource(f"{self._name} does not begin with GGUF: it is no GGUF file")
        version = self._number("<I")
        if version not in (2, 3):
            raise BadSource(f"{self._name} is GGUF of version {version}, expected 2 or 3 in little-endian")
        tensors = self._count(_MAX_TENSORS, "tensors")
        metadata, lengths = self._metadata(self._count(_MAX_KEYS, "keys"))
        infos = [self._info() for _ in range(tensors)]
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 1 <= alignment <= 1 << 20:
            raise self._lie(f"an alignment of {str(alignment)[:40]}")
        self._check_places(infos, alignment)
        return GgufHeader(metadata, lengths, tuple(tensor for _, tensor in infos))

    def _metadata(self, keys: int) -> tuple[dict[str, Value], dict[str, int]]:
        metadata: dict[str, Value] = {}
        lengths: dict[str, int] = {}
        for _ in range(keys):
            key = self._text(LONGEST_NAME)
            if key in metadata:
                raise self._lie(f"the key {key[:80]!r} twice")
            kind = self._number("<I")
            if kind == _ARRAY:
                metadata[key], lengths[key] = self._array(_MAX_DEPTH)
            else:
                metadata[key] = self._value(kind)
        return metadata, lengths

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self._text(_MAX_TEXT_BYTES)
        if kind not in _SCALARS:
            raise self._lie(f"metadata of type {kind}")
        found: Value = struct.unpack(_SCALARS[kind], self._take(struct.calcsize(_SCALARS[kind])))[0]
        return found

    def _array(self, depth: int) -> tuple[tuple[object, ...], int]:
        """The values if they are few, and how many there are."""
        kind, count = self._number("<I"), self._number("<Q")
        if kind in _SCALARS:
            width = struct.calcsize(_SCALARS[kind])
            if count * width > min(self._left, _MAX_ARRAY_BYTES):
                raise self._lie(f"an array of {count} values")
            content = self._take(width * min(count, _KEPT))
            self._skip(width * count - len(content))
            return (struct.unpack(f"<{min(count, _KEPT)}{_SCALARS[kind][1]}", content) if count <= _KEPT else ()), count
        if kind not in (_STRING, _ARRAY) or depth == 0 or count > min(_MAX_ITEMS, self._left // 8):
            raise self._lie(f"an array of {count} values of type {kind}")
        kept: list[object] = []
        for _ in range(count):
            item = self._array(depth - 1)[0] if kind == _ARRAY else self._item(count <= _KEPT)
            if count <= _KEPT:
                kept.append(item)
        return tuple(kept), count

    def _item(self, wanted: bool) -> str:
        if wanted:
            return self._text(_MAX_TEXT_BYTES)
        self._skip(self._number("<Q"))
        return ""

    def _info(self) -> tuple[int, Tensor]:
        """Where a tensor begins after the header, and the tensor."""
        name, dimensions = self._text(LONGEST_NAME), self._number("<I")
        if not 0 <= dimensions <= 8:
            raise self._lie(f"{dimensions} dimensions of {name[:80]!r}")
        shape = struct.unpack(f"<{dimensions}Q", self._take(8 * dimensions))
        kind, offset = self._number("<I"), self._number("<Q")
        if kind not in TYPES:
            raise BadSource(f"{self._name}: {name[:80]!r} is of ggml type {kind}, which is not known here")
        dtype, block, block_bytes = TYPES[kind]
        values = math.prod(shape)
        if values > MOST_VALUES or (shape and shape[0] % block):
            raise self._lie(f"a shape {shape} of {name[:80]!r}, in blocks of {block}")
        return offset, Tensor(name, dtype, tuple(reversed(shape)), values // block * block_bytes)

    def _check_places(self, infos: list[tuple[int, Tensor]], alignment: int) -> None:
        if not infos:
            raise BadSource(f"{self._name} holds no tensors")
        header = self._size - self._left
        start = header + -header % alignment
        place = 0
        for offset, tensor in sorted(infos, key=lambda info: info[0]):
            if offset % alignment or offset < place:
                raise self._lie(f"{tensor.name[:80]!r} at {offset}, where another tensor is")
            place = offset + tensor.stored_bytes
        if start + place > self._size:
            raise BadSource(
                f"{self._name}: its tensors end at byte {start + place}, the file has {self._size}: it is cut short"
            )

    def _count(self, most: int, what: str) -> int:
        count = self._number("<Q")
        if count > min(most, self._left // 8):
            raise self._lie(f"{count} {what}")
        return count

    def _text(self, longest: int) -> str:
        length = self._number("<Q")
        if length > min(longest, self._left):
            raise self._lie(f"a text of {length} bytes")
        return self._take(length).decode("utf-8", "replace")

    def _number(self, form: str) -> int:
        found: int = struct.unpack(form, self._take(struct.calcsize(form)))[0]
        return found

    def _take(self, length: int) -> bytes:
        content = self._stream.read(length) if length <= self._left else b""
        if len(content) != length:
            raise BadSource(f"{self._name} ends inside its header, at byte {self._size}: it is cut short")
        self._left -= length
        return content

    def _skip(self, length: int) -> None:
        if length > self._left:
            raise BadSource(f"{self._name} ends inside its header, at byte {self._size}: it is cut short")
        self._stream.seek(length, 1)
        self._left -= length

    def _lie(self, what: str) -> BadSource:
        return BadSource(f"{self._name} claims {what}, in a file of {self._size} bytes: it is damaged or no GGUF file")
