"""Header of a safetensors file, or of the several files that an index names: names, types, shapes.

Source: "Format" in https://huggingface.co/docs/safetensors: u64 little-endian length, JSON, then the tensors' bytes,
which must begin at 0, follow each other without holes and end with the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.tensors import LONGEST_NAME, MOST_VALUES, Tensor

INDEX = "model.safetensors.index.json"
MAX_HEADER_BYTES = 100_000_000  # the original's own bound
_MAX_INDEX_BYTES = 64 << 20
_MAX_FILES = 1000
# Type -> bits a value.
_BITS = {
    **{"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8},
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6},
    **{"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64},
    **{"I64": 64, "U64": 64, "F64": 64},
}


def read_safetensors(file: Path) -> tuple[Tensor, ...]:
    """The tensors of one file, in the order of their bytes; only the header is read.

    Raises:
        BadSource: not a safetensors file, cut short, or a header that does not describe the file.
    """
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
            length = int.from_bytes(start, "little")
            if len(start) < 8:
                raise BadSource(f"{file.name} has {len(start)} bytes: it is no safetensors file")
            if length > min(MAX_HEADER_BYTES, size - 8):
                raise BadSource(
                    f"{file.name} says that its header has {length} bytes, the file has {size}: "
                    "it is cut short or no safetensors file"
                )
            header = stream.read(length)
    except OSError as error:
        raise BadSource(f"{file.name} cannot be read: {error.strerror or error}") from error
    return tensors_of(_parsed(header, file.name), file.name, size - 8 - length)


def read_split(index: Path) -> tuple[Tensor, ...]:
    """The tensors of all files that an index names.

    Raises:
        BadSource: the index or a file of it is damaged or missing, or they contradict each other.
    """
    weight_map = _weight_map(index)
    found: dict[str, Tensor] = {}
    for name in sorted(set(weight_map.values())):
        for tensor in read_safetensors(index.parent / name):
            if weight_map.get(tensor.name) != name:
                raise BadSource(f"{name} holds {tensor.name[:80]!r}, which {index.name} does not place there")
            found[tensor.name] = tensor
    missing = next((name for name in weight_map if name not in found), None)
    if missing is not None:
        raise BadSource(f"{index.name} names {missing[:80]!r}, which is in none of its files")
    return tuple(found.values())


def tensors_of(header: Mapping[str, Any], name: str, data_bytes: int | None) -> tuple[Tensor, ...]:
    """Check a parsed header: every shape is one, and the tensors fill the data without holes.

    Args:
        header: JSON of the header, with or without `__metadata__`.
        name: of the file, for messages.
        data_bytes: what follows the header; None if nobody knows.

    Raises:
        BadSource: what does not hold, of which tensor.
    """
    found = [_tensor(key, entry, name) for key, entry in header.items() if key != "__metadata__"]
    if not found:
        raise BadSource(f"{name} holds no tensors")
    found.sort(key=lambda pair: pair[0])
    place = 0
    for start, tensor in found:
        if start != place:
            raise BadSource(f"{name}: {tensor.name[:80]!r} begins at {start}, expected {place}: the header lies")
        place += tensor.stored_bytes
    if data_bytes is not None and place != data_bytes:
        raise BadSource(
            f"{name}: its tensors take {place} bytes, the file has {data_bytes} for them: it is cut short or damaged"
        )
    return tuple(tensor for _, tensor in found)


def _tensor(key: str, entry: Any, name: str) -> tuple[int, Tensor]:
    """Where a tensor begins, and the tensor."""
    where = f"{name}: {key[:80]!r}"
    if len(key) > LONGEST_NAME or not isinstance(entry, dict):
        raise BadSource(f"{where} is not described by a table")
    dtype, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise BadSource(f"{where} has type {str(dtype)[:40]!r}, expected one of {', '.join(_BITS)}")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise BadSource(f"{where} has a shape or a place that is not a list of whole numbers")
    values = math.prod(shape)
    stored = offsets[1] - offsets[0]
    if values > MOST_VALUES or values * _BITS[dtype] != stored * 8:
        raise BadSource(f"{where}: {dtype} of shape {str(shape)[:80]} does not take the {stored} bytes of its place")
    return offsets[0], Tensor(key, dtype, tuple(shape), stored)


def _are_counts(values: Any) -> TypeGuard[list[int]]:
    if not isinstance(values, list | tuple) or len(values) > 16:
        return False
    return all(type(value) is int and 0 <= value <= 1 << 63 for value in values)


def _weight_map(index: Path) -> dict[str, str]:
    """Tensor -> file, only of files beside the index."""
    try:
        with index.open("rb") as stream:
            content = stream.read(_MAX_INDEX_BYTES + 1)
    except OSError as error:
        raise BadSource(f"{index.name} cannot be read: {error.strerror or error}") from error
    if len(content) > _MAX_INDEX_BYTES:
        raise BadSource(f"{index.name} is larger than {_MAX_INDEX_BYTES} bytes")
    found = _parsed(content, index.name).get("weight_map")
    if not isinstance(found, dict) or not found or not all(isinstance(file, str) for file in found.values()):
        raise BadSource(f"{index.name} has no weight_map of tensor -> file")
    files = set(found.values())
    outside = next((file for file in files if Path(file).name != file or not file.endswith(".safetensors")), None)
    if outside is not None or len(files) > _MAX_FILES:
        raise BadSource(f"{index.name} names {str(outside or len(files))[:80]!r}, expected safetensors files beside it")
    return found


def _parsed(content: bytes, name: str) -> dict[str, Any]:
    try:
        header = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadSource(f"{name}: its header is not JSON: {str(error)[:120]}") from error
    if not isinstance(header, dict):
        raise BadSource(f"{name}: its header is not a table")
    return header
