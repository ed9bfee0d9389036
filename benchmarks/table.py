"""How a measurement is shown: a table for people, JSON for everything else, both with the machine's name."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgert_tools.machine import machine


def show(
    title: str,
    rows: Sequence[Mapping[str, object]],
    *,
    as_json: bool,
    output: Path | None,
    conditions: Mapping[str, object] | None = None,
) -> None:
    """Print a table (or JSON) with the machine's name and further conditions, and write JSON to `output`."""
    host = machine() | dict(conditions or {})
    document = {"benchmark": title, "at": time.strftime("%Y-%m-%d"), "machine": host, "rows": list(rows)}
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(document, indent=1) + "\n")
    if as_json:
        print(json.dumps(document))
        return
    print(f"{title}\n" + ", ".join(f"{key} {value}" for key, value in host.items()) + "\n")
    if not rows:
        return
    names = list(rows[0])
    cells = [names, *[[_cell(row[name]) for name in names] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    """Numbers with about four figures: more are noise."""
    if not isinstance(value, float):
        return str(value)
    decimals = 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:.{decimals}f}"
