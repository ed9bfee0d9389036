"""Not too many texts of one label."""

from __future__ import annotations

import random
from collections.abc import Sequence

from edgert_tools.datasets import Labelled


def capped(rows: Sequence[Labelled], most: int, seed: int) -> tuple[Labelled, ...]:
    """At most so many rows of each label, drawn by the seed, in their order."""
    kept: set[int] = set()
    for label in sorted({row.label for row in rows}):
        places = [place for place, row in enumerate(rows) if row.label == label]
        kept.update(random.Random(f"{seed}/{label}").sample(places, min(most, len(places))))
    return tuple(rows[place] for place in sorted(kept))
