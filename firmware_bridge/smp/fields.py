"""CBOR maps as frozen dataclasses and back: a field's name is the key, its type says what may stand there.

Keys that a dataclass does not have are passed over, as Zephyr does: clients send more than a server knows.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar

from firmware_bridge.smp.message import BadMessage

Record = TypeVar("Record")


@dataclass(frozen=True)
class Limits:
    """Of a number: least and most; of a text or bytes: of its length; of a list: of its items' count."""

    least: int
    most: int


MOST_OFFSET = (1 << 40) - 1
Offset = Annotated[int, Limits(0, MOST_OFFSET)]
Digest = Annotated[bytes, Limits(32, 32)]
Word = Annotated[str, Limits(0, 256)]
_NAMES: dict[Any, str] = {int: "a whole number", bytes: "bytes", str: "a text", bool: "true or false", tuple: "a list"}


def read_fields(kind: type[Record], body: Mapping[str, object]) -> Record:
    """Read a map.

    Args:
        kind: a dataclass whose annotations are int, bytes, str, bool, `tuple[X, ...]`, `X | None`, or one of these
            in `Annotated` with `Limits`.

    Raises:
        BadMessage: a field is missing, of another type, or out of its limits; its name is said.
    """
    values: dict[str, object] = {}
    for name, hint, needed in _plan(kind):  # type: ignore[arg-type]
        if name in body:
            values[name] = _checked(name, hint, body[name])
        elif needed:
            raise BadMessage(f"{name!r} is missing")
    return kind(**values)


def write_fields(record: object) -> dict[str, object]:
    """The map of a dataclass; what has its default is left out."""
    found: dict[str, object] = {}
    for field in dataclasses.fields(record):  # type: ignore[arg-type]
        value = getattr(record, field.name)
        if field.default is dataclasses.MISSING or value != field.default:
            found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


@cache
def _plan(kind: Any) -> tuple[tuple[str, Any, bool], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(
        (field.name, hints[field.name], field.default is dataclasses.MISSING) for field in dataclasses.fields(kind)
    )


def _checked(name: str, hint: Any, value: object) -> object:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _checked(name, typing.get_args(hint)[0], value)
    if origin is Annotated:
        plain, limits = typing.get_args(hint)
        checked = _checked(name, plain, value)
        measure = checked if isinstance(checked, int) else len(checked)  # type: ignore[arg-type]
        if not limits.least <= measure <= limits.most:
            what = "is" if isinstance(checked, int) else "has length"
            raise BadMessage(f"{name!r} {what} {measure}, must be {limits.least} to {limits.most}")
        return checked
    if origin is tuple:
        if not isinstance(value, list):
            raise _wrong(name, tuple, value)
        return tuple(_checked(name, typing.get_args(hint)[0], item) for item in value)
    if type(value) is not hint:  # exact: True is an int to isinstance
        raise _wrong(name, hint, value)
    return value


def _wrong(name: str, expected: Any, found: object) -> BadMessage:
    return BadMessage(f"{name!r} must be {_NAMES[expected]}, found {type(found).__name__}")
