"""CBOR as the contract uses it: what JSON can say, and byte strings. Source: RFC 8949.

Strict and small instead of a library: no tags (which make a reader build dates, decimals and powers of ten of any
size), no indefinite lengths, no NaN; what an item claims is compared with the bytes there are before anything is made.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence

from edge_runtime.errors import BadRequest

MAX_ITEMS = 20_000  # read in Python, at about a microsecond each; tensors are byte strings, one item each
MAX_DEPTH = 32
_OPEN, _BREAK = 31, 0xFF
_UINT, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_CONSTANTS: dict[int, object] = {20: False, 21: True, 22: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


def read_cbor(payload: bytes, *, indefinite: bool = False) -> object:
    """Read one item that is the whole payload.

    Args:
        indefinite: take lists and maps that do not say how long they are, as Zephyr writes them; texts and bytes never.

    Raises:
        BadRequest: it is none, or has more parts or depth than are read.
    """
    reader = _Reader(payload, indefinite)
    item = reader.item(0)
    if reader.at != len(payload):
        raise BadRequest(f"payload is not CBOR ({len(payload) - reader.at} bytes follow the object)")
    return item


def write_cbor(item: object) -> bytes:
    """Write what `read_cbor` gives. Floats are written in four bytes where those hold them exactly."""
    out = bytearray()
    _write(item, out)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes, indefinite: bool) -> None:
        self._data, self.at, self._items, self._indefinite = data, 0, 1, indefinite

    def item(self, depth: int) -> object:
        """Read the item at the place reached."""
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        if info == _OPEN and self._indefinite and major in (_ARRAY, _MAP):
            return self._open(major, depth + 1)
        number = self._number(info)
        if major == _UINT:
            return number
        if major == _NEGATIVE:
            return -1 - number
        if major == _BYTES:
            return self._take(number)
        if major == _TEXT:
            return self._text(number)
        if major == _TAG:
            raise BadRequest("payload has a CBOR tag: send plain values")
        self._descend(depth)
        self._expect(number * (major - 3))  # a map has a key and a value
        return self._list(number, depth + 1) if major == _ARRAY else self._map(number, depth + 1)

    def _open(self, major: int, depth: int) -> object:
        """A list or map up to its break."""
        self._descend(depth - 1)
        found: list[object] = []
        while self._peek() != _BREAK:
            self._expect(1)
            found.append(self.item(depth))
        self.at += 1
        if major == _ARRAY:
            return found
        if len(found) % 2:
            raise BadRequest("payload has a CBOR map whose last key has no value")
        keys = found[::2]
        if not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
            raise BadRequest("payload has a CBOR map key that is no text or there twice")
        return dict(zip(keys, found[1::2], strict=True))

    def _descend(self, depth: int) -> None:
        if depth >= MAX_DEPTH:
            raise BadRequest(f"payload is nested deeper than {MAX_DEPTH} levels")

    def _peek(self) -> int:
        if self.at >= len(self._data):
            raise BadRequest("payload is not CBOR (it ends inside a list or map)")
        return self._data[self.at]

    def _list(self, count: int, depth: int) -> list[object]:
        return [self.item(depth) for _ in range(count)]

    def _map(self, count: int, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        for _ in range(count):
            key = self.item(depth)
            if not isinstance(key, str) or key in found:
                raise BadRequest(f"payload has a CBOR map key {repr(key)[:40]} that is no text or there twice")
            found[key] = self.item(depth)
        return found

    def _simple(self, info: int) -> object:
        if info in _FLOATS:
            (value,) = struct.unpack(_FLOATS[info], self._take(_WIDTHS[info]))
            if not math.isfinite(value):
                raise BadRequest("payload has a number that is not finite")
            return float(value)
        if info in _CONSTANTS:
            return _CONSTANTS[info]
        raise BadRequest(f"payload has the CBOR simple value {info}: only true, false and null are read")

    def _number(self, info: int) -> int:
        if info < 24:
            return info
        if info not in _WIDTHS:
            raise BadRequest("payload has a CBOR item of indefinite length: send definite ones")
        return int.from_bytes(self._take(_WIDTHS[info]), "big")

    def _text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError as error:
            raise BadRequest("payload has a CBOR text that is not UTF-8") from error

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            left = len(self._data) - self.at
            raise BadRequest(f"payload is not CBOR (an item claims {size} bytes, {left} are left)")
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def _expect(self, items: int) -> None:
        self._items += items
        if items > len(self._data) - self.at:
            raise BadRequest(f"payload is not CBOR ({items} items are claimed, {len(self._data) - self.at} bytes left)")
        if self._items > MAX_ITEMS:
            raise BadRequest(f"payload has over {MAX_ITEMS} parts: send tensors as byte strings")


def _write(item: object, out: bytearray) -> None:
    if isinstance(item, str):
        encoded = item.encode()
        _head(_TEXT, len(encoded), out)
        out += encoded
    elif item is None or isinstance(item, bool):
        out.append(0xF6 if item is None else 0xF5 if item else 0xF4)
    elif isinstance(item, int):
        _head(_UINT if item >= 0 else _NEGATIVE, item if item >= 0 else -1 - item, out)
    elif isinstance(item, float):
        _write_float(item, out)
    elif isinstance(item, bytes | bytearray | memoryview):
        _head(_BYTES, len(item), out)
        out += item
    elif isinstance(item, Mapping):
        _head(_MAP, len(item), out)
        for key, value in item.items():
            _write(key, out)
            _write(value, out)
    elif isinstance(item, Sequence):
        _head(_ARRAY, len(item), out)
        for value in item:
            _write(value, out)
    else:
        raise TypeError(f"{type(item).__name__} has no CBOR form here")


def _write_float(value: float, out: bytearray) -> None:
    try:
        short = struct.pack(">f", value)
    except OverflowError:
        short = b""
    if short and struct.unpack(">f", short)[0] == value:
        out += b"\xfa" + short
    else:
        out += b"\xfb" + struct.pack(">d", value)


def _head(major: int, number: int, out: bytearray) -> None:
    if number < 24:
        out.append(major << 5 | number)
        return
    for info, width in _WIDTHS.items():
        if number < 1 << 8 * width:
            out.append(major << 5 | info)
            out += number.to_bytes(width, "big")
            return
    raise ValueError(f"{number} does not fit into 64 bits")
