"""Extractive question answering: the piece of a context that answers a question.

As transformers' question answering pipeline finds it, with one difference: a piece that two windows share counts once,
by the window that is surer, where that pipeline adds both up and may come to more than 1.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import Limits, Manifest, TaskSpec
from edge_runtime.bundle.text_specs import WindowSpec
from edge_runtime.errors import BadRequest
from edge_runtime.model import Answer, Asked, PlainAsked
from edge_runtime.models.parameters import flag, whole_number
from edge_runtime.models.texts.reading import Reader, Row, Taken, open_reader
from edge_runtime.models.texts.text_windows import Window, places_of, windows_of_context
from edge_runtime.models.texts.words import without_blanks, word_starts
from edge_runtime.tasks import OutputTensor
from edge_runtime.tokenizer import Tokenizer

USUAL_TOKENS = 15  # of an answer; transformers' default
MOST_ANSWERS = 20
_MORE_SPANS = 2, 10  # times the answers wanted, and more: several spans may stand for the same words

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """An answer: its words in the context, characters `start` to `end`, and its probability; empty if there is none."""

    answer: str
    score: float
    start: int
    end: int

    def plain(self) -> dict[str, object]:
        """The answer as JSON data."""
        return {"answer": self.answer, "score": round(self.score, 6), "start": self.start, "end": self.end}


@dataclass(frozen=True)
class FoundAnswer:
    """The best answers to one question, best first; never none."""

    found: tuple[Found, ...]
    several: bool
    truncated: tuple[bool]

    def rows(self) -> list[Mapping[str, object]]:
        """`{"answer", "score", "start", "end"}`, and with `top` over 1 `"top": [...]` of the same."""
        best = self.found[0].plain()
        return [{**best, "top": [one.plain() for one in self.found]} if self.several else best]

    def tensors(self) -> list[OutputTensor]:
        """One element an answer: BYTES `answer`, FP32 `score`, INT64 `start` and `end`."""
        shape = (len(self.found),)
        return [
            OutputTensor("answer", "BYTES", shape, [one.answer for one in self.found]),
            OutputTensor("score", "FP32", shape, [one.score for one in self.found]),
            OutputTensor("start", "INT64", shape, [one.start for one in self.found]),
            OutputTensor("end", "INT64", shape, [one.end for one in self.found]),
        ]


@dataclass(frozen=True)
class _How:
    """What a request says: how many answers, how long at most, and whether "there is none" is an answer."""

    top: int
    tokens: int
    no_answer: bool


class AnswerTask:
    """Start and end logits of the tokens of question and context."""

    outputs: tuple[int, ...] = (2, 2)
    example = PlainAsked(texts=("?",), pairs=("warm up",), truncate=True)

    def __init__(self, spec: TaskSpec, limits: Limits) -> None:
        self._limits, self._windows = limits, spec.windows or WindowSpec()

    def check(self, asked: Asked) -> None:
        """BadRequest: no question with its context, an empty one, or a parameter that makes no sense."""
        if len(asked.texts) != 1 or len(asked.pairs) != 1:
            raise BadRequest(f"{len(asked.texts)} questions and {len(asked.pairs)} contexts: send one of each")
        for name, text in (("question", asked.texts[0]), ("context", asked.pairs[0])):
            if not text.strip():
                raise BadRequest(f"the {name} is empty: send some words")
        self._how(asked)

    def encode(self, asked: Asked, tokenizer: Tokenizer) -> list[Taken]:
        """The windows of the context, each with the question in front."""
        texts = asked.texts[0], asked.pairs[0]
        return [windows_of_context(tokenizer, *texts, self._limits, self._windows, truncate=asked.truncate)]

    def read(self, asked: Asked, taken: Sequence[Taken], rows: Sequence[Sequence[Row]]) -> Answer:
        """The best pieces of the context."""
        how, context, part = self._how(asked), asked.pairs[0], taken[0]
        windows, spans = places_of(part)
        starts = np.append(np.flatnonzero(word_starts(context, spans)), len(spans))
        best: dict[str, Found] = {}
        none = 1.0
        for number, (window, outputs) in enumerate(zip(windows, rows[0], strict=True)):
            start, end, nothing = _probabilities(window, outputs, first_is_special=_begins_special(part, number))
            none = min(none, nothing)
            for found in _in_window(context, window, (start, end), spans, starts, how):
                key = found.answer.lower()
                best[key] = max(best.get(key, found), found, key=lambda one: one.score)
        nothing_found = [Found("", none, 0, 0)] if how.no_answer or not best else []
        ranked = sorted([*best.values(), *nothing_found], key=lambda one: -one.score)
        return FoundAnswer(tuple(ranked[: how.top]), how.top > 1, (part.truncated,))

    def _how(self, asked: Asked) -> _How:
        said, most = asked.parameters, self._limits.max_tokens
        return _How(
            whole_number(said, "top", 1, MOST_ANSWERS),
            whole_number(said, "max_answer_tokens", min(USUAL_TOKENS, most), most),
            flag(said, "no_answer"),
        )


def _probabilities(
    window: Window, outputs: Row, *, first_is_special: bool
) -> tuple[Probabilities, Probabilities, float]:
    """Of each context token to begin and to end the answer, and of there being none.

    "None" is the row's first special token, `[CLS]`, as SQuAD 2.0 has it; the others of question and padding cannot be
    meant.
    """
    columns = np.arange(window.column, window.column + window.count)
    if first_is_special:
        columns = np.append(columns, 0)
    start, end = (_softmax(logits[columns].astype(np.float64)) for logits in outputs)
    nothing = float(start[-1] * end[-1]) if first_is_special else 0.0
    return start[: window.count], end[: window.count], nothing


def _softmax(logits: Probabilities) -> Probabilities:
    powers = np.exp(logits - logits.max()) if len(logits) else logits
    probabilities: Probabilities = powers / max(powers.sum(), np.finfo(np.float64).tiny)
    return probabilities


def _in_window(
    context: str,
    window: Window,
    probabilities: tuple[Probabilities, Probabilities],
    spans: NDArray[np.int64],
    words: NDArray[np.intp],
    how: _How,
) -> Iterator[Found]:
    """The answers of one window: spans of whole words, those with the same words added up."""
    start, end = probabilities
    product = np.tril(np.triu(np.outer(start, end)), how.tokens - 1)
    most = min(how.top * _MORE_SPANS[0] + _MORE_SPANS[1], product.size)
    if not most:
        return
    flat = product.ravel()
    best = np.argpartition(-flat, most - 1)[:most]
    found: dict[str, Found] = {}
    for place in best[np.argsort(-flat[best], kind="stable")].tolist():
        first, last = divmod(place, len(start))
        if not 0 <= last - first < how.tokens:
            continue
        one = _whole_words(context, window.first + first, window.first + last, spans, words, float(flat[place]))
        known = found.get(one.answer.lower())
        found[one.answer.lower()] = dataclasses.replace(known, score=known.score + one.score) if known else one
    yield from found.values()


def _whole_words(
    context: str, first: int, last: int, spans: NDArray[np.int64], words: NDArray[np.intp], score: float
) -> Found:
    """The words that tokens `first` to `last` of the context are in."""
    begin = words[np.searchsorted(words, first, side="right") - 1]
    after = words[np.searchsorted(words, last, side="right")]
    start, end = without_blanks(context, int(spans[begin, 0]), int(spans[after - 1, 1]))
    return Found(context[start:end], score, start, end)


def _begins_special(taken: Taken, row: int) -> bool:
    special = taken.encoded.special_tokens_mask
    return special is not None and bool(special[row, 0])


def open_answers(folder: Path, manifest: Manifest, threads: int) -> Reader:
    """Load a checked question-answer bundle. UnsupportedModel, UnsupportedTokenizer: with the reason."""
    return open_reader(folder, manifest, threads, AnswerTask(manifest.task, manifest.limits))
