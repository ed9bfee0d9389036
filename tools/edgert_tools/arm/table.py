"""The table of models/README.md on emulated boards, out of the bundles that were measured.

    python -m edgert_tools.arm.table BUNDLE...

Bundles are those that `edgert convert` or `edgert quantize` made with `--target`; others have nothing to tell.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import Manifest, read_manifest
from edgert_tools.arm.figures import millions, times


@dataclass(frozen=True)
class Row:
    """A form of a bundle on a board."""

    bundle: str
    board: str
    scheme: str
    instructions: int
    float_instructions: int
    tokens: int
    basis: str


def rows_of(manifest: Manifest) -> Iterator[Row]:
    """What a bundle's manifest says of boards: of each board the form that it uses."""
    measured: Any = manifest.measured
    variants = measured.get("variants", {})
    told: dict[str, Row] = {}
    for scheme, figures in [*((name, variants[name]) for name in variants), (manifest.model.scheme, measured)]:
        for board, one in figures.get("boards", {}).items():
            row = Row(
                manifest.name,
                board,
                scheme,
                one["instructions"],
                one["float_instructions"],
                one["tokens"],
                one["basis"],
            )
            if board not in told or row.instructions < told[board].instructions:
                told[board] = row
    yield from told.values()


def table(manifests: Sequence[Manifest]) -> str:
    """All rows in Markdown, by name and board."""
    rows = sorted((row for one in manifests for row in rows_of(one)), key=lambda row: (row.bundle, row.board))
    lines = ["| recipe | board | scheme | tokens | float32 | int8 | of float's | how |", "| --- " * 8 + "|"]
    for row in rows:
        ratio = times(row.instructions / row.float_instructions)
        counts = f"{millions(row.float_instructions)} | {millions(row.instructions)} | {ratio}"
        lines.append(f"| `{row.bundle}` | {row.board} | {row.scheme} | {row.tokens} | {counts} | {row.basis} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table([read_manifest(Path(name)) for name in sys.argv[1:]]) + "\n")
