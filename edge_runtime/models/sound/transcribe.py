"""What is said in a sound, as text: Whisper models (docs/tasks.md, "Speech recognition")."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.engine import Session, open_session
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Answered, Asked
from edge_runtime.models.parameters import share, text_of, whole_number
from edge_runtime.models.sound.dictation import Dictation, Said
from edge_runtime.models.sound.mel import MelSpectrogram
from edge_runtime.models.sound.sound import read_wav
from edge_runtime.models.sound.sound_windows import windows_of
from edge_runtime.pipeline import open_bundle_tokenizer
from edge_runtime.tasks import OutputTensor
from edge_runtime.tokenizer import Tokenizer

FloatArray = npt.NDArray[np.float32]

MOST_S = 600  # seconds of a sound; more would keep others waiting for minutes
SILENCE = 3e-4  # 10 of 32768: a sound that is never louder is not heard at all
# As Whisper's own program has them: nobody speaks, and the model is not sure of what it makes of it.
NO_SPEECH, _UNSURE = 0.6, -1.0
DECODER = "decoder"  # the part's name in the manifest


@dataclass(frozen=True)
class Transcript:
    """One sound's text; `seconds` is how long it was, `language` a code if the model knows several.

    `truncated`: some of the sound is not in the text.
    """

    text: str
    seconds: float
    language: str | None
    truncated: tuple[bool, ...]

    def rows(self) -> list[Mapping[str, object]]:
        """`{"text": ..., "seconds": ...}`, and the language."""
        language = {} if self.language is None else {"language": self.language}
        return [{"text": self.text, "seconds": round(self.seconds, 3), **language}]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `text` and FP32 `seconds` (1), and BYTES `language` (1)."""
        found = [
            OutputTensor("text", "BYTES", (1,), [self.text]),
            OutputTensor("seconds", "FP32", (1,), [float(np.float32(self.seconds))]),
        ]
        if self.language is not None:
            found.append(OutputTensor("language", "BYTES", (1,), [self.language]))
        return found


@dataclass(frozen=True)
class _How:
    """What a request says on how to answer."""

    language: str | None
    no_speech: float
    max_tokens: int


