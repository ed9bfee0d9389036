"""From the probability of speech in each frame to stretches of speech: two thresholds, and the least durations.

Speech begins where the probability reaches the threshold. It ends where it falls below the lower one and stays below
the threshold for `min_silence_s`, and counts only if longer than `min_speech_s`. This is how silero_vad's
`get_speech_timestamps` decides, so its defaults are right here too.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_runtime.errors import BadRequest
from edge_runtime.models.parameters import Parameters, share

_EXIT_BELOW = 0.15  # how far the lower threshold lies under the upper one, if not said otherwise
_LEAST_EXIT = 0.01
_LONGEST_MS = 60_000

Stretch = tuple[float, float]  # begin and end, in samples


@dataclass(frozen=True)
class GateSettings:
    """How sure and how long; times in samples.

    Attributes:
        threshold, exit_threshold: speech begins at the one and ends below the other.
        min_speech, min_silence: what is shorter is dropped, or is no end.
        pad: what is added before and after.
    """

    threshold: float
    exit_threshold: float
    min_speech: float
    min_silence: float
    pad: float


@dataclass
class SpeechGate:
    """What is known so far of a stream; `began` and `silent_since` are samples from its beginning, or None."""

    began: int | None = None
    silent_since: int | None = None

    def feed(self, probability: float, at: int, settings: GateSettings) -> Stretch | None:
        """Look at the frame that begins at sample `at`; a stretch of speech if its end is now certain."""
        if probability >= settings.threshold:
            self.silent_since = None
            if self.began is None:
                self.began = at
            return None
        if self.began is None or probability >= settings.exit_threshold:
            return None
        if self.silent_since is None:
            self.silent_since = at
        return self._ended(self.silent_since, settings) if at - self.silent_since >= settings.min_silence else None

    def finish(self, end: int, settings: GateSettings) -> Stretch | None:
        """The stream is over at sample `end`; a stretch of speech if one was going on."""
        return None if self.began is None else self._ended(end, settings)

    def _ended(self, end: int, settings: GateSettings) -> Stretch | None:
        assert self.began is not None
        stretch = (float(self.began), float(end))
        self.began = self.silent_since = None
        return stretch if stretch[1] - stretch[0] > settings.min_speech else None


def padded(stretches: Sequence[Stretch], pad: float, first: float, last: float) -> list[Stretch]:
    """Stretches with `pad` samples more on each side, within `first` and `last`; a short gap is shared in halves."""
    begins, ends = [max(first, begin - pad) for begin, _ in stretches], [min(last, end + pad) for _, end in stretches]
    for number, ((_, end), (begin, _)) in enumerate(itertools.pairwise(stretches)):
        if begin - end < 2 * pad:
            half = (begin - end) // 2
            ends[number], begins[number + 1] = end + half, max(first, begin - half)
    return list(zip(begins, ends, strict=True))


def read_settings(parameters: Parameters, rate: int) -> GateSettings:
    """Settings out of a request's parameters.

    Raises:
        BadRequest: one of them is not a number within its bounds.
    """
    threshold = share(parameters, "threshold", 0.5)
    usual_exit = max(threshold - _EXIT_BELOW, _LEAST_EXIT)
    times = (("min_speech_ms", 250.0), ("min_silence_ms", 100.0), ("pad_ms", 30.0))
    samples = [milliseconds(parameters, name, usual) * rate / 1000 for name, usual in times]
    return GateSettings(threshold, share(parameters, "exit_threshold", usual_exit), *samples)


def share_of(probabilities: Iterable[float], settings: GateSettings) -> float:
    """The share of frames that reach the threshold; 0 without any."""
    reached = [probability >= settings.threshold for probability in probabilities]
    return sum(reached) / len(reached) if reached else 0.0


def milliseconds(parameters: Parameters, name: str, usual: float) -> float:
    """A time out of a request's parameters, up to a minute. BadRequest: it is none."""
    value = parameters.get(name, usual)
    if isinstance(value, bool | str) or not 0 <= value <= _LONGEST_MS:  # NaN is neither
        raise BadRequest(f"parameter {name} is {str(value)[:40]!r}, expected a number from 0 to {_LONGEST_MS}")
    return float(value)
