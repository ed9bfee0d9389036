"""Tensors of the Open Inference Protocol: texts, and numbers; nothing is made before its size is known to be true."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import BadTensor

if TYPE_CHECKING:
    import numpy as np

MAX_DIMENSIONS = 8
MAX_TENSORS = 64
BINARY_SIZE = "binary_data_size"
_LENGTH_BYTES = 4
# Datatype -> the letter of `struct`, which is numpy's too. FP16 comes as bytes only, as the protocol says.
_LETTERS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i",
    "INT64": "q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip
DATATYPES = (*_LETTERS, "BYTES")


@dataclass(frozen=True)
class Tensor:
    """Numbers as they came: `data` is little-endian, row by row, exactly as long as `shape` and `datatype` say."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: bytes

    def array(self) -> np.ndarray[Any, Any]:
        """The numbers as an array of that shape, which cannot be written to."""
        import numpy as np  # clients read replies without it

        return np.frombuffer(self.data, np.dtype(f"<{_LETTERS[self.datatype]}")).reshape(self.shape)


def split_binary(fields: Mapping[str, object], rest: memoryview) -> dict[str, memoryview]:
    """Give each input its part of the bytes after the JSON.

    Raises:
        BadTensor: they are more or fewer than the inputs' `binary_data_size` say.
    """
    parts: dict[str, memoryview] = {}
    inputs = fields.get("inputs")
    for tensor in inputs if isinstance(inputs, list) else []:
        parameters = tensor.get("parameters") if isinstance(tensor, dict) else None
        size = parameters.get(BINARY_SIZE) if isinstance(parameters, dict) else None
        if size is None:
            continue
        name = tensor.get("name")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise BadTensor(f"{BINARY_SIZE} is {repr(size)[:20]}, but {len(rest)} bytes are left")
        if not isinstance(name, str) or name in parts:
            raise BadTensor("a tensor with binary data needs a name of its own")
        parts[name], rest = rest[:size], rest[size:]
    if rest:
        raise BadTensor(f"{len(rest)} bytes follow the last tensor")
    return parts


def read_texts(inputs: object, binary: Mapping[str, memoryview]) -> tuple[str, ...]:
    """Read the one BYTES tensor that a text model takes. BadTensor: it is another, or not what it says."""
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise BadTensor("inputs must be a list of one tensor for a text model")
    tensor = inputs[0]
    if tensor.get("datatype") != "BYTES":
        raise BadTensor(f"datatype is {repr(tensor.get('datatype'))[:40]}, a text model takes BYTES")
    shape, data = tensor.get("shape"), binary.get(str(tensor.get("name")), tensor.get("data"))
    if isinstance(data, bytes | memoryview):
        data = _elements(memoryview(data))
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise BadTensor("data must be a flat list of texts")
    if not isinstance(shape, list) or shape not in ([len(data)], [len(data), 1]):
        raise BadTensor(f"shape is {repr(shape)[:80]}, but data holds {len(data)} texts: expected [{len(data)}]")
    return tuple(data)


