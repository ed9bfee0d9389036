"""Golden rows: texts with the ids and values that the workstation got, so that a board can test itself."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import BundleError
from edge_runtime.strict import StrictError, decode

MAX_ROWS = 1000


@dataclass(frozen=True)
class GoldenRow:
    """One text with its token ids and the int8 model's values (a vector, or one probability a label)."""

    text: str
    ids: tuple[int, ...]
    values: tuple[float, ...]
    label: str | None = None


@dataclass(frozen=True)
class _GoldenFile:
    rows: tuple[GoldenRow, ...]


def write_golden(path: Path, rows: Sequence[GoldenRow]) -> None:
    """Write the rows, one a line inside the JSON document; values keep 7 digits, what float32 holds."""
    lines = []
    for row in rows:
        plain = dataclasses.asdict(row)
        plain["values"] = [float(f"{value:.7g}") for value in row.values]
        lines.append(json.dumps(plain, ensure_ascii=False))
    path.write_text('{"rows": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def read_golden(path: Path) -> tuple[GoldenRow, ...]:
    """Read the rows; a file that is not of this form is a `BundleError`."""
    try:
        rows = decode(_GoldenFile, json.loads(path.read_bytes())).rows
    except OSError as error:
        raise BundleError(f"cannot read {path.name}: {error.strerror}") from error
    except (ValueError, RecursionError, StrictError) as error:
        raise BundleError(f"{path.name}: {error}") from error
    if not 0 < len(rows) <= MAX_ROWS:
        raise BundleError(f"{path.name} has {len(rows)} rows, expected 1 to {MAX_ROWS}")
    return rows
