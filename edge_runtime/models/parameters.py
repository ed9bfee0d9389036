"""Reading what a request says on how to answer, one value at a time; a refusal names the parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_runtime.errors import BadRequest

Parameters = Mapping[str, str | int | float | bool]


def whole_number(parameters: Parameters, name: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`. BadRequest: it is something else."""
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected a whole number from 1 to {most}")
    return value


def flag(parameters: Parameters, name: str, *, default: bool = False) -> bool:
    """True or false. BadRequest: it is something else."""
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected true or false")
    return value


def word_of(parameters: Parameters, name: str, default: str, choices: Sequence[str]) -> str:
    """One of a few words. BadRequest: it is something else."""
    value = parameters.get(name, default)
    if value not in choices:
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected one of {', '.join(choices)}")
    return str(value)


def share(parameters: Parameters, name: str, default: float) -> float:
    """A number from 0 to 1. BadRequest: it is something else."""
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN is neither
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected a number from 0 to 1")
    return float(value)


def text_of(parameters: Parameters, name: str, default: str) -> str:
    """A text. BadRequest: it is something else."""
    value = parameters.get(name, default)
    if not isinstance(value, str):
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected a text")
    return value
