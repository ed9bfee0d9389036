"""Reranking: how well each of some documents answers a query, by a cross-encoder that reads both together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.bundle.manifest import Limits, Manifest, TaskSpec
from edge_runtime.bundle.text_specs import PairSpec
from edge_runtime.errors import BadRequest, UnsupportedModel
from edge_runtime.model import Answer, Asked, PlainAsked
from edge_runtime.models.parameters import whole_number
from edge_runtime.models.texts.reading import Reader, Row, Taken, open_reader
from edge_runtime.tasks import OutputTensor
from edge_runtime.tokenizer import Tokenizer, Truncation

_CUT = Truncation("longest_first")  # the longer of both: the document, unless the query is longer


@dataclass(frozen=True)
class Ranked:
    """Documents by their number in the request, best first, with the probability of each and whether it was cut."""

    order: tuple[int, ...]
    scores: tuple[float, ...]
    cut: tuple[bool, ...]

    @property
    def truncated(self) -> tuple[bool]:
        """Whether any of them was cut."""
        return (any(self.cut),)

    def rows(self) -> list[Mapping[str, object]]:
        """`{"results": [{"index", "score"}, ...]}`, best first; those that were cut have `"truncated": true`."""
        results = []
        for index, score, cut in zip(self.order, self.scores, self.cut, strict=True):
            results.append({"index": index, "score": round(score, 6), **({"truncated": True} if cut else {})})
        return [{"results": results}]

    def tensors(self) -> list[OutputTensor]:
        """INT64 `index` and FP32 `score`, one element a document, best first."""
        shape = (len(self.order),)
        return [OutputTensor("index", "INT64", shape, self.order), OutputTensor("score", "FP32", shape, self.scores)]


class RelevanceTask:
    """One logit a pair, or two of which one says "relevant"."""

    outputs: tuple[int, ...] = (2,)
    example = PlainAsked(texts=("warm up",), pairs=("warm up",), truncate=True)

    def __init__(self, spec: TaskSpec, limits: Limits) -> None:
        if spec.pairs is None:
            raise UnsupportedModel("a rerank bundle must say which logit is the score: convert again")
        self._pairs, self._limits = spec.pairs, limits

    def check(self, asked: Asked) -> None:
        """BadRequest: not one query, no document, too many, or a bad `top`."""
        documents, most = len(asked.pairs), self._limits.max_texts
        if len(asked.texts) != 1 or not 0 < documents <= most:
            raise BadRequest(
                f"{len(asked.texts)} queries and {documents} documents: this model takes one and 1 to {most} at once"
            )
        whole_number(asked.parameters, "top", documents, most)

    def encode(self, asked: Asked, tokenizer: Tokenizer) -> list[Taken]:
        """A row for each document, the query in front."""
        queries = [asked.texts[0]] * len(asked.pairs)
        how = _CUT if asked.truncate else False
        return [Taken(tokenizer.encode_batch(queries, self._limits.max_tokens, how, pairs=list(asked.pairs)))]

    def read(self, asked: Asked, taken: Sequence[Taken], rows: Sequence[Sequence[Row]]) -> Answer:
        """The documents in order of their logits: of large ones the probabilities are all 1."""
        logits = logit_of(rows[0], self._pairs)
        top = whole_number(asked.parameters, "top", len(logits), self._limits.max_texts)
        best = np.argsort(-logits, kind="stable")[:top]
        cut = taken[0].encoded.truncated
        order = best.tolist()
        return Ranked(tuple(order), tuple(sigmoid(logits[best]).tolist()), tuple(cut[index] for index in order))


def logit_of(rows: Sequence[Row], spec: PairSpec) -> NDArray[np.float64]:
    """For each pair the logit of "yes" alone, or over that of "no" where the model has one."""
    logits = np.array([outputs[0] for outputs in rows], np.float64)
    if max(spec.positive, spec.negative or 0) >= logits.shape[1]:
        raise UnsupportedModel(f"logits have shape {logits.shape}, the manifest speaks of others: convert again")
    yes = logits[:, spec.positive]
    return yes if spec.negative is None else yes - logits[:, spec.negative]


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of each logit; of a difference of two logits, what softmax gives the first."""
    small = np.exp(-np.abs(logits))
    probabilities: NDArray[np.float64] = np.where(logits >= 0, 1, small) / (1 + small)
    return probabilities


def open_relevance(folder: Path, manifest: Manifest, threads: int) -> Reader:
    """Load a checked rerank bundle. UnsupportedModel, UnsupportedTokenizer: with the reason."""
    return open_reader(folder, manifest, threads, RelevanceTask(manifest.task, manifest.limits))
