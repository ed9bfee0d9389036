"""The path of a request with texts, top to bottom: texts -> token ids -> tensors -> values.

The workstation's evaluation, the golden rows and the daemon all take this path, so what is measured is what runs.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Manifest, TokenizerSpec, read_bundle
from edge_runtime.bundle.variants import for_targets
from edge_runtime.engine import Array, Session, open_session
from edge_runtime.engine.processor import targets_here
from edge_runtime.errors import BadRequest, UnsupportedModel, UnsupportedTokenizer
from edge_runtime.model import Answered, Asked
from edge_runtime.tasks import FloatArray, OutputTensor, Task, open_task
from edge_runtime.tokenizer import Encoded, Tokenizer, open_tokenizer

_FEEDS = ("input_ids", "attention_mask", "token_type_ids")


@dataclass(frozen=True)
class Result:
    """Values of some texts (texts, width) float32, what was cut, and where the time went, in nanoseconds."""

    values: FloatArray
    truncated: tuple[bool, ...]
    tokens: int
    encode_ns: int
    run_ns: int
    answer_ns: int


@dataclass(frozen=True)
class ValuesAnswer:
    """One request's values (texts, width), put into words only if somebody looks."""

    task: Task
    values: FloatArray
    truncated: tuple[bool, ...]

    def rows(self) -> list[Mapping[str, object]]:
        """One answer a text."""
        return [self.task.plain(row) for row in self.values]

    def tensors(self) -> list[OutputTensor]:
        """All texts' answers."""
        return self.task.tensors(self.values)


class Pipeline:
    """One loaded model with its tokenizer and task; for one thread at a time, unless `parallel`."""

    parallel = False
    joins = True

    def __init__(self, manifest: Manifest, tokenizer: Tokenizer, session: Session, task: Task) -> None:
        unknown = set(session.input_names) - set(_FEEDS)
        if unknown:
            raise UnsupportedModel(f"model wants inputs {sorted(unknown)}, this pipeline gives {', '.join(_FEEDS)}")
        self.manifest, self.tokenizer, self.task = manifest, tokenizer, task
        self._session = session
        self.parallel = getattr(session, "parallel", False)

    def run(self, texts: Sequence[str], truncate: bool = False) -> Result:
        """Answer the texts.

        Args:
            texts: at least one; special tokens inside are plain text.
            truncate: cut texts over the model's limit instead of refusing them.

        Raises:
            InputTooLong: a text has more tokens than the model takes.
            BadRequest: no text, too many, or not text.
        """
        self.check_count(len(texts))
        if self.manifest.model.batch_invariant or len(texts) == 1:
            return self._run_together(texts, truncate)
        return _joined([self._run_together([text], truncate) for text in texts])

    def check_count(self, texts: int) -> None:
        """Refuse a number of texts that `run` would refuse, at no cost. BadRequest: none, or too many."""
        most = self.manifest.limits.max_texts
        if not 0 < texts <= most:
            raise BadRequest(f"request has {texts} texts, this model takes 1 to {most} at once")

    def check(self, asked: Asked) -> None:
        """Refuse a request that `run` could not answer, at no cost. BadRequest: no text, or too many."""
        self.check_count(len(asked.texts))

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Answer requests, their texts all in one run; they are cut or refused as the first one says."""
        result = self.run([text for one in asked for text in one.texts], asked[0].truncate)
        answers, row = [], 0
        for one in asked:
            end = row + len(one.texts)
            values = result.values[row:end]
            answers.append(
                ValuesAnswer(self.task, values.copy() if len(asked) > 1 else values, result.truncated[row:end])
            )
            row = end
        return Answered(answers, result.encode_ns, result.run_ns, result.answer_ns)

    def warm_up(self) -> None:
        """Run once: the first run allocates."""
        self.run(["warm up"], truncate=True)

    def vectors(self, texts: Sequence[str], truncate: bool = False) -> FloatArray:
        """Just the values: embeddings or probabilities, (texts, width) float32."""
        return self.run(texts, truncate).values

    def _run_together(self, texts: Sequence[str], truncate: bool) -> Result:
        start = time.perf_counter_ns()
        encoded = self.tokenizer.encode_batch(texts, self.manifest.limits.max_tokens, truncate)
        encoded_at = time.perf_counter_ns()
        outputs = self._session.run(self._feeds(encoded))
        ran_at = time.perf_counter_ns()
        values = self.task.values(outputs, encoded.attention_mask)
        done_at = time.perf_counter_ns()
        return Result(
            values, encoded.truncated, encoded.input_ids.size, encoded_at - start, ran_at - encoded_at, done_at - ran_at
        )

    def _feeds(self, encoded: Encoded) -> dict[str, Array]:
        return {name: getattr(encoded, name) for name in self._session.input_names}


def open_pipeline(folder: Path, threads: int = 0) -> Pipeline:
    """Check a bundle folder, file by file, and load it.

    Raises:
        BundleError, UnsupportedModel, UnsupportedTokenizer: with the reason; nothing is half loaded.
    """
    return open_texts(folder, for_targets(read_bundle(folder), targets_here()), threads)


def open_texts(folder: Path, manifest: Manifest, threads: int) -> Pipeline:
    """Load a checked bundle whose task is one of `edge_runtime.tasks`; raises as `open_pipeline` does."""
    task = open_task(manifest.task)
    tokenizer = open_bundle_tokenizer(folder, manifest)
    return Pipeline(manifest, tokenizer, open_session(folder, manifest.model, threads), task)


def open_bundle_tokenizer(folder: Path, manifest: Manifest) -> Tokenizer:
    """Open the compiled form, if there is one that this edgert can read, else the file that it was made of; warm.

    Raises:
        UnsupportedModel: the bundle has none.
        UnsupportedTokenizer: it cannot be read.
    """
    if manifest.tokenizer is None:
        raise UnsupportedModel(f"a bundle for {manifest.task.name!r} needs a tokenizer, this one has none")
    tokenizer = _open_tokenizer(folder, manifest, manifest.tokenizer)
    tokenizer.warm_up()
    return tokenizer


def _open_tokenizer(folder: Path, manifest: Manifest, spec: TokenizerSpec) -> Tokenizer:
    source, compiled = spec.file, spec.compiled
    if compiled is not None:
        sha256 = next(entry.sha256 for entry in manifest.files if entry.path == source)
        with contextlib.suppress(UnsupportedTokenizer):  # of another version: the source of truth is at hand
            return open_tokenizer(folder / compiled, source_sha256=sha256)
    return open_tokenizer(folder / source)


def _joined(parts: Sequence[Result]) -> Result:
    return Result(
        np.concatenate([part.values for part in parts]),
        tuple(flag for part in parts for flag in part.truncated),
        sum(part.tokens for part in parts),
        sum(part.encode_ns for part in parts),
        sum(part.run_ns for part in parts),
        sum(part.answer_ns for part in parts),
    )
