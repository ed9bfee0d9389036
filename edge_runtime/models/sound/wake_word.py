"""Whether, and when, somebody says the words that wake something up; a live stream may come in pieces."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine import Session, open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.parameters import Parameters, share
from edge_runtime.models.sound.frame_model import FrameModel, Heard
from edge_runtime.models.sound.speech_gate import milliseconds
from edge_runtime.tasks import OutputTensor

THRESHOLD = 0.5
AGAIN_MS = 1500.0  # one saying of the words reaches over several frames


@dataclass
class Awake:
    """The sample from which on the words may be heard again."""

    deaf_until: float = 0.0


@dataclass(frozen=True)
class Event:
    """The words, how sure, and when they had been said: seconds from the beginning of the sound, or of the stream."""

    label: str
    score: float
    time_s: float


@dataclass(frozen=True)
class WakeAnswer:
    """What was heard.

    Attributes:
        events: in their order.
        probabilities: of the words, frame by frame; told only as a tensor, but for the highest.
        at_s: where in the stream the piece began: 0 again if the stream had been forgotten. None: no piece.
    """

    events: tuple[Event, ...]
    probabilities: tuple[float, ...] = ()
    at_s: float | None = None
    truncated: tuple[bool, ...] = (False,)

    @property
    def highest(self) -> float:
        """The highest probability; 0 without any frame."""
        return max(self.probabilities, default=0.0)

    def rows(self) -> list[Mapping[str, object]]:
        """The one answer."""
        events = [
            {"label": one.label, "score": round(one.score, 6), "time_s": round(one.time_s, 3)} for one in self.events
        ]
        answer: dict[str, object] = {"events": events, "highest": round(self.highest, 6)}
        return [answer if self.at_s is None else {**answer, "at_s": round(self.at_s, 3)}]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `label`, FP32 `score` and `time_s` (events), and FP32 `probability` (frames)."""
        shape = (len(self.events),)
        scores, times = (
            [float(np.float32(value)) for value in values]
            for values in ([one.score for one in self.events], [one.time_s for one in self.events])
        )
        return [
            OutputTensor("label", "BYTES", shape, [one.label for one in self.events]),
            OutputTensor("score", "FP32", shape, scores),
            OutputTensor("time_s", "FP32", shape, times),
            OutputTensor("probability", "FP32", (len(self.probabilities),), self.probabilities),
        ]


class WakeWord(FrameModel[Awake]):
    """Probabilities that the words have just been said, from which events are made."""

    def __init__(self, manifest: Manifest, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(manifest, session, clock)
        if len(manifest.task.labels) != 1:
            raise UnsupportedModel("a wake-word bundle must have one label, the words: convert again")
        (self._words,) = manifest.task.labels

    def nothing_known(self) -> Awake:
        """Everything may be heard."""
        return Awake()

    def check_parameters(self, parameters: Parameters) -> None:
        """`threshold` and `again_ms`. BadRequest: one cannot be."""
        self._limits(parameters)

    def decide(self, known: Awake, heard: Heard, parameters: Parameters) -> WakeAnswer:
        """An event where the probability reaches the threshold, and no other for a while."""
        threshold, again = self._limits(parameters)
        events = []
        for number, probability in enumerate(heard.probabilities):
            end = min(heard.first + (number + 1) * self.voice.frame, heard.end)
            if probability >= threshold and end > known.deaf_until:
                known.deaf_until = end + again
                events.append(Event(self._words, probability, end / self.voice.rate))
        return WakeAnswer(tuple(events), heard.probabilities, heard.at_s)

    def _limits(self, parameters: Parameters) -> tuple[float, float]:
        """The threshold, and for how many samples nothing more is heard after an event."""
        again_ms = milliseconds(parameters, "again_ms", AGAIN_MS)
        return share(parameters, "threshold", THRESHOLD), again_ms * self.voice.rate / 1000


def open_wake_word(folder: Path, manifest: Manifest, threads: int) -> WakeWord:
    """Load a checked bundle; one thread, as frames are too small for more. UnsupportedModel: what it lacks."""
    return WakeWord(manifest, open_session(folder, manifest.model, 1))