def read_named_texts(
    inputs: object, binary: Mapping[str, memoryview], names: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Read one BYTES tensor of each name, in the order of the names. BadTensor: others, or not what they say."""
    tensors = inputs if isinstance(inputs, list) else []
    by_name = {tensor.get("name"): tensor for tensor in tensors if isinstance(tensor, dict)}
    if len(tensors) != len(names) or set(by_name) != set(names):
        raise BadTensor(f"inputs must be the BYTES tensors {' and '.join(names)}")
    return tuple(read_texts([by_name[name]], binary) for name in names)


def read_values(values: list[Any]) -> Tensor:
    """Read plain numbers, nested as their shape is, as a tensor without a name. BadTensor: they are no such."""
    shape: list[int] = []
    inner: Any = values
    while isinstance(inner, list) and len(shape) <= MAX_DIMENSIONS:
        shape.append(len(inner))
        inner = inner[0] if inner else 0.0
    if len(shape) > MAX_DIMENSIONS:
        raise BadTensor(f"values is nested deeper than {MAX_DIMENSIONS} lists")
    return Tensor("", "FP64", tuple(shape), _packed(_flat(values, shape), "d", math.prod(shape)))


def is_text(inputs: object) -> bool:
    """Whether inputs are one BYTES tensor."""
    return (
        isinstance(inputs, list)
        and len(inputs) == 1
        and isinstance(inputs[0], dict)
        and (inputs[0].get("datatype") == "BYTES")
    )


def read_tensors(inputs: object, binary: Mapping[str, memoryview]) -> tuple[Tensor, ...]:
    """Read tensors of numbers. BadTensor: one is not what its shape and datatype say."""
    if not isinstance(inputs, list) or not 0 < len(inputs) <= MAX_TENSORS:
        raise BadTensor(f"inputs must be a list of 1 to {MAX_TENSORS} tensors")
    tensors = tuple(_tensor(tensor, binary) for tensor in inputs)
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise BadTensor("each tensor needs a name of its own")
    return tensors


def _tensor(tensor: object, binary: Mapping[str, memoryview]) -> Tensor:
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise BadTensor("a tensor must be an object with name, shape, datatype and data")
    name, datatype, shape = tensor["name"], tensor.get("datatype"), _shape(tensor.get("shape"))
    letter = _LETTERS.get(datatype) if isinstance(datatype, str) else None
    if letter is None or not isinstance(datatype, str):
        raise BadTensor(f"datatype is {repr(datatype)[:40]}, expected one of {', '.join(_LETTERS)}")
    data = binary.get(name, tensor.get("data"))
    count, width = math.prod(shape), struct.calcsize(f"<{letter}")
    if isinstance(data, bytes | memoryview):
        if len(data) != count * width:
            raise BadTensor(f"tensor {name[:64]!r} has {len(data)} bytes, its shape and datatype say {count * width}")
        return Tensor(name, datatype, shape, bytes(data))
    if not isinstance(data, list) or datatype == "FP16":
        raise BadTensor(f"tensor {name[:64]!r} of {datatype} needs data" + (" as bytes" if datatype == "FP16" else ""))
    return Tensor(name, datatype, shape, _packed(_flat(data, shape), letter, count))


def _shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS:
        raise BadTensor(f"shape must be a list of up to {MAX_DIMENSIONS} numbers")
    if not all(type(size) is int and 0 <= size < 1 << 32 for size in shape):
        raise BadTensor(f"shape is {repr(shape)[:80]}, expected whole numbers from 0")
    return tuple(shape)


def _flat(data: list[Any], shape: Sequence[int]) -> list[Any]:
    """Flatten nested lists, which the protocol allows beside flat ones."""
    if not data or not isinstance(data[0], list):
        return data
    for size in shape[1:]:
        if not all(isinstance(row, list) and len(row) == size for row in data):
            raise BadTensor("data is nested otherwise than its shape says")
        data = list(itertools.chain.from_iterable(data))
    return data


def _packed(values: list[Any], letter: str, count: int) -> bytes:
    if len(values) != count:
        raise BadTensor(f"shape says {count} values, data holds {len(values)}")
    allowed = {bool} if letter == "?" else {int, float} if letter in "fd" else {int}
    if not set(map(type, values)) <= allowed:
        raise BadTensor(f"data must be {' or '.join(sorted(kind.__name__ for kind in allowed))} for this datatype")
    try:
        packed = struct.pack(f"<{count}{letter}", *values)
    except (struct.error, OverflowError) as error:
        raise BadTensor("data has a number that its datatype cannot hold") from error
    return packed


def _elements(data: memoryview) -> list[str]:
    texts, at = [], 0
    while at < len(data):
        begin = at + _LENGTH_BYTES
        end = begin + int.from_bytes(data[at:begin], "little")
        if begin > len(data) or end > len(data):
            raise BadTensor(f"an element of BYTES at byte {at} claims more than the {len(data)} bytes there are")
        try:
            texts.append(str(data[begin:end], "utf-8"))
        except UnicodeDecodeError as error:
            raise BadTensor(f"an element of BYTES at byte {at} is not UTF-8") from error
        at = end
    return texts
