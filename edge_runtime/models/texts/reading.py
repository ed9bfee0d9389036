"""Text models whose answer is more than a row of values a text: rows of tokens are run, and their outputs are read.

A task says which rows a request makes and what their outputs mean; running them is the same for all.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine import Array, Session, open_session
from edge_runtime.errors import UnsupportedModel
from edge_runtime.model import Answer, Answered, Asked, PlainAsked
from edge_runtime.pipeline import open_bundle_tokenizer
from edge_runtime.tasks import FloatArray
from edge_runtime.tokenizer import Encoded, Tokenizer

_FEEDS = ("input_ids", "attention_mask", "token_type_ids")
_TOKENS_TOGETHER = 2048  # of one run, padding included: more is no faster on a CPU, and attention takes its square


@dataclass(frozen=True)
class Taken:
    """Rows of tokens of a request: the windows of one text, or a row for each of its pairs.

    Attributes:
        encoded: the rows, as the graph takes them.
        before: tokens of the question, which each window begins with.
        stride: tokens that each further window repeats from the one before it.
        truncated: tokens are in no row.
    """

    encoded: Encoded
    before: int = 0
    stride: int = 0
    truncated: bool = False


Row = tuple[FloatArray, ...]  # the graph's outputs for one row: (tokens, ...), perhaps with padding, or (...)


class ReadingTask(Protocol):
    """What a request makes of the tokenizer, and what the outputs make of a request.

    Attributes:
        outputs: dimensions that each output of the graph must have, the batch among them.
        example: to warm up with.
    """

    outputs: tuple[int, ...]
    example: PlainAsked

    def check(self, asked: Asked) -> None:
        """Refuse, at no cost, what cannot be answered. BadRequest: why not."""

    def encode(self, asked: Asked, tokenizer: Tokenizer) -> list[Taken]:
        """The rows of tokens of a request. InputTooLong, BadRequest: there are none that fit."""

    def read(self, asked: Asked, taken: Sequence[Taken], rows: Sequence[Sequence[Row]]) -> Answer:
        """The answer; `rows` has the outputs for each of `taken`, row by row."""


class Reader:
    """A loaded text model of such a task; for one thread at a time, unless `parallel`."""

    joins = True

    def __init__(self, manifest: Manifest, tokenizer: Tokenizer, session: Session, task: ReadingTask) -> None:
        unknown = set(session.input_names) - set(_FEEDS)
        if unknown:
            raise UnsupportedModel(f"model wants inputs {sorted(unknown)}, this task gives {', '.join(_FEEDS)}")
        found = tuple(len(spec.shape) for spec in manifest.model.outputs)
        if found != task.outputs:
            raise UnsupportedModel(f"outputs have {found} dimensions, {manifest.task.name} needs {task.outputs}")
        self.manifest, self.tokenizer, self.task = manifest, tokenizer, task
        self._session = session
        self.parallel = bool(getattr(session, "parallel", False))

    def check(self, asked: Asked) -> None:
        """Refuse a request that `answer` could not answer, at no cost. BadRequest: why not."""
        self.task.check(asked)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer requests; their rows are run together where that changes nothing.

        Raises:
            InputTooLong: a text has more tokens than the task can read.
            BadRequest: a request that `check` would refuse.
        """
        start = time.perf_counter_ns()
        for one in asked:
            self.task.check(one)
        taken = [self.task.encode(one, self.tokenizer) for one in asked]
        encoded_at = time.perf_counter_ns()
        rows = iter(self._run([part.encoded for parts in taken for part in parts]))
        ran_at = time.perf_counter_ns()
        answers = [
            self.task.read(one, parts, [next(rows) for _ in parts]) for one, parts in zip(asked, taken, strict=True)
        ]
        done_at = time.perf_counter_ns()
        return Answered(answers, encoded_at - start, ran_at - encoded_at, done_at - ran_at)

    def warm_up(self) -> None:
        """Run once: the first run allocates."""
        self.answer([self.task.example])

    def _run(self, encoded: Sequence[Encoded]) -> list[list[Row]]:
        """The outputs of every row of each of `encoded`."""
        found: list[list[Row]] = [[()] * len(one.input_ids) for one in encoded]
        for group in self._groups(encoded):
            outputs = self._session.run(self._feeds(encoded, group))
            for at, (one, row, _) in enumerate(group):
                found[one][row] = tuple(output[at] for output in outputs)
        return found

    def _groups(self, encoded: Sequence[Encoded]) -> Iterator[list[tuple[int, int, int]]]:
        """Rows to run together, short ones first, as (index in `encoded`, row, tokens of it without padding)."""
        lengths = [one.attention_mask.sum(axis=1).tolist() for one in encoded]
        every = [(one, row, tokens) for one, some in enumerate(lengths) for row, tokens in enumerate(some)]
        most = self.manifest.limits.max_texts if self.manifest.model.batch_invariant else 1
        group: list[tuple[int, int, int]] = []
        for place in sorted(every, key=lambda place: place[2]):
            if group and (len(group) >= most or (len(group) + 1) * place[2] > _TOKENS_TOGETHER):
                yield group
                group = []
            group.append(place)
        if group:
            yield group

    def _feeds(self, encoded: Sequence[Encoded], group: Sequence[tuple[int, int, int]]) -> dict[str, Array]:
        """The graph's inputs for some rows, as wide as the longest of them, which is the last."""
        shape = len(group), group[-1][2]
        filling = {"input_ids": self.tokenizer.pad_id, "attention_mask": 0, "token_type_ids": 0}
        feeds: dict[str, Array] = {}
        for name in self._session.input_names:
            feeds[name] = np.full(shape, filling[name], np.int64)
            for at, (one, row, tokens) in enumerate(group):
                feeds[name][at, :tokens] = getattr(encoded[one], name)[row, :tokens]
        return feeds


def open_reader(folder: Path, manifest: Manifest, threads: int, task: ReadingTask) -> Reader:
    """Load a checked bundle for this task.

    Raises:
        UnsupportedModel, UnsupportedTokenizer: with the reason.
    """
    tokenizer = open_bundle_tokenizer(folder, manifest)
    return Reader(manifest, tokenizer, open_session(folder, manifest.model, threads), task)
