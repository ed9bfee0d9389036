"""Where in a sound somebody speaks; a live stream may come in pieces (docs/tasks.md, "Voice activity")."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import Manifest, TensorSpec, VoiceSpec
from edge_runtime.engine import Session, open_session
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Answered, Asked
from edge_runtime.models.parameters import flag
from edge_runtime.models.sound.sessions import Sessions
from edge_runtime.models.sound.sound import read_wav
from edge_runtime.models.sound.speech_gate import GateSettings, SpeechGate, Stretch, padded, read_settings, share_of
from edge_runtime.tasks import OutputTensor

FloatArray = npt.NDArray[np.float32]

MOST_SESSIONS = 256
MOST_SESSION_BYTES = 4 << 20
STALE_S = 60.0  # a stream that says nothing for so long is over, whatever its client thinks
_MOST_SESSION_CHARS = 64
_GATE_BYTES = 512  # what a stream takes besides its arrays


@dataclass
class Stream:
    """What is known of a stream after some of it.

    Attributes:
        state: the graph's, by input.
        context: the last samples that it was fed.
        rest: samples that do not fill a frame yet.
        at: samples that it was fed so far.
        gate: whether somebody is speaking.
        told: where the last stretch that was told of ended, in samples.
    """

    state: dict[str, npt.NDArray[np.generic]]
    context: FloatArray
    rest: FloatArray = field(default_factory=lambda: np.zeros(0, np.float32))
    at: int = 0
    gate: SpeechGate = field(default_factory=SpeechGate)
    told: float = 0.0

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return _GATE_BYTES + self.context.nbytes + self.rest.nbytes + sum(part.nbytes for part in self.state.values())


@dataclass(frozen=True)
class SpeechAnswer:
    """Stretches of speech in seconds, the share of frames that are speech; for a piece of a stream, where it stands.

    Attributes:
        probabilities: of speech, frame by frame; told only as a tensor.
        at_s: where in the stream the piece began: 0 again if the stream had been forgotten. None: no piece.
        speaking: somebody still spoke at its end.
    """

    speech: tuple[Stretch, ...]
    share: float
    probabilities: tuple[float, ...] = ()
    at_s: float | None = None
    speaking: bool = False
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """The one answer."""
        speech = [{"start_s": round(begin, 3), "end_s": round(end, 3)} for begin, end in self.speech]
        answer: dict[str, object] = {"speech": speech, "share": round(self.share, 4)}
        if self.at_s is not None:
            answer |= {"at_s": round(self.at_s, 3), "speaking": self.speaking}
        return [answer]

    def tensors(self) -> list[OutputTensor]:
        """`speech` (stretches, 2) in seconds, `share`, and `probability` (frames)."""
        flat = [float(np.float32(second)) for stretch in self.speech for second in stretch]
        speech = OutputTensor("speech", "FP32", (len(self.speech), 2), flat)
        share = OutputTensor("share", "FP32", (1,), [float(np.float32(self.share))])
        return [OutputTensor("probability", "FP32", (len(self.probabilities),), self.probabilities), speech, share]


class VoiceActivity:
    """One loaded model; for one thread at a time, as it keeps the state of streams."""

    parallel = False
    joins = False

    def __init__(self, manifest: Manifest, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        if manifest.task.voice is None:
            raise UnsupportedModel("a bundle for 'voice-activity' needs task.voice in its manifest: convert again")
        self.manifest, self._session, self._voice = manifest, session, manifest.task.voice
        self._fresh_state, self._constants = _other_inputs(manifest, self._voice)
        self._outputs = [spec.name for spec in manifest.model.outputs]
        missing = {self._voice.probability, *self._voice.state.values()} - {*self._outputs}
        if missing:
            raise UnsupportedModel(f"the graph has no output {sorted(missing)[0]!r}, which its manifest names")
        self._streams: Sessions[Stream] = Sessions(MOST_SESSIONS, MOST_SESSION_BYTES, STALE_S, clock)

    def check(self, asked: Asked) -> None:
        """Refuse what has no sound, or parameters that cannot be. BadRequest: why."""
        self._read(asked)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer one request, of a whole sound or of a piece of a stream."""
        (one,) = asked
        start = time.perf_counter_ns()
        settings, key = self._read(one)
        samples = read_wav(one.raw or b"", self._voice.rate)
        self._check_length(samples)
        read_at = time.perf_counter_ns()
        stream = (key and self._streams.take(key)) or self._new()
        began_at = stream.at + len(stream.rest)
        over = key is None or flag(one.parameters, "end")
        found, probabilities = self._hear(stream, samples, settings, over=over)
        if key is not None and not over:
            self._streams.put(key, stream, stream.size_bytes)
        ran_at = time.perf_counter_ns()
        speech = tuple((begin / self._voice.rate, end / self._voice.rate) for begin, end in found)
        at_s = None if key is None else began_at / self._voice.rate
        share, speaking = share_of(probabilities, settings), stream.gate.began is not None
        answer = SpeechAnswer(speech, share, tuple(probabilities), at_s, speaking)
        return Answered([answer], read_at - start, ran_at - read_at, time.perf_counter_ns() - ran_at)

    def warm_up(self) -> None:
        """Run one frame of silence."""
        self._frame(self._new(), np.zeros(self._voice.frame, np.float32))

    def probabilities(self, samples: FloatArray) -> list[float]:
        """The probability of speech in each frame of a whole sound; silence fills up the last one."""
        stream = self._new()
        return [self._frame(stream, frame) for frame in _frames(samples, self._voice.frame)]

    def _read(self, asked: Asked) -> tuple[GateSettings, tuple[str, str] | None]:
        if asked.raw is None:
            raise BadRequest("this model hears sound: send a WAV file as the payload, with content type audio/wav")
        name = asked.parameters.get("session")
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= _MOST_SESSION_CHARS):
            raise BadRequest(f"parameter session must be a text of 1 to {_MOST_SESSION_CHARS} characters")
        flag(asked.parameters, "end")
        user = str(getattr(asked, "user", ""))  # a recorded question is nobody's
        return read_settings(asked.parameters, self._voice.rate), None if name is None else (user, name)

    def _check_length(self, samples: FloatArray) -> None:
        frames, most = -(-len(samples) // self._voice.frame), self.manifest.limits.max_tokens
        if frames > most:
            raise InputTooLong(
                round(len(samples) / self._voice.rate), most * self._voice.frame // self._voice.rate, "seconds of sound"
            )

    def _new(self) -> Stream:
        state = {name: np.zeros(shape, dtype) for name, (shape, dtype) in self._fresh_state.items()}
        return Stream(state, np.zeros(self._voice.context, np.float32))

    def _hear(
        self, stream: Stream, samples: FloatArray, settings: GateSettings, *, over: bool
    ) -> tuple[list[Stretch], list[float]]:
        """Feed a stream; the stretches that have ended, and the probability of each frame."""
        size = self._voice.frame
        samples = np.concatenate([stream.rest, samples])
        whole = len(samples) if over else len(samples) - len(samples) % size
        end, stream.rest = stream.at + whole, samples[whole:].copy()
        ended, probabilities = [], []
        for frame in _frames(samples[:whole], size):
            probabilities.append(self._frame(stream, frame))
            ended.append(stream.gate.feed(probabilities[-1], stream.at, settings))
            stream.at += size
        if over:
            ended.append(stream.gate.finish(end, settings))
        found = padded([stretch for stretch in ended if stretch], settings.pad, stream.told, end)
        stream.told = found[-1][1] if found else stream.told
        return found, probabilities

    def _frame(self, stream: Stream, frame: FloatArray) -> float:
        """The probability of speech in one frame; the stream's state moves on."""
        fed = np.concatenate([stream.context, frame])
        stream.context = fed[len(fed) - len(stream.context) :].copy()  # not the whole frame
        feeds = {self._voice.audio: fed[None], **stream.state, **self._constants}
        outputs = dict(zip(self._outputs, self._session.run(feeds), strict=True))
        stream.state = {name: outputs[source] for name, source in self._voice.state.items()}
        return float(outputs[self._voice.probability].reshape(-1)[0])


def open_voice_activity(folder: Path, manifest: Manifest, threads: int) -> VoiceActivity:
    """Load a checked bundle; one thread, as frames are too small for more. UnsupportedModel: what it lacks."""
    return VoiceActivity(manifest, open_session(folder, manifest.model, 1))


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
