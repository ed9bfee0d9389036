"""From what the encoder heard to tokens: Whisper's decoder, one token at a time, always the likeliest.

The graph takes one token, the keys and values of what was said so far (at first of length 0) and those of the sound. It
has an input `past_key_values.X` for each output `present.X`; inputs without such an output are the sound's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_runtime.bundle.manifest import ModelSpec, TensorSpec
from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.engine import Array, FloatArray, Session
from edge_runtime.errors import UnsupportedModel

_PAST, _PRESENT = "past_key_values.", "present."
_TOKEN, _LOGITS = "input_ids", "logits"


@dataclass
class Said:
    """What was made of one window of sound.

    Attributes:
        tokens: of the text.
        language: its code, if the model knows several.
        no_speech: the probability that nobody speaks; 0 if the model does not say.
        log_likelihood: the mean of the tokens' (natural) log probabilities, that of the end included.
        cut: the bound on tokens was reached before the end.
    """

    tokens: list[int] = field(default_factory=list)
    language: str | None = None
    no_speech: float = 0.0
    log_likelihood: float = 0.0
    cut: bool = False


class Dictation:
    """Writes down windows of sound.

    Args:
        session, model: the decoder and what the manifest says of its graph.
        heard: the outputs of the encoder.
        spec: which tokens mean what.
        positions: tokens that the decoder has positions for.

    Raises:
        UnsupportedModel: encoder and decoder do not fit together; names the input or output.
    """

    def __init__(
        self,
        session: Session,
        model: ModelSpec,
        heard: tuple[TensorSpec, ...],
        spec: TranscribeSpec,
        positions: int,
    ) -> None:
        self._session, self._spec, self.positions = session, spec, positions
        self._outputs = [output.name for output in model.outputs]
        self._sound = [_PAST + output.name.removeprefix(_PRESENT) for output in heard]
        self._nothing = _empty_past(model, {*self._sound, _TOKEN})
        present = {_PAST + name.removeprefix(_PRESENT) for name in self._outputs if name != _LOGITS}
        wanted = {_TOKEN, *self._sound, *present}
        odd = sorted({spec.name for spec in model.inputs} ^ wanted) or [_LOGITS] * (_LOGITS not in self._outputs)
        if odd:
            raise UnsupportedModel(f"the decoder's {odd[0]!r} has no counterpart in the encoder or in itself")
        self._suppress = np.array(spec.suppress, np.int64)
        self._suppress_first = np.array((*spec.suppress, *spec.suppress_first), np.int64)
        self._codes, self._language_tokens = list(spec.languages), np.array(list(spec.languages.values()), np.int64)

    @property
    def prompt_tokens(self) -> int:
        """How many tokens steer the decoder before the text."""
        return 2 + bool(self._spec.languages) + (self._spec.transcribe is not None)

    def write(self, heard: list[FloatArray], said: Said, most_tokens: int) -> Iterator[int]:
        """Give the text's tokens one after another; `said` tells what is known so far.

        Args:
            heard: the encoder's outputs for the window.
            said: empty but for a language that the caller knows.
            most_tokens: the most tokens of a text.
        """
        spec, sound = self._spec, dict(zip(self._sound, heard, strict=True))
        run = _Run(self._session, self._outputs, {**sound, **self._nothing})
        logits = run.step(spec.start)
        if spec.no_speech is not None:
            said.no_speech = float(np.exp(logits[spec.no_speech] - _log_sum(logits)))
        if spec.languages:
            if said.language is None:
                said.language = self._codes[int(logits[self._language_tokens].argmax())]
            run.step(spec.languages[said.language])
        if spec.transcribe is not None:
            run.step(spec.transcribe)
        logits, total = run.step(spec.no_timestamps), 0.0
        while True:
            logits[self._suppress if said.tokens else self._suppress_first] = -np.inf
            token = int(logits.argmax())
            total += float(logits[token]) - _log_sum(logits)
            said.log_likelihood = total / (len(said.tokens) + 1)
            if token == spec.end:
                return
            if len(said.tokens) == most_tokens:
                said.cut = True
                return
            said.tokens.append(token)
            yield token
            logits = run.step(token)


class _Run:
    """The decoder with what was said so far."""

    def __init__(self, session: Session, outputs: list[str], feeds: dict[str, Array]) -> None:
        self._session, self._outputs, self._feeds = session, outputs, feeds

    def step(self, token: int) -> FloatArray:
        """Say one more token; (vocabulary) logits of the next one, the caller's to change."""
        self._feeds[_TOKEN] = np.array([[token]], np.int64)
        found = dict(zip(self._outputs, self._session.run(self._feeds), strict=True))
        logits = found.pop(_LOGITS)
        self._feeds.update((_PAST + name.removeprefix(_PRESENT), value) for name, value in found.items())
        return np.array(logits[0, -1])


def _empty_past(model: ModelSpec, others: set[str]) -> Mapping[str, Array]:
    """Keys and values of nothing: the free dimension beside that of the batch has length 0."""
    past = [spec for spec in model.inputs if spec.name not in others]
    for spec in past:
        if len(spec.shape) != 4 or not spec.name.startswith(_PAST):
            raise UnsupportedModel(f"decoder input {spec.name[:64]!r} is no past of 4 dimensions")
    return {
        spec.name: np.zeros((1, *(size if isinstance(size, int) else 0 for size in spec.shape[1:])), np.float32)
        for spec in past
    }


def _log_sum(logits: FloatArray) -> float:
    """The logarithm of the sum of all exponentials."""
    top = logits.max()
    return float(top + np.log(np.exp(logits - top).sum()))
