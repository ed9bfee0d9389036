"""Zero-shot classification: labels that come with the text, judged by a model of natural language inference.

Each label becomes a sentence, and the model says whether the text entails it: Yin, Hay & Roth 2019, arXiv:1909.00161,
as transformers' zero-shot classification pipeline does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundle.manifest import Limits, Manifest, TaskSpec
from edge_runtime.errors import BadRequest, UnsupportedModel
from edge_runtime.model import Answer, Asked, PlainAsked
from edge_runtime.models.parameters import flag, text_of, whole_number
from edge_runtime.models.texts.reading import Reader, Row, Taken, open_reader
from edge_runtime.models.texts.relevance import logit_of, sigmoid
from edge_runtime.tasks import OutputTensor
from edge_runtime.tokenizer import Tokenizer, Truncation

PLACE = "{}"  # of the label in a template
_CUT = Truncation("only_first")  # the text, never the label


@dataclass(frozen=True)
class Chosen:
    """Labels, best first, with their probabilities."""

    labels: tuple[str, ...]
    scores: tuple[float, ...]
    truncated: tuple[bool]

    def rows(self) -> list[Mapping[str, object]]:
        """`{"label", "score", "top": [{"label", "score"}, ...]}`, best first."""
        scored = zip(self.labels, self.scores, strict=True)
        top = [{"label": label, "score": round(score, 6)} for label, score in scored]
        return [{**top[0], "top": top}]

    def tensors(self) -> list[OutputTensor]:
        """BYTES `label` and FP32 `score`, one element a label, best first."""
        shape = (len(self.labels),)
        return [OutputTensor("label", "BYTES", shape, self.labels), OutputTensor("score", "FP32", shape, self.scores)]


class ZeroShotTask:
    """Logits of a text and a sentence: entailment, contradiction and perhaps neither."""

    outputs: tuple[int, ...] = (2,)
    example = PlainAsked(texts=("warm up",), labels=("a",), parameters={"template": PLACE}, truncate=True)

    def __init__(self, spec: TaskSpec, limits: Limits) -> None:
        if spec.pairs is None or spec.pairs.negative is None:
            raise UnsupportedModel("a zero-shot bundle must say which logits entail and contradict: convert again")
        self._pairs, self._limits = spec.pairs, limits

    def check(self, asked: Asked) -> None:
        """BadRequest: not one text, no label, too many, one twice, an empty one, or a parameter that makes no sense."""
        labels, most = list(asked.labels), self._limits.max_texts
        if len(asked.texts) != 1 or not 0 < len(labels) <= most:
            raise BadRequest(
                f"{len(asked.texts)} texts and {len(labels)} labels: this model takes one and 1 to {most} labels"
            )
        if len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
            raise BadRequest("a label is empty or comes twice: give each once")
        whole_number(asked.parameters, "top", len(labels), most)
        flag(asked.parameters, "multi_label")
        self._template(asked)

    def encode(self, asked: Asked, tokenizer: Tokenizer) -> list[Taken]:
        """A row for each label."""
        template = self._template(asked)
        sentences = [template.replace(PLACE, label) for label in asked.labels]
        texts = [asked.texts[0]] * len(sentences)
        how = _CUT if asked.truncate else False
        return [Taken(tokenizer.encode_batch(texts, self._limits.max_tokens, how, pairs=sentences))]

    def read(self, asked: Asked, taken: Sequence[Taken], rows: Sequence[Sequence[Row]]) -> Answer:
        """Each label against its contradiction with `multi_label` or a single one, else all against each other."""
        count = len(asked.labels)
        logits = logit_of(rows[0], self._pairs)
        if flag(asked.parameters, "multi_label") or count == 1:
            scores = sigmoid(logits)
        else:
            entailment = np.array([outputs[0][self._pairs.positive] for outputs in rows[0]], np.float64)
            powers = np.exp(entailment - entailment.max())
            logits, scores = entailment, powers / powers.sum()
        top = whole_number(asked.parameters, "top", count, self._limits.max_texts)
        best = np.argsort(-logits, kind="stable")[:top]
        truncated = any(taken[0].encoded.truncated)
        return Chosen(tuple(asked.labels[index] for index in best), tuple(scores[best].tolist()), (truncated,))

    def _template(self, asked: Asked) -> str:
        template = text_of(asked.parameters, "template", self._pairs.template)
        if PLACE not in template:
            raise BadRequest(f"parameter template is {template[:60]!r}, expected a sentence with {PLACE} for the label")
        return template


def open_zero_shot(folder: Path, manifest: Manifest, threads: int) -> Reader:
    """Load a checked zero-shot bundle. UnsupportedModel, UnsupportedTokenizer: with the reason."""
    return open_reader(folder, manifest, threads, ZeroShotTask(manifest.task, manifest.limits))
