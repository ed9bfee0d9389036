"""Models that hear sound frame by frame and say how likely it is that something is in each; streams come in pieces."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import Manifest, TensorSpec, VoiceSpec
from edge_runtime.engine import Session
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Answer, Answered, Asked
from edge_runtime.models.parameters import Parameters, flag
from edge_runtime.models.sound.sessions import Sessions
from edge_runtime.models.sound.sound import read_wav

FloatArray = npt.NDArray[np.float32]
Known = TypeVar("Known")

MOST_SESSIONS = 256
MOST_SESSION_BYTES = 16 << 20
STALE_S = 60.0  # a stream that says nothing for so long is over, whatever its client thinks
_MOST_SESSION_CHARS = 64
_KNOWN_BYTES = 512  # what a stream takes besides its arrays


@dataclass
class Stream(Generic[Known]):
    """What is known of a stream after some of it.

    Attributes:
        state: the graph's, by input.
        context: the last samples that it was fed.
        known: what the task makes of the frames so far.
        rest: samples that do not fill a frame yet.
        at: samples that it was fed so far.
    """

    state: dict[str, npt.NDArray[np.generic]]
    context: FloatArray
    known: Known
    rest: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    at: int = 0

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return _KNOWN_BYTES + self.context.nbytes + self.rest.nbytes + sum(part.nbytes for part in self.state.values())


@dataclass(frozen=True)
class Heard:
    """What came of the frames of one request.

    Attributes:
        probabilities: one a frame.
        first: the sample of the stream with which the first of them begins.
        end: the sample of the stream after the last one that was fed, without what fills up the last frame.
        over: the sound, or the stream, has ended.
        at_s: for a piece of a stream, where in it the piece began.
    """

    probabilities: tuple[float, ...]
    first: int
    end: int
    over: bool
    at_s: float | None


class FrameModel(ABC, Generic[Known]):
    """One loaded model; for one thread at a time, as it keeps the state of streams."""

    parallel = False
    joins = False

    def __init__(self, manifest: Manifest, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        name = manifest.task.name
        if manifest.task.voice is None:
            raise UnsupportedModel(f"a bundle for {name!r} needs task.voice in its manifest: convert again")
        self.manifest, self._session, self.voice = manifest, session, manifest.task.voice
        self._fresh_state, self._constants = _other_inputs(manifest, self.voice)
        self._outputs = [spec.name for spec in manifest.model.outputs]
        missing = {self.voice.probability, *self.voice.state.values()} - {*self._outputs}
        if missing:
            raise UnsupportedModel(f"the graph has no output {sorted(missing)[0]!r}, which its manifest names")
        self._streams: Sessions[Stream[Known]] = Sessions(MOST_SESSIONS, MOST_SESSION_BYTES, STALE_S, clock)

    @abstractmethod
    def nothing_known(self) -> Known:
        """What is known before the first frame."""

    @abstractmethod
    def check_parameters(self, parameters: Parameters) -> None:
        """Refuse parameters that cannot be followed. BadRequest: why."""

    @abstractmethod
    def decide(self, known: Known, heard: Heard, parameters: Parameters) -> Answer:
        """The answer to one request; `known` moves on."""

    def check(self, asked: Asked) -> None:
        """Refuse what has no sound, or parameters that cannot be. BadRequest: why."""
        self._key_of(asked)
        self.check_parameters(asked.parameters)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer one request, of a whole sound or of a piece of a stream."""
        (one,) = asked
        start = time.perf_counter_ns()
        self.check(one)
        key = self._key_of(one)
        samples = read_wav(one.raw or b"", self.voice.rate)
        self._check_length(samples)
        read_at = time.perf_counter_ns()
        stream = (key and self._streams.take(key)) or self._new()
        began = stream.at + len(stream.rest)
        heard = self._hear(stream, samples, over=key is None or flag(one.parameters, "end"), began=key and began)
        ran_at = time.perf_counter_ns()
        answer = self.decide(stream.known, heard, one.parameters)
        if key is not None and not heard.over:
            self._streams.put(key, stream, stream.size_bytes)
        return Answered([answer], read_at - start, ran_at - read_at, time.perf_counter_ns() - ran_at)

    def warm_up(self) -> None:
        """Run one frame of silence."""
        self._frame(self._new(), np.zeros(self.voice.frame, np.float32))

    def probabilities(self, samples: FloatArray) -> list[float]:
        """The probability of each frame of a whole sound; silence fills up the last one."""
        stream = self._new()
        return [self._frame(stream, frame) for frame in _frames(samples, self.voice.frame)]

    def _key_of(self, asked: Asked) -> tuple[str, str] | None:
        """Whose stream this is a piece of, and which; None for a whole sound."""
        if asked.raw is None:
            raise BadRequest("this model hears sound: send a WAV file as the payload, with content type audio/wav")
        name = asked.parameters.get("session")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= _MOST_SESSION_CHARS):
            raise BadRequest(f"parameter session must be a text of 1 to {_MOST_SESSION_CHARS} characters")
        flag(asked.parameters, "end")
        user = str(getattr(asked, "user", ""))  # a recorded question is nobody's
        return None if name is None else (user, name)

    def _check_length(self, samples: FloatArray) -> None:
        frames, most = -(-len(samples) // self.voice.frame), self.manifest.limits.max_tokens
        if frames > most:
            raise InputTooLong(
                round(len(samples) / self.voice.rate), most * self.voice.frame // self.voice.rate, "seconds of sound"
            )

    def _new(self) -> Stream[Known]:
        state = {name: np.zeros(shape, dtype) for name, (shape, dtype) in self._fresh_state.items()}
        return Stream(state, np.zeros(self.voice.context, np.float32), self.nothing_known())

    def _hear(self, stream: Stream[Known], samples: FloatArray, *, over: bool, began: int | None) -> Heard:
        """Feed a stream all whole frames, and at its end the last one, too."""
        size, first = self.voice.frame, stream.at
        samples = np.concatenate([stream.rest, samples])
        whole = len(samples) if over else len(samples) - len(samples) % size
        end, stream.rest = stream.at + whole, samples[whole:].copy()
        probabilities = tuple(self._frame(stream, frame) for frame in _frames(samples[:whole], size))
        stream.at += size * len(probabilities)
        return Heard(probabilities, first, end, over, None if began is None else began / self.voice.rate)

    def _frame(self, stream: Stream[Known], frame: FloatArray) -> float:
        """The probability of one frame; the stream's state moves on."""
        fed = np.concatenate([stream.context, frame])
        stream.context = fed[len(fed) - len(stream.context) :].copy()  # not the whole frame
        feeds = {self.voice.audio: fed[None], **stream.state, **self._constants}
        outputs = dict(zip(self._outputs, self._session.run(feeds), strict=True))
        stream.state = {name: outputs[source] for name, source in self.voice.state.items()}
        return float(outputs[self.voice.probability].reshape(-1)[0])


def _frames(samples: FloatArray, size: int) -> FloatArray:
    """(frames, size), the last one filled up with silence."""
    missing = -len(samples) % size
    return np.concatenate([samples, np.zeros(missing, np.float32)]).reshape(-1, size)


def _other_inputs(
    manifest: Manifest, voice: VoiceSpec
) -> tuple[dict[str, tuple[tuple[int, ...], Any]], dict[str, Any]]:
    """Shapes and types of the graph's state, and its constant inputs; all inputs but the audio have to be either."""
    specs = {spec.name: spec for spec in manifest.model.inputs}
    unknown = {*specs} ^ {voice.audio, *voice.state, *voice.constants}
    if unknown:
        raise UnsupportedModel(f"input {sorted(unknown)[0]!r} is not both in the graph and in task.voice")
    state = {name: (_alone(specs[name]), np.dtype(specs[name].dtype)) for name in voice.state}
    constants = {
        name: np.full(_alone(specs[name]), value, specs[name].dtype) for name, value in voice.constants.items()
    }
    return state, constants


def _alone(spec: TensorSpec) -> tuple[int, ...]:
    """The shape for one stream: free dimensions are 1."""
    return tuple(size if isinstance(size, int) else 1 for size in spec.shape)
