"""The README's table out of manifests."""

from __future__ import annotations

import dataclasses

from edgert_tools.arm.table import table
from tests import tiny


def counted(instructions: int) -> dict[str, object]:
    return {"instructions": instructions, "float_instructions": 100_000_000, "tokens": 16, "basis": "emulated"}


def test_each_board_has_the_form_that_it_uses_and_bundles_without_figures_are_left_out() -> None:
    plain = tiny.manifest("classify", "tiny")
    model = dataclasses.replace(plain.model, scheme="rows-s8-smooth")
    variants = {"nbits8-b32": {"boards": {"pi5": counted(50_000_000)}}}
    measured = {"boards": {"pi4": counted(90_000_000), "pi5": counted(60_000_000)}, "variants": variants}
    both = dataclasses.replace(plain, name="both", model=model, measured=measured)
    assert table([plain, both]).splitlines()[2:] == [
        "| `both` | pi4 | rows-s8-smooth | 16 | 100.0 M | 90.0 M | 0.90x | emulated |",
        "| `both` | pi5 | nbits8-b32 | 16 | 100.0 M | 50.0 M | 0.50x | emulated |",
    ]
