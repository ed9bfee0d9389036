"""How much faster or slower int8 is than float on this machine, by turns so that both meet the same noise."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edge_runtime.pipeline import Pipeline

TEXTS, ROUNDS = 12, 9

Asked = TypeVar("Asked")


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
    return compare_speeds(original, {"": quantized}, texts, threads)[""]


def compare_speeds(
    original: Pipeline, quantized: Mapping[str, Pipeline], texts: Sequence[str], threads: int
) -> dict[str, Speed]:
    """The same for many by name: in each round and for each text all take their turn, so they can be compared too."""
    ordered = sorted(texts, key=len)
    sample = [ordered[index * len(ordered) // TEXTS] for index in range(TEXTS)]
    return compare_runs(_run(original), {name: _run(one) for name, one in quantized.items()}, sample, threads)


def compare_runs(
    original: Callable[[Asked], object],
    quantized: Mapping[str, Callable[[Asked], object]],
    sample: Sequence[Asked],
    threads: int,
) -> dict[str, Speed]:
    """The same for anything that can be asked something; the last of the sample is the longest."""
    for run in (original, *quantized.values()):
        run(sample[-1])  # the first run allocates
    pairs: dict[str, list[tuple[float, float]]] = {name: [] for name in quantized}
    for asked in (asked for _ in range(ROUNDS) for asked in sample):
        before = _seconds(original, asked)
        for name, run in quantized.items():
            pairs[name].append((before, _seconds(run, asked)))
    return {name: _speed(measured, threads) for name, measured in pairs.items()}


def _run(pipeline: Pipeline) -> Callable[[str], object]:
    return lambda text: pipeline.run([text], truncate=True)


def _speed(pairs: Sequence[tuple[float, float]], threads: int) -> Speed:
    return Speed(
        threads=threads,
        pairs=len(pairs),
        float_ms=1000 * statistics.median(before for before, _ in pairs),
        int8_ms=1000 * statistics.median(after for _, after in pairs),
        ratio=statistics.median(before / after for before, after in pairs),
    )


def _seconds(run: Callable[[Asked], object], asked: Asked) -> float:
    start = time.perf_counter()
    run(asked)
    return time.perf_counter() - start
