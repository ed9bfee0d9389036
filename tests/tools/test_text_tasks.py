"""Which task a checkpoint is for, told from its config, and what cannot be right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.text_specs import PairSpec
from edge_runtime.errors import UnsupportedModel
from edgert_tools.checkpoint import Checkpoint
from edgert_tools.settings import Options, from_checkpoint
from edgert_tools.text_tasks import entailment_logits, relevance_logits, spec_of


def checkpoint(folder: Path, architecture: str | None, labels: tuple[str, ...] = (), **config: Any) -> Checkpoint:
    known: dict[str, Any] = {"model_type": "bert", "max_position_embeddings": 512, **config}
    if architecture:
        known["architectures"] = [architecture]
    if labels:
        known["id2label"] = {str(number): label for number, label in enumerate(labels)}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(known))
    return Checkpoint(folder, "org/model", "folder", "", "0" * 64, "mit", known)


@pytest.mark.parametrize(
    ("architecture", "labels", "task", "max_tokens"),
    [
        ("BertForTokenClassification", ("O", "B-PER", "I-PER"), "token-classify", 512),
        ("RobertaForQuestionAnswering", (), "question-answer", 384),
        ("BertForSequenceClassification", ("LABEL_0",), "rerank", 512),
        ("BertForSequenceClassification", ("contradiction", "neutral", "ENTAILMENT"), "zero-shot", 512),
        ("BertForSequenceClassification", ("negative", "positive"), "classify", 512),
        ("BertModel", (), "embed", 512),
        (None, (), "embed", 512),
        ("BertForMaskedLM", (), "embed", 512),
    ],
)
def test_the_task_is_what_the_head_is_for(
    tmp_path: Path, architecture: str | None, labels: tuple[str, ...], task: str, max_tokens: int
) -> None:
    recipe = from_checkpoint(checkpoint(tmp_path, architecture, labels), Options())
    assert (recipe.task, recipe.max_tokens) == (task, max_tokens)


@pytest.mark.parametrize(
    ("architecture", "labels", "task", "words"),
    [
        ("BertModel", (), "token-classify", "BertModel, which has no head for token-classify"),
        ("BertForTokenClassification", ("O", "B-X"), "question-answer", "ForQuestionAnswering"),
        ("BertForQuestionAnswering", (), "rerank", "ForSequenceClassification"),
        ("BertForTokenClassification", ("X",), "token-classify", "1 label"),
        ("BertForTokenClassification", ("O", "B-X", "B-X"), "token-classify", "two labels 'B-X'"),
        ("BertForSequenceClassification", ("a", "b", "c"), "rerank", "3 labels (a, b, c), a reranker one or two"),
        ("BertForSequenceClassification", ("bad", "good"), "zero-shot", "begins with 'entail'"),
        ("BertForSequenceClassification", ("entailment", "x", "y"), "zero-shot", "which of them is contradiction"),
        ("BertForSequenceClassification", ("one",), "classify", "1 label"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(
    tmp_path: Path, architecture: str, labels: tuple[str, ...], task: Any, words: str
) -> None:
    with pytest.raises(UnsupportedModel) as refused:
        from_checkpoint(checkpoint(tmp_path, architecture, labels), Options(task=task))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("labels", "spec"),
    [
        (("LABEL_0",), PairSpec(0, None)),
        (("LABEL_0", "LABEL_1"), PairSpec(1, 0)),
        (("relevant", "irrelevant"), PairSpec(0, 1)),
        (("x", "y"), PairSpec(1, 0)),
    ],
)
def test_the_logit_of_relevance_is_the_only_one_the_named_one_or_the_last(
    labels: tuple[str, ...], spec: PairSpec
) -> None:
    assert relevance_logits(labels) == spec


@pytest.mark.parametrize(
    ("labels", "spec"),
    [
        (("contradiction", "neutral", "entailment"), PairSpec(2, 0)),
        (("entailment", "neutral", "contradiction"), PairSpec(0, 2)),
        (("neutral", "entailment", "contradiction"), PairSpec(1, 2)),
        (("entailment", "not_entailment"), PairSpec(0, 1)),
    ],
)
def test_the_logits_of_inference_are_found_by_their_names(labels: tuple[str, ...], spec: PairSpec) -> None:
    assert entailment_logits(labels) == spec


@pytest.mark.parametrize(("task", "stride"), [("token-classify", 96), ("question-answer", 128)])
def test_windows_overlap_by_part_of_the_limit(task: Any, stride: int) -> None:
    windows = spec_of(task, ("O", "B-X"), 384).windows
    assert windows is not None
    assert windows.stride == stride
    small = spec_of(task, ("O", "B-X"), 8).windows
    assert small is not None
    assert 0 < small.stride <= 4
