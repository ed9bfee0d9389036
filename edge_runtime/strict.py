"""Plain JSON or TOML data -> frozen dataclass, strictly: the one reader behind manifest, config and recipes.

Every key must be a field, every field without a default must be there, every value must be of the declared kind.
Nothing is converted on the way, except that an int is taken where a float is declared and lists become tuples.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar

Record = TypeVar("Record")


class StrictError(ValueError):
    """What is wrong and where, as `files[3].size: expected a whole number, found "big"`."""


def decode(kind: type[Record], data: object, where: str = "") -> Record:
    """Read plain data (dicts, lists, strings, numbers, booleans) as the dataclass `kind`.

    Args:
        kind: a dataclass; its annotations may use str, int, float, bool, object, Literal, `X | None`,
            `tuple[X, ...]`, `Mapping[str, X]` and other dataclasses.
        where: path of `data` for the message, as `task.labels`.

    Raises:
        StrictError: names the place, what was found and what was expected.
    """
    value: Record = _decode(kind, data, where)
    return value


def _decode(kind: Any, data: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _record(kind, data, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        if not isinstance(data, list | tuple):
            raise _wrong(where, "a list", data)
        return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(data))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            raise _wrong(where, "a table", data)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in data.items()}
    if origin is Literal:
        if data not in arguments:
            raise _wrong(where, "one of " + ", ".join(map(repr, arguments)), data)
        return data
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _union(arguments, data, where)
    return _scalar(kind, data, where)


def _union(choices: tuple[Any, ...], data: object, where: str) -> Any:
    reasons = []
    for choice in choices:
        if choice is type(None):
            continue
        try:
            return _decode(choice, data, where)
        except StrictError as error:
            reasons.append(error)
    raise reasons[0]


_SCALARS: dict[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _scalar(kind: Any, data: object, where: str) -> Any:
    if kind in (object, Any):
        return data
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if type(data) is not kind:  # exact: True is an int to isinstance
        raise _wrong(where, _SCALARS[kind], data)
    return data


def _record(kind: Any, data: object, where: str) -> Any:
    if not isinstance(data, dict):
        raise _wrong(where, "a table", data)
    hints, fields = _hints(kind), {field.name: field for field in dataclasses.fields(kind)}
    dot = f"{where}." if where else ""
    for key in data:
        if key not in fields:
            raise StrictError(f"{dot}{str(key)[:64]}: unknown key, expected one of {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _decode(hints[name], data[name], f"{dot}{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise StrictError(f"{dot}{name}: missing")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _wrong(where: str, expected: str, found: object) -> StrictError:
    return StrictError(f"{where or 'document'}: expected {expected}, found {repr(found)[:80]}")
