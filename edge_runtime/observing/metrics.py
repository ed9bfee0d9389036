"""What was done, as numbers: per model and version, split by phase; and the `load` and `stats` documents of it.

`Metrics.finished` is on the path of every request and takes about a microsecond on a workstation.
"""

from __future__ import annotations

import collections
import json
import threading
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

PHASES = ("queue", "tokenize", "infer", "answer")
# Upper bounds of the histograms' buckets in microseconds: powers of two from 32 us to 33.6 s.
BOUNDS_US = tuple(1 << power for power in range(5, 26))
WINDOW_S = 300.0  # p50 and p95 are of the answers of the last five minutes ...
WINDOW_ANSWERS = 1024  # ... and of this many at most
MOST_SERIES = 64  # models and versions; the one that was silent longest gives way
MOST_LAST_BYTES = 1024

_SLOTS = 65  # bit lengths of 64-bit numbers


@dataclass(frozen=True)
class Moment:
    """What the daemon knows of itself at one moment; what cannot be known is None.

    Attributes:
        queued, running: requests that wait; that run.
        workers: threads that run models.
        received, answered, refused, unsent, repeated: requests since the start.
        versions: name -> version of each model that can be asked; "" for one that is not loaded.
    """

    queued: int = 0
    running: int = 0
    workers: int = 1
    received: int = 0
    answered: int = 0
    refused: int = 0
    unsent: int = 0
    repeated: int = 0
    memory_mb: float | None = None
    temperature_c: float | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Histogram:
    """Durations of one phase: how many were at most each of `BOUNDS_US`, how many at all, and their sum."""

    cumulated: tuple[int, ...]
    count: int
    sum_us: int


@dataclass(frozen=True)
class SeriesState:
    """One model's version as counted until now: requests by status, durations of answered ones by phase."""

    model: str
    version: str
    statuses: Mapping[int, int]
    histograms: Mapping[str, Histogram]


class _Recent:
    """When the last answers were given and what they took, in a ring."""

    def __init__(self) -> None:
        self.at_s = array("d", [float("-inf")]) * WINDOW_ANSWERS
        self.took_us = array("Q", [0]) * WINDOW_ANSWERS
        self.next = 0

    def add(self, at_s: float, took_us: int) -> None:
        place = self.next
        self.at_s[place] = at_s
        self.took_us[place] = took_us
        self.next = place + 1 if place + 1 < WINDOW_ANSWERS else 0

    def since(self, at_s: float) -> list[int]:
        return sorted(took for at, took in zip(self.at_s, self.took_us, strict=True) if at >= at_s)


class _Series:
    """Counters of one model's version. A phase's slot is the bit length of (microseconds - 1): at most 2^slot us."""

    def __init__(self, model: str, version: str) -> None:
        self.model, self.version = model, version
        self.statuses: dict[int, int] = {}
        self.recent = _Recent()
        self.slots = tuple([0] * _SLOTS for _ in PHASES)
        self.sums_us = [0] * len(PHASES)
        self.last: Mapping[str, object] | None = None
        self.touched_s = 0.0

    def state(self) -> SeriesState:
        histograms = dict(zip(PHASES, map(_histogram, self.slots, self.sums_us), strict=True))
        return SeriesState(self.model, self.version, dict(self.statuses), histograms)


