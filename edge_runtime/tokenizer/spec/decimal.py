"""Decimal fractions of a JSON file as the float64 that Hugging Face `tokenizers` makes of them.

Its JSON reader rounds twice: about one score in eight is off by one in the last place. Sums of scores decide which
pieces a Unigram model takes, so that ties are ties only with the same scores.

Source: `src/de.rs` of https://github.com/serde-rs/json, without its feature `float_roundtrip`.
"""

from __future__ import annotations

import re
from math import inf, isinf

_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)
_LARGEST = (1 << 64) - 1
_STEP = 308  # the largest power of ten of a float64, and of the original's table
_SHORT = 40  # characters of a number that surely needs no larger power
_POWERS = tuple(float(f"1e{exponent}") for exponent in range(_SHORT))


def read_decimal(text: str) -> float:
    """Give the value of a JSON number; for `json.loads(..., parse_float=...)`, which passes nothing else.

    Raises:
        ValueError: it is larger than a float64 can be: the original refuses the file, too.
    """
    whole, _, fraction = text.partition(".")
    try:
        significand = int(whole + fraction)
    except ValueError:  # it has an exponent
        return _read_any(text)
    if -_LARGEST <= significand <= _LARGEST and significand and len(text) <= _SHORT:
        return significand / _POWERS[len(fraction)]
    return _read_any(text)


def _read_any(text: str) -> float:
    """Read a number of any length, with or without an exponent, at a tenth of the speed."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:64]!r} is not a number of JSON")
    sign, whole, fraction, exponent = match.groups()
    significand, scale = _extend(0, whole)
    if fraction:
        significand, left = _extend(significand, fraction)
        scale -= len(fraction) - left
    value = _scaled(float(significand), scale + int(exponent or 0))
    if isinf(value):
        raise ValueError(f"{text[:64]!r} is too large a number")
    return -value if sign else value


def _extend(value: int, digits: str) -> tuple[int, int]:
    """Append as many digits to a value as fit into 64 bits, and say how many are left over."""
    for at, digit in enumerate(digits):
        longer = value * 10 + int(digit)
        if longer > _LARGEST:
            return value, len(digits) - at
        value = longer
    return value, 0


def _scaled(value: float, exponent: int) -> float:
    """Multiply by a power of ten, or divide by one: not the same in the last place."""
    if value == 0.0:
        return value
    if exponent > _STEP:
        return inf
    if exponent >= 0:
        return value * float(f"1e{exponent}")
    while exponent < -_STEP and value != 0.0:
        value /= float(f"1e{_STEP}")
        exponent += _STEP
    return value / float(f"1e{-exponent}") if value else value