class TranscribeModel:
    """A loaded encoder and decoder; one sound at a time."""

    joins = False

    def __init__(self, manifest: Manifest, encoder: Session, decoder: Session, tokenizer: Tokenizer) -> None:
        self.manifest, self._tokenizer = manifest, tokenizer
        self.parallel = all(getattr(session, "parallel", False) for session in (encoder, decoder))
        self._spec = transcribe_spec(manifest)
        if len(encoder.input_names) != 1:
            raise UnsupportedModel(f"the encoder wants inputs {list(encoder.input_names)[:8]}, a spectrogram is one")
        self._encoder = encoder
        self._mel = MelSpectrogram(self._spec.mels, self._spec.rate, self._spec.window_s)
        self._dictation = Dictation(
            decoder, manifest.more[DECODER], manifest.model.outputs, self._spec, manifest.limits.max_tokens
        )

    def check(self, asked: Asked) -> None:
        """Refuse what has no sound, or parameters that cannot be. BadRequest: why."""
        if asked.raw is None:
            raise BadRequest("this model hears sound: send a WAV file as the payload, with content type audio/wav")
        self._how(asked)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Write down each sound; where the time goes is told as preparing (WAV) and running."""
        answers, read_ns, start = list[Transcript](), 0, time.perf_counter_ns()
        for one in asked:
            began = time.perf_counter_ns()
            sound, cut = self._sound(one)
            read_ns += time.perf_counter_ns() - began
            heard = self._listen(one, sound)
            text = self._tokenizer.decode([token for token in heard.run() if self._known(token)])
            answers.append(heard.transcript(text, cut))
        return Answered(answers, read_ns, time.perf_counter_ns() - start - read_ns, 0)

    def stream(self, request: Asked) -> Iterator[Mapping[str, object]]:
        """Pieces of the text as they are certain, each `{"piece": ...}`; the last is the whole answer."""
        sound, cut = self._sound(request)
        heard, decoder, text = self._listen(request, sound), self._tokenizer.stream(), ""
        for token in heard.run():
            piece = decoder.step(token) if self._known(token) else ""
            text += piece
            if piece:
                yield {"piece": piece}
        rest = decoder.finish()
        if rest:
            yield {"piece": rest}
        answer = heard.transcript(text + rest, cut)
        yield {**answer.rows()[0], "truncated": answer.truncated[0]}

    def warm_up(self) -> None:
        """Run once on a window of silence, for a few tokens."""
        for _ in self._dictation.write(self._hear(np.zeros(0, np.float32)), Said(), 2):
            pass

    def _how(self, asked: Asked) -> _How:
        said = asked.parameters
        most = self._dictation.positions - self._dictation.prompt_tokens
        language = text_of(said, "language", "") or None
        if language is not None and self._spec.languages and language not in self._spec.languages:
            known = " ".join(sorted(self._spec.languages))
            raise BadRequest(f"parameter language is {language[:20]!r}, this model knows {known}")
        if language not in (None, "en") and not self._spec.languages:
            raise BadRequest(
                f"parameter language is {language[:20]!r}, this model knows its one language: leave it out"
            )
        return _How(language, share(said, "no_speech", NO_SPEECH), whole_number(said, "max_tokens", most, most))

    def _sound(self, asked: Asked) -> tuple[FloatArray, bool]:
        """The samples, and whether some were cut off. InputTooLong: there are too many, and they may not be cut."""
        self.check(asked)
        sound, most = read_wav(asked.raw or b"", self._spec.rate), MOST_S * self._spec.rate
        if len(sound) > most and not asked.truncate:
            raise InputTooLong(round(len(sound) / self._spec.rate), MOST_S, "seconds of sound")
        return sound[:most], len(sound) > most

    def _listen(self, asked: Asked, sound: FloatArray) -> _Listening:
        return _Listening(self, self._how(asked), sound)

    def _known(self, token: int) -> bool:
        """Whether the tokenizer has a piece for it: times have none."""
        return token < self._tokenizer.vocab_size

    def _hear(self, window: FloatArray) -> list[FloatArray]:
        return self._encoder.run({self._encoder.input_names[0]: self._mel(window)})

    def write_window(self, window: FloatArray, said: Said, most_tokens: int) -> Iterator[int]:
        """The tokens of one window, as they come."""
        return self._dictation.write(self._hear(window), said, most_tokens)

    def windows(self, sound: FloatArray) -> Iterator[FloatArray]:
        """The sound in windows that the encoder hears at once."""
        return windows_of(sound, self._mel.samples, self._spec.rate)

    @property
    def says_language(self) -> bool:
        """Whether it knows several."""
        return bool(self._spec.languages)

    def seconds(self, sound: FloatArray) -> float:
        """How long it is."""
        return len(sound) / self._spec.rate


class _Listening:
    """One sound being written down, window after window."""

    def __init__(self, model: TranscribeModel, how: _How, sound: FloatArray) -> None:
        self._model, self._how, self._sound = model, how, sound
        self._language, self._cut = how.language if model.says_language else None, False

    def run(self) -> Iterator[int]:
        """Give the tokens of all windows."""
        for window in self._model.windows(self._sound):
            if not len(window) or np.abs(window).max() < SILENCE:
                continue
            said, held = Said(language=self._language), list[int]()
            for token in self._model.write_window(window, said, self._how.max_tokens):
                if said.no_speech > self._how.no_speech:
                    held.append(token)  # whether it counts is known at the end
                else:
                    yield token
            if held and said.log_likelihood < _UNSURE:
                continue
            self._language, self._cut = said.language, self._cut or said.cut
            yield from held

    def transcript(self, text: str, cut: bool) -> Transcript:
        """The answer with this text."""
        return Transcript(text.strip(), self._model.seconds(self._sound), self._language, (cut or self._cut,))


def transcribe_spec(manifest: Manifest) -> TranscribeSpec:
    """How the model is asked. UnsupportedModel: the manifest does not say, or has no decoder."""
    if manifest.task.transcribe is None or DECODER not in manifest.more:
        raise UnsupportedModel("a bundle for 'transcribe' needs task.transcribe and more.decoder: convert again")
    return manifest.task.transcribe


def open_transcribe(folder: Path, manifest: Manifest, threads: int) -> TranscribeModel:
    """Load a checked bundle. UnsupportedModel: its parts do not fit together or cannot be run here."""
    transcribe_spec(manifest)
    encoder = open_session(folder, manifest.model, threads)
    decoder = open_session(folder, manifest.more[DECODER], threads)
    return TranscribeModel(manifest, encoder, decoder, open_bundle_tokenizer(folder, manifest))
