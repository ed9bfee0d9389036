"""How much faster or slower int8 is than float on this machine, by turns so that both meet the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from edge_runtime.pipeline import Pipeline

TEXTS, ROUNDS = 12, 9


@dataclass(frozen=True)
class Speed:
    """Median milliseconds of one text alone, one thread; `ratio` is the median of float time over int8 time.

    Above 1 int8 is faster. `pairs` is how many were compared.
    """

    threads: int
    pairs: int
    float_ms: float
    int8_ms: float
    ratio: float


def compare_speed(original: Pipeline, quantized: Pipeline, texts: Sequence[str], threads: int) -> Speed:
    """Time both pipelines (opened with `threads`) on a few of the texts, from short to long, one after the other."""
    ordered = sorted(texts, key=len)
    sample = [ordered[index * len(ordered) // TEXTS] for index in range(TEXTS)]
    for pipeline in (original, quantized):
        pipeline.run(sample[-1:], truncate=True)  # the first run allocates
    pairs = [(_seconds(original, text), _seconds(quantized, text)) for _ in range(ROUNDS) for text in sample]
    return Speed(
        threads=threads,
        pairs=len(pairs),
        float_ms=1000 * statistics.median(before for before, _ in pairs),
        int8_ms=1000 * statistics.median(after for _, after in pairs),
        ratio=statistics.median(before / after for before, after in pairs),
    )


def _seconds(pipeline: Pipeline, text: str) -> float:
    start = time.perf_counter()
    pipeline.run([text], truncate=True)
    return time.perf_counter() - start