class Metrics:
    """Counts finished requests; from any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._started_s = clock, clock()
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str], _Series] = {}
        self._codes: collections.Counter[str] = collections.Counter()
        self._recent = _Recent()

    def finished(
        self,
        model: str,
        version: str,
        status: int,
        code: str,
        *,
        queue_us: int,
        encode_us: int,
        infer_us: int,
        answer_us: int,
        last: Mapping[str, object] | None,
    ) -> None:
        """Count one request that was run.

        Args:
            model, version: what ran.
            status: 200, or the error's number; durations of errors are not counted.
            code: "" or the error's word.
            queue_us, encode_us, infer_us, answer_us: what each phase took, never negative.
            last: the answer, if it was one text's; kept until the next.
        """
        at_s = self._clock()
        with self._lock:
            series = self._series.get((model, version)) or self._new(model, version)
            series.touched_s = at_s
            statuses = series.statuses
            statuses[status] = statuses.get(status, 0) + 1
            if status != 200:
                self._codes[code] += 1
                return
            if last is not None:
                series.last = last
            queued, encoded, inferred, answered = series.slots
            queued[(queue_us - 1).bit_length()] += 1
            encoded[(encode_us - 1).bit_length()] += 1
            inferred[(infer_us - 1).bit_length()] += 1
            answered[(answer_us - 1).bit_length()] += 1
            sums_us = series.sums_us
            sums_us[0] += queue_us
            sums_us[1] += encode_us
            sums_us[2] += infer_us
            sums_us[3] += answer_us
            took_us = queue_us + encode_us + infer_us + answer_us
            series.recent.add(at_s, took_us)
            self._recent.add(at_s, took_us)

    def _new(self, model: str, version: str) -> _Series:
        if len(self._series) >= MOST_SERIES:
            del self._series[min(self._series, key=lambda key: self._series[key].touched_s)]
        return self._series.setdefault((model, version), _Series(model, version))

    @property
    def uptime_s(self) -> float:
        """Seconds since this was made."""
        return self._clock() - self._started_s

    @property
    def codes(self) -> dict[str, int]:
        """Error word -> requests that ran into it."""
        with self._lock:
            return dict(self._codes)

    def series(self) -> list[SeriesState]:
        """A copy of all counters, by model and version."""
        with self._lock:
            return [self._series[key].state() for key in sorted(self._series)]

    def load_document(self, moment: Moment) -> dict[str, object]:
        """How much there is to do: what clients choose a device by (docs/mqtt.md, `load`)."""
        with self._lock:
            took_us = self._recent.since(self._clock() - WINDOW_S)
        return {
            "queued": moment.queued,
            "running": moment.running,
            "workers": moment.workers,
            "p50_ms": quantile_ms(took_us, 0.5),
            "models": sorted(moment.versions),
        }

    def stats_document(self, device: str, moment: Moment) -> dict[str, object]:
        """What was done since the start, in all and of each model (docs/mqtt.md, `stats`)."""
        since_s = self._clock() - WINDOW_S
        with self._lock:
            took_us = self._recent.since(since_s)
            models = {name: self._model(name, version, since_s) for name, version in sorted(moment.versions.items())}
        return {
            "device": device,
            "uptime_s": int(self.uptime_s),
            "queued": moment.queued,
            "running": moment.running,
            "received": moment.received,
            "answered": moment.answered,
            "refused": moment.refused,
            "unsent": moment.unsent,
            "repeated": moment.repeated,
            "p50_ms": quantile_ms(took_us, 0.5),
            "p95_ms": quantile_ms(took_us, 0.95),
            "memory_mb": _rounded(moment.memory_mb),
            "temperature_c": _rounded(moment.temperature_c),
            "models": models,
        }

    def _model(self, name: str, version: str, since_s: float) -> dict[str, object]:
        series = self._series.get((name, version)) or self._newest(name, version)
        took_us = series.recent.since(since_s)
        answered = series.statuses.get(200, 0)
        return {
            "version": series.version,
            "answered": answered,
            "refused": sum(series.statuses.values()) - answered,
            "p50_ms": quantile_ms(took_us, 0.5),
            "p95_ms": quantile_ms(took_us, 0.95),
            "last": flat_answer(series.last),
        }

    def _newest(self, name: str, version: str) -> _Series:
        """A model's series of no known version: that which counted last; of a version that never ran: an empty one."""
        known = [] if version else [series for series in self._series.values() if series.model == name]
        return max(known, key=lambda series: series.touched_s, default=_Series(name, version))


class LoadPace:
    """When the `load` document is to be published: on change, once a second at most, and well before it expires."""

    SHORTEST_S = 1.0
    LONGEST_S = 10.0

    def __init__(self) -> None:
        self._sent: Mapping[str, object] | None = None
        self._sent_s = float("-inf")

    def is_due(self, document: Mapping[str, object], now_s: float) -> bool:
        """Whether to publish this document now; if so, call `sent` when it was."""
        past_s = now_s - self._sent_s
        return past_s >= (self.SHORTEST_S if document != self._sent else self.LONGEST_S)

    def sent(self, document: Mapping[str, object], now_s: float) -> None:
        """It was handed to the network."""
        self._sent, self._sent_s = document, now_s

    def forget(self) -> None:
        """The connection is new: the broker may know nothing of what was sent."""
        self._sent, self._sent_s = None, float("-inf")


def quantile_ms(sorted_us: Sequence[int], share: float) -> float | None:
    """The least of some sorted microseconds that at least this share does not exceed, in ms; None if there are none."""
    if not sorted_us:
        return None
    rank = max(0, -int(-share * len(sorted_us) // 1) - 1)
    return round(sorted_us[rank] / 1000, 3)


def flat_answer(answer: Mapping[str, object] | None) -> dict[str, object] | None:
    """The numbers and short texts of an answer: no vectors, no NaN, at most 1 kB of JSON; None if nothing is left."""
    flat: dict[str, object] = {}
    for name, value in (answer or {}).items():
        if not _is_flat(value):
            continue
        flat[name] = value
        if len(json.dumps(flat)) > MOST_LAST_BYTES:
            del flat[name]
    return flat or None


def _is_flat(value: object) -> bool:
    if isinstance(value, float):
        return abs(value) < float("inf")
    return isinstance(value, str | int)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _histogram(slots: Sequence[int], sum_us: int) -> Histogram:
    def below() -> Iterator[int]:
        total = 0
        for slot, count in enumerate(slots):
            total += count
            if 1 << slot in BOUNDS_US:
                yield total

    return Histogram(tuple(below()), sum(slots), sum_us)
