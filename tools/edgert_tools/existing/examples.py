"""What a graph is judged on: questions to the board's model, and other rows to calibrate static int8 with."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor
from edge_runtime.errors import UsageError
from edge_runtime.model import Answer, Asked
from edge_runtime.tasks import DATATYPES, NUMPY_TYPES, OutputTensor
from edgert_tools.evaluate import Share
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.progress import Say

Array = np.ndarray[Any, Any]
Feeds = Mapping[str, Array]  # inputs of a graph by name: one run

# Name in a recipe's [evaluate] -> function of (recipe, facts, say) that gives Examples.
EXAMPLES = {
    "room-sensor": "edgert_tools.existing.room_sensor:examples",
    "garment-scenes": "edgert_tools.pictures.garment_detector:examples",
    "cut-photos": "edgert_tools.pictures.cut_photos:examples",
    "fashion-mnist": "edgert_tools.pictures.fashion_cnn:examples",
    "written-pages": "edgert_tools.pictures.written_pages:examples",
    "turned-pages": "edgert_tools.pictures.turned_pages:examples",
    "arabic-letters": "edgert_tools.existing.letter_rows:examples",
    "spoken-sample": "edgert_tools.existing.spoken_sample:examples",
    "wake-word": "edgert_tools.sound.wake_word:examples",
}


@dataclass(frozen=True)
class Examples:
    """Rows of one data set, none of them in both parts.

    Attributes:
        questions: held back; asked of the float and of the int8 model through the board's own code.
        feeds: inputs of the graph itself, for calibration.
        description: of the data, for the report.
        truth: for each question the label that is right, if that is known.
        right: how much of the answers is right, for data whose truth is no label.
    """

    questions: Sequence[Asked]
    feeds: Sequence[Feeds]
    description: str
    truth: Sequence[str] = ()
    right: Callable[[Sequence[Answer]], Share] | None = None


@dataclass(frozen=True)
class ArrayInput:
    """An array as a request would bring it."""

    name: str
    values: Array

    @property
    def datatype(self) -> str:
        """In the protocol's words."""
        return DATATYPES[self.values.dtype.name]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return tuple(self.values.shape)

    def array(self) -> Array:
        """The array itself."""
        return self.values


@dataclass(frozen=True)
class Row:
    """One question: arrays for the inputs of a graph, or a picture or sound."""

    tensors: Sequence[ArrayInput] = ()
    raw: bytes | None = None
    media_type: str | None = None
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    texts: Sequence[str] = ()
    pairs: Sequence[str] = ()
    labels: Sequence[str] = ()
    truncate: bool = False


def row_of(feeds: Feeds) -> Row:
    """A question with these arrays."""
    return Row(tuple(ArrayInput(name, np.ascontiguousarray(values)) for name, values in feeds.items()))


def load_examples(name: str, recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """The data of a recipe. UsageError: there is none of this name."""
    if name not in EXAMPLES:
        raise UsageError(f"evaluate.data: {name!r} is not one of {', '.join(sorted(EXAMPLES))}")
    module, function = EXAMPLES[name].split(":")
    found: Examples = getattr(import_module(module), function)(recipe, facts, say)
    return found


def golden_question(asked: Asked, answer: Answer) -> GoldenQuestion:
    """A question with its answer, as a bundle keeps it."""
    return GoldenQuestion(
        outputs=tuple(_golden_output(tensor) for tensor in answer.tensors()),
        texts=tuple(asked.texts),
        pairs=tuple(asked.pairs),
        labels=tuple(asked.labels),
        inputs=tuple(_golden_tensor(one.name, one.datatype, one.array()) for one in asked.tensors),
        raw64=base64.b64encode(asked.raw).decode() if asked.raw else "",
        media_type=asked.media_type,
        parameters=dict(asked.parameters),
    )


def values_in(asked: Asked, answer: Answer) -> int:
    """About how many numbers a golden question would hold."""
    sizes = [one.array().size for one in asked.tensors] + [int(np.prod(one.shape)) for one in answer.tensors()]
    return sum(sizes) + len(asked.raw or b"") // 8


def _golden_output(tensor: OutputTensor) -> GoldenTensor:
    if tensor.datatype not in NUMPY_TYPES:
        return GoldenTensor(tensor.name, tensor.datatype, tuple(tensor.shape), tuple(map(str, tensor.data)))
    values = np.asarray(tensor.data, NUMPY_TYPES[tensor.datatype]).reshape(tensor.shape)
    return _golden_tensor(tensor.name, tensor.datatype, values)


def _golden_tensor(name: str, datatype: str, values: Array) -> GoldenTensor:
    return GoldenTensor(name, datatype, values.shape, tuple(values.reshape(-1).tolist()))
