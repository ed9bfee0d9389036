"""Places in JSON, as `temperature` or `sensors[0].value` or `["odd key"]`; and values as text and number."""

from __future__ import annotations

import json
import math
import re

Path = tuple[str | int, ...]

_STEP = re.compile(r'(?:^|(?<=.)\.)([^.\[\]"{}]+)|\[(-?\d{1,6})\]|\["([^"\]]+)"\]')


def parse_path(text: str) -> Path:
    """Read a place; "" is the whole. ValueError: it is none."""
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise ValueError(f"{text[:80]!r} is no place in JSON: write it as a.b[0]")
        key, index, quoted = found.groups()
        steps.append(int(index) if index is not None else key if key is not None else quoted)
        at = found.end()
    return tuple(steps)


def look_up(document: object, path: Path) -> object:
    """What is at a place; None: nothing is."""
    for step in path:
        if isinstance(step, str):
            if not isinstance(document, dict) or step not in document:
                return None
            document = document[step]
        else:
            if not isinstance(document, list) or not -len(document) <= step < len(document):
                return None
            document = document[step]
    return document


def as_text(value: object) -> str:
    """A JSON value as people write it: texts bare, `true`, `21.5`; objects and lists as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_number(value: object) -> float | None:
    """A JSON value as a finite number; texts as `21.5` count, too, and true is 1. None: it is none."""
    if isinstance(value, str) and "_" in value:  # which Python takes: 1_000
        return None
    if not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
