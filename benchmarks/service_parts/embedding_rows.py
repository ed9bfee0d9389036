"""The table's lines about embeddings: each server's figures, and the goals that edgert has against them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.service_parts.embeddings import IN_FLIGHT, Measured
from benchmarks.service_parts.rows import Rows, median_ratio, not_measured, row

SAME = 0.999  # a cosine: the same model, summed up in another order
OBVIOUS = "FastAPI"
BEATEN = 2


def embedding_rows(ours: Measured, theirs: Sequence[Measured]) -> Rows:
    """Every server's lines, then how many peers edgert is faster than; answers that differ count for nothing."""
    rows: Rows = []
    for one in (ours, *theirs):
        rows += _own(one)
    faster = 0
    for one in theirs:
        obvious = one.title.startswith(OBVIOUS)
        least = 2.0 if obvious else 1.0
        goal = ">= 2" if obvious else "> 1"
        what = f"embeddings: throughput over {one.title}"
        if one.why or ours.why or one.worst_cosine < SAME:
            if obvious:
                rows.append(not_measured(what, "no answers to compare", goal))
            continue
        ratio = median_ratio(ours.rates, one.rates)
        rows.append(row(what, ratio, "", goal, ratio >= least if obvious else ratio > least))
        less = statistics.median(one.added_ms) / statistics.median(ours.added_ms)
        what = f"embeddings, one in flight: p50 that {one.title} adds, over ours"
        rows.append(row(what, less, "", ">= 3" if obvious else "> 1", less >= 3 if obvious else less > 1))
        faster += not obvious and ratio > 1
    rows.append(row(f"embeddings: peers other than {OBVIOUS} that are slower", faster, "", ">= 2", faster >= BEATEN))
    return rows


def _own(one: Measured) -> Rows:
    if one.why:
        return [not_measured(f"embeddings: {one.title}", one.why)]
    same = one.worst_cosine >= SAME
    return [
        row(f"embeddings, {IN_FLIGHT} in flight: {one.title}", statistics.median(one.rates), "1/s", "", True),
        row(f"embeddings, one in flight: p50 that {one.title} adds", statistics.median(one.added_ms), "ms", "", True),
        row(f"embeddings: worst cosine of {one.title}", one.worst_cosine, "", f">= {SAME}", same),
    ]
