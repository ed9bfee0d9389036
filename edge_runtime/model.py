"""A loaded model of any kind: what it can be asked, and what it answers.

`open_model` finds the kind by the manifest's task. Most kinds read texts and are a `Pipeline`; each of the others is a
file in `edge_runtime/models/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor
from edge_runtime.bundle.manifest import Manifest, read_bundle
from edge_runtime.bundle.variants import for_targets
from edge_runtime.engine.processor import targets_here
from edge_runtime.errors import UnsupportedModel
from edge_runtime.takes import TEXTS_ONLY, Takes
from edge_runtime.tasks import NUMPY_TYPES, OutputTensor


class NumberTensor(Protocol):
    """Numbers that somebody sent, by name."""

    @property
    def name(self) -> str:
        """The input of the graph that they are for."""

    @property
    def datatype(self) -> str:
        """In the words of the Open Inference Protocol, as `FP32`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """As claimed and checked."""

    def array(self) -> np.ndarray[Any, Any]:
        """The numbers, of that shape; not to be written to."""


class Asked(Protocol):
    """What a model looks at of a request."""

    @property
    def texts(self) -> Sequence[str]:
        """The texts asked about; a question, a query."""

    @property
    def pairs(self) -> Sequence[str]:
        """What stands beside the text: the context of a question, the documents of a query."""

    @property
    def labels(self) -> Sequence[str]:
        """What to choose from."""

    @property
    def tensors(self) -> Sequence[NumberTensor]:
        """Numbers instead of texts."""

    @property
    def raw(self) -> bytes | None:
        """A picture or sound instead of texts, as it came."""

    @property
    def media_type(self) -> str | None:
        """What `raw` is, as `image/png`."""

    @property
    def truncate(self) -> bool:
        """Cut what is too long instead of refusing it."""

    @property
    def parameters(self) -> Mapping[str, str | int | float | bool]:
        """What else was said on how to answer; a model ignores what it does not know."""


@dataclass(frozen=True)
class PlainAsked:
    """A request with no message around it; its fields are those of `Asked`."""

    texts: Sequence[str] = ()
    pairs: Sequence[str] = ()
    labels: Sequence[str] = ()
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    truncate: bool = False
    tensors: Sequence[NumberTensor] = ()
    raw: bytes | None = None
    media_type: str | None = None


@dataclass(frozen=True)
class _Numbers:
    """A recorded input as a request would bring it."""

    recorded: GoldenTensor

    @property
    def name(self) -> str:
        return self.recorded.name

    @property
    def datatype(self) -> str:
        return self.recorded.datatype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.recorded.shape

    def array(self) -> np.ndarray[Any, Any]:
        kind = NUMPY_TYPES.get(self.datatype)
        if kind is None:
            raise UnsupportedModel(f"golden input {self.name!r} is of datatype {self.datatype[:20]!r}")
        return np.array(self.recorded.data, kind).reshape(self.shape)


def asked_again(question: GoldenQuestion) -> PlainAsked:
    """A recorded question as a request. BundleError: its picture or sound is damaged."""
    return PlainAsked(
        texts=question.texts,
        pairs=question.pairs,
        labels=question.labels,
        parameters=question.parameters,
        tensors=[_Numbers(recorded) for recorded in question.inputs],
        raw=question.raw,
        media_type=question.media_type,
    )


class Answer(Protocol):
    """What one request gets. It may be kept for a while, so it holds nothing but itself."""

    @property
    def truncated(self) -> Sequence[bool]:
        """For each row, whether something was cut."""

    def rows(self) -> Sequence[Mapping[str, object]]:
        """The answer as JSON data: one for each text, one for a picture, a sound, a question."""

    def tensors(self) -> Sequence[OutputTensor]:
        """The answer as outputs of the Open Inference Protocol."""


@dataclass(frozen=True)
class Answered:
    """The answers to some requests that were run together, and where the time went, in nanoseconds."""

    answers: Sequence[Answer]
    encode_ns: int
    run_ns: int
    answer_ns: int


class Model(Protocol):
    """A loaded model; for one thread at a time, unless it is `parallel`.

    Attributes:
        joins: requests of different callers may be run together, up to the manifest's `max_texts` rows.
    """

    manifest: Manifest
    parallel: bool
    joins: bool

    def check(self, asked: Asked) -> None:
        """Refuse, at no cost, a request that `answer` could not answer. BadRequest, BadTensor: why not."""

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer requests, one for each; several only if the model `joins`. Raises EdgertError for what is wrong."""

    def warm_up(self) -> None:
        """Run once: the first run allocates, and no client should wait for that."""


Opener = Callable[[Path, Manifest, int], Model]


@dataclass(frozen=True)
class Kind:
    """How models of a task are opened ("module:function" of folder, checked manifest, threads), and asked."""

    opener: str
    takes: Takes = TEXTS_ONLY


_TEXTS = Kind("edge_runtime.pipeline:open_texts")
_SOUND = Takes(frozenset({"audio/wav"}), words="none")
_PICTURES = Takes(frozenset({"image/jpeg", "image/png"}), words="none")
KINDS: dict[str, Kind] = {
    "classify": _TEXTS,
    "embed": _TEXTS,
    "question-answer": Kind("edge_runtime.models.texts.spans:open_answers", Takes(words="question")),
    "rerank": Kind("edge_runtime.models.texts.relevance:open_relevance", Takes(words="query")),
    "token-classify": Kind("edge_runtime.models.texts.entities:open_entities"),
    "zero-shot": Kind("edge_runtime.models.texts.zero_shot:open_zero_shot", Takes(words="labels")),
    "detect": Kind("edge_runtime.models.pictures.detect:open_detect", _PICTURES),
    "generate": Kind("edge_runtime.models.texts.generate:open_generate"),
    "image-classify": Kind("edge_runtime.models.pictures.image_classify:open_image_classify", _PICTURES),
    "ocr": Kind("edge_runtime.models.pictures.ocr:open_ocr", _PICTURES),
    "tensors": Kind("edge_runtime.models.numbers.tensors:open_tensors", Takes(tensors=True, words="none")),
    "transcribe": Kind("edge_runtime.models.sound.transcribe:open_transcribe", _SOUND),
    "voice-activity": Kind("edge_runtime.models.sound.voice_activity:open_voice_activity", _SOUND),
    "wake-word": Kind("edge_runtime.models.sound.wake_word:open_wake_word", _SOUND),
}


def takes_of(manifest: Manifest) -> Takes:
    """What a model can be asked with, known before it is loaded."""
    return KINDS.get(manifest.task.name, _TEXTS).takes


def open_model(folder: Path, threads: int = 0) -> Model:
    """Check a bundle folder, file by file, and load it.

    Raises:
        BundleError, UnsupportedModel, UnsupportedTokenizer: with the reason; nothing is half loaded.
    """
    manifest = for_targets(read_bundle(folder), targets_here())
    module, name = KINDS.get(manifest.task.name, _TEXTS).opener.split(":")
    opener: Opener = getattr(import_module(module), name)
    return opener(folder, manifest, threads)
