"""Times that can be compared on a noisy machine: interleaved, with the garbage collector off, medians.

The clock is the process's own CPU time. With one thread that is the time on the wall of an idle machine, and what the
neighbours take is not counted: on a machine with a load of 8 the wall clock gave ratios between half and twice these.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Call = Callable[[], object]


@dataclass
class Times:
    """Seconds of every repeat."""

    theirs: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    peers: dict[str, list[float]] = field(default_factory=dict)

    def medians(self, per_second: float = 1.0) -> tuple[float, float, float]:
        """(theirs, warm, cold) in a unit of which a second has so many."""
        theirs, warm, cold = (statistics.median(own) * per_second for own in (self.theirs, self.warm, self.cold))
        return theirs, warm, cold


def compare(
    theirs: Call, fresh: Callable[[], Call], repeats: int, inner: int = 1, peers: Mapping[str, Call] | None = None
) -> Times:
    """Time a peer's call and ours in turn.

    Args:
        theirs: the peer's call; it has run once before, for its result, so that its own caches are full.
        fresh: opens a tokenizer that has only its shipped table and gives the call: the first one is cold, the next
            ones are warm. Opening is not timed.
        repeats: rounds of the three.
        inner: calls inside one reading of the clock, where one is too short; a cold call is always one.
        peers: further calls, timed in the same rounds; they have run once, too.
    """
    times = Times(peers={name: [] for name in peers or {}})
    for _ in range(repeats):
        times.theirs.append(seconds(theirs, inner))
        ours = fresh()
        times.cold.append(seconds(ours))
        times.warm.append(seconds(ours, inner))
        for name, call in (peers or {}).items():
            times.peers[name].append(seconds(call, inner))
    return times


def seconds(call: Call, inner: int = 1) -> float:
    """CPU seconds of one call, the mean of `inner`."""
    gc.collect()
    gc.disable()
    try:
        results = []
        started = time.process_time()
        for _ in range(inner):
            results.append(call())
            results.clear()  # one result at a time is alive, as with a caller who uses it
        return (time.process_time() - started) / inner
    finally:
        gc.enable()
