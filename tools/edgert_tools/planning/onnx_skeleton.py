"""An ONNX file without its weights: the same protobuf, the values of every tensor skipped unread.

Source: https://protobuf.dev/programming-guides/encoding; field numbers of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from edgert_tools.planning.refusal import BadSource

MAX_SKELETON_BYTES = 64 << 20  # nodes, names, shapes: 100,000 nodes make about 10 MB
_SMALL_VALUE = 64  # bytes: constants such as shapes stay
_MAX_DEPTH = 32  # graphs inside graphs
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Message -> field -> what the field holds; a field that is not here is copied as it is.
_INSIDE: Mapping[str, Mapping[int, str]] = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
}
# float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data
_VALUES = frozenset({4, 5, 6, 7, 9, 10, 11})


def read_skeleton(file: Path) -> bytes:
    """A `ModelProto` without the values of its tensors (small ones keep theirs).

    Raises:
        BadSource: not protobuf of this shape, cut short, or nested or large beyond reason.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            return _Scanner(stream, file.name).message("Model", size, _MAX_DEPTH)
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror or error}") from error


class _Scanner:
    """Copies a message field by field, descending where tensors can be."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name, self._kept = stream, name, 0

    def message(self, kind: str, length: int, depth: int) -> bytes:
        """The next `length` bytes, a message of this kind, without values."""
        if depth == 0:
            raise BadSource(f"{self._name} has graphs nested more than {_MAX_DEPTH} deep")
        kept = bytearray()
        while length > 0:
            key, used = self._varint(length)
            length -= used
            field, wire = key >> 3, key & 7
            if wire == _BYTES:
                content_bytes, used = self._varint(length)
                length -= used + content_bytes
                if length < 0:
                    raise self._damaged()
                content = self._field(kind, field, content_bytes, depth)
                if content is not None:
                    kept += _varint_bytes(key) + _varint_bytes(len(content)) + content
            else:
                value, used = self._plain(wire, length)
                length -= used
                if not (kind == "Tensor" and field in _VALUES):
                    kept += _varint_bytes(key) + value
        return bytes(kept)

    def _field(self, kind: str, field: int, length: int, depth: int) -> bytes | None:
        inside = _INSIDE.get(kind, {}).get(field)
        if inside is not None:
            return self.message(inside, length, depth - 1)
        if kind == "Tensor" and field in _VALUES and length > _SMALL_VALUE:
            self._stream.seek(length, 1)
            return None
        return self._take(length)

    def _plain(self, wire: int, left: int) -> tuple[bytes, int]:
        if wire == _VARINT:
            value, used = self._varint(left)
            return _varint_bytes(value), used
        width = {_FIXED64: 8, _FIXED32: 4}.get(wire, 0)
        if not 0 < width <= left:
            raise self._damaged()
        return self._take(width), width

    def _varint(self, left: int) -> tuple[int, int]:
        value = 0
        for used in range(1, min(left, 10) + 1):
            byte = self._take(1)[0]
            value |= (byte & 0x7F) << (7 * (used - 1))
            if byte < 0x80:
                return value & (1 << 64) - 1, used
        raise self._damaged()

    def _take(self, length: int) -> bytes:
        self._kept += length
        if self._kept > MAX_SKELETON_BYTES:
            raise BadSource(f"{self._name} has more than {MAX_SKELETON_BYTES} bytes beside its weights")
        content = self._stream.read(length)
        if len(content) != length:
            raise self._damaged()
        return content

    def _damaged(self) -> BadSource:
        return BadSource(f"{self._name} is not whole ONNX: a field at byte {self._stream.tell()} leaves its message")


def _varint_bytes(value: int) -> bytes:
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
