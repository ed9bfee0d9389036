"""Token classification: what is named in a text and where, from a label for each of its tokens.

Tokens become words, words become entities, as the strategies of transformers' token classification pipeline do it.
Words are those of `words.py`. A long text is read in windows, and each token's label is taken from the window in which
it has most text around it, so an entity at the edge of a window is found once and whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import Limits, Manifest, TaskSpec
from edge_runtime.bundle.text_specs import WindowSpec
from edge_runtime.errors import BadRequest, UnsupportedModel
from edge_runtime.model import Answer, Asked, PlainAsked
from edge_runtime.models.parameters import word_of
from edge_runtime.models.texts.reading import Reader, Row, Taken, open_reader
from edge_runtime.models.texts.text_windows import of_whole_text, places_of, windows_of_text
from edge_runtime.models.texts.words import without_blanks, word_starts
from edge_runtime.tasks import FloatArray, OutputTensor
from edge_runtime.tasks.classify import softmax
from edge_runtime.tokenizer import Tokenizer

OUTSIDE = "O"
AGGREGATIONS = ("first", "simple", "average", "max")
_BEGIN, _INSIDE = ("B", "S", "U"), ("I", "E", "L")  # IOB2, and the longer schemes with ends and single words


@dataclass(frozen=True)
class Entity:
    """What was found: its label without `B-` or `I-`, how sure the model is, and the characters `start` to `end`."""

    label: str
    score: float
    start: int
    end: int
    text: str

    def plain(self) -> dict[str, object]:
        """The entity as JSON data."""
        return {
            "label": self.label, "score": round(self.score, 6), "start": self.start, "end": self.end, "text": self.text,
        }  # fmt: skip


@dataclass(frozen=True)
class EntitiesAnswer:
    """For each text what was found in it, in its order."""

    found: tuple[tuple[Entity, ...], ...]
    truncated: tuple[bool, ...]

    def rows(self) -> list[Mapping[str, object]]:
        """`{"entities": [{"label", "score", "start", "end", "text"}, ...]}` for each text."""
        return [{"entities": [entity.plain() for entity in entities]} for entities in self.found]

    def tensors(self) -> list[OutputTensor]:
        """One element an entity: `text_index`, `label`, `score`, `start`, `end`, `text`; INT64, BYTES and FP32."""
        flat = [(index, entity) for index, entities in enumerate(self.found) for entity in entities]
        shape = (len(flat),)
        return [
            OutputTensor("text_index", "INT64", shape, [index for index, _ in flat]),
            OutputTensor("label", "BYTES", shape, [entity.label for _, entity in flat]),
            OutputTensor("score", "FP32", shape, [entity.score for _, entity in flat]),
            OutputTensor("start", "INT64", shape, [entity.start for _, entity in flat]),
            OutputTensor("end", "INT64", shape, [entity.end for _, entity in flat]),
            OutputTensor("text", "BYTES", shape, [entity.text for _, entity in flat]),
        ]


class EntitiesTask:
    """A label for each token of a text, put together to entities."""

    outputs: tuple[int, ...] = (3,)
    example = PlainAsked(texts=("warm up",), truncate=True)

    def __init__(self, spec: TaskSpec, limits: Limits) -> None:
        if len(spec.labels) < 2:
            raise UnsupportedModel("a token-classify bundle must list its labels, at least two: convert again")
        self._labels, self._limits = spec.labels, limits
        self._windows, self._usual = spec.windows or WindowSpec(), spec.aggregation
        self._tags = tags_of(spec.labels)

    def check(self, asked: Asked) -> None:
        """BadRequest: no text, too many, or an unknown `aggregation`."""
        texts, most = len(asked.texts), self._limits.max_texts
        if not 0 < texts <= most:
            raise BadRequest(f"request has {texts} texts, this model takes 1 to {most} at once")
        word_of(asked.parameters, "aggregation", self._usual, AGGREGATIONS)

    def encode(self, asked: Asked, tokenizer: Tokenizer) -> list[Taken]:
        """The windows of each text."""
        return [
            windows_of_text(tokenizer, text, self._limits, self._windows, truncate=asked.truncate)
            for text in asked.texts
        ]

    def read(self, asked: Asked, taken: Sequence[Taken], rows: Sequence[Sequence[Row]]) -> Answer:
        """The entities of each text."""
        how = word_of(asked.parameters, "aggregation", self._usual, AGGREGATIONS)
        found = tuple(
            self._entities(text, part, some, how) for text, part, some in zip(asked.texts, taken, rows, strict=True)
        )
        return EntitiesAnswer(found, tuple(part.truncated for part in taken))

    def _entities(self, text: str, taken: Taken, rows: Sequence[Row], how: str) -> tuple[Entity, ...]:
        windows, spans = places_of(taken)
        logits = of_whole_text(windows, [outputs[0] for outputs in rows])
        if logits.ndim != 2 or logits.shape[1] != len(self._labels):
            raise UnsupportedModel(f"logits have shape {logits.shape}, the manifest lists {len(self._labels)} labels")
        if not len(spans):
            return ()
        scores = softmax(logits)
        begins = np.ones(len(spans), np.bool_) if how == "simple" else word_starts(text, spans)
        words = np.append(np.flatnonzero(begins), len(spans))
        labels, sure = _decided(scores, words, how)
        return tuple(self._joined(text, spans, words, labels, sure))

    def _joined(
        self, text: str, spans: NDArray[np.int64], words: NDArray[np.intp], labels: Sequence[int], sure: FloatArray
    ) -> Iterator[Entity]:
        """Words that belong together; `words` are the first tokens of each, and one past the last."""
        first = 0
        for word in range(1, len(labels) + 1):
            if word < len(labels):
                begins, tag = self._tags[labels[word]]
                if not begins and tag == self._tags[labels[word - 1]][1]:
                    continue
            tag = self._tags[labels[first]][1]
            start, end = without_blanks(text, int(spans[words[first], 0]), int(spans[words[word] - 1, 1]))
            if tag != OUTSIDE and start < end:
                yield Entity(tag, float(sure[first:word].mean()), start, end, text[start:end])
            first = word


def tags_of(labels: Sequence[str]) -> list[tuple[bool, str]]:
    """For each label whether it begins an entity, and of which kind.

    `B-X` begins an X and `I-X` goes on with one; where labels have `S-` or `U-`, those begin one, too, and `E-` and
    `L-` go on with it. A label without such a letter goes on with the same label before it.
    """
    longer = any(label[:2] in ("S-", "U-") for label in labels) and any(label[:2] == "B-" for label in labels)
    begin, inside = (_BEGIN, _INSIDE) if longer else (_BEGIN[:1], _INSIDE[:1])
    tags = []
    for label in labels:
        letter, dash, kind = label.partition("-")
        marked = bool(dash) and letter in (*begin, *inside)
        tags.append((marked and letter in begin, kind if marked else label))
    return tags


def _decided(scores: FloatArray, words: NDArray[np.intp], how: str) -> tuple[list[int], FloatArray]:
    """The label of each word and its probability.

    Args:
        scores: (tokens, labels), probabilities.
        words: the first token of each word, and one past the last.
        how: the label of a word is that of its `first` token, or of its surest (`max`), or the surest of the tokens'
            `average`; `simple`: every token is a word.
    """
    starts = words[:-1]
    if how == "average":
        sums = np.add.reduceat(scores, starts, axis=0)
        chosen: FloatArray = (sums / np.diff(words)[:, None]).astype(np.float32)
    elif how == "max":
        surest = scores.max(axis=1)
        chosen = scores[[int(a + surest[a:b].argmax()) for a, b in zip(starts, words[1:], strict=True)]]
    else:
        chosen = scores[starts]
    labels = chosen.argmax(axis=1)
    return labels.tolist(), chosen[np.arange(len(labels)), labels]


def open_entities(folder: Path, manifest: Manifest, threads: int) -> Reader:
    """Load a checked token-classify bundle. UnsupportedModel, UnsupportedTokenizer: with the reason."""
    return open_reader(folder, manifest, threads, EntitiesTask(manifest.task, manifest.limits))
