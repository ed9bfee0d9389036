"""Answers of the board's own code against transformers' pipelines, on tiny models with random weights.

The graph is exported as `edgert convert` exports it, in float32, so that what differs is the reading of the outputs.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.model import Model, PlainAsked
from edge_runtime.models.texts.entities import AGGREGATIONS
from tests import tiny
from tests.tools.asked_models import float_model, oracle, write_asked_checkpoint

CLOSE = 2e-5  # torch and ONNX Runtime sum float32 in another order
PIECES = (*tiny.WORDS[52:], "abc", "turned", "a.b", "Kitchens", "ü", "house", "zz", "on-off", "漢字")


def texts_of(words: int, count: int, seed: int, pieces: Sequence[str] = PIECES) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(pieces, k=rng.randrange(2, words))) for _ in range(count)]


def ask(model: Model, **asked: Any) -> Mapping[str, Any]:
    """One request's answer as JSON data."""
    model.check(PlainAsked(**asked))
    return model.answer([PlainAsked(**asked)]).answers[0].rows()[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oracles")


@pytest.fixture(scope="module")
def tagger(folder: Path) -> Path:
    return write_asked_checkpoint(folder / "tagger", "token-classify")


@pytest.fixture(scope="module")
def answerer(folder: Path) -> Path:
    return write_asked_checkpoint(folder / "answerer", "question-answer")


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_entities_are_those_of_transformers(tagger: Path, folder: Path, aggregation: str) -> None:
    model, theirs = float_model(tagger, "token-classify", folder / aggregation), oracle(tagger, "token-classification")
    labels = set()
    for text in texts_of(12, 30, seed=1):
        found = ask(model, texts=[text], parameters={"aggregation": aggregation})["entities"]
        expected = theirs(text, aggregation_strategy=aggregation)
        assert [(one["label"], one["start"], one["end"], one["text"]) for one in found] == [
            (one["entity_group"], one["start"], one["end"], text[one["start"] : one["end"]]) for one in expected
        ]
        assert [one["score"] for one in found] == pytest.approx([float(one["score"]) for one in expected], abs=CLOSE)
        labels |= {one["label"] for one in found}
    assert labels == {"ROOM", "THING"}


def test_entities_of_a_long_text_are_those_that_transformers_groups_from_the_windows(
    tagger: Path, folder: Path
) -> None:
    """Each token's scores from the window where it has most text around it; then transformers' own grouping."""
    model, theirs = float_model(tagger, "token-classify", folder / "long", 16), oracle(tagger, "token-classification")
    for text in texts_of(90, 12, seed=2):
        tokens = theirs.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False, truncation=False)
        scores = windowed_scores(theirs, tokens["input_ids"], room=14, stride=4)
        pre = theirs.gather_pre_entities(
            text, np.array(tokens["input_ids"]), scores, tokens["offset_mapping"], np.zeros(len(scores)), _FIRST
        )
        expected = [one for one in theirs.aggregate(pre, _FIRST) if one["entity_group"] != "O"]
        found = ask(model, texts=[text])["entities"]
        assert [(one["label"], one["start"], one["end"]) for one in found] == [
            (one["entity_group"], one["start"], one["end"]) for one in expected
        ]
        assert [one["score"] for one in found] == pytest.approx([float(one["score"]) for one in expected], abs=CLOSE)


def windowed_scores(pipeline: Any, ids: Sequence[int], room: int, stride: int) -> np.ndarray[Any, Any]:
    """(tokens, labels) probabilities, plainly: every window run by torch, the best placed window taken a token."""
    import torch

    special = pipeline.tokenizer
    starts = [0]
    while starts[-1] + room < len(ids):
        starts.append(starts[-1] + room - stride)
    best: dict[int, tuple[int, Any]] = {}
    for number, start in enumerate(starts):
        window = list(ids[start : start + room])
        row = torch.tensor([[special.cls_token_id, *window, special.sep_token_id]])
        with torch.no_grad():
            found = pipeline.model(row).logits[0, 1:-1].softmax(-1).numpy()
        for at in range(len(window)):
            before = 10**6 if number == 0 else at
            after = 10**6 if start + room >= len(ids) else len(window) - 1 - at
            near = min(before, after)
            if start + at not in best or near > best[start + at][0]:
                best[start + at] = near, found[at]
    return np.stack([best[at][1] for at in range(len(ids))])


@pytest.mark.parametrize(("kind", "top"), [("bert", 1), ("bert", 4), ("distilbert", 1)])
def test_answers_are_those_of_transformers(folder: Path, kind: str, top: int) -> None:
    checkpoint = write_asked_checkpoint(folder / f"{kind}{top}", "question-answer", kind=kind)
    model = float_model(checkpoint, "question-answer", folder / f"answers-{kind}{top}")
    theirs = oracle(checkpoint, "question-answering")
    answers = set()
    for number, context in enumerate(texts_of(20, 30, seed=3)):
        question, most = texts_of(6, 1, seed=100 + number)[0], 1 + number % 7
        expected = theirs(
            question=question, context=context, top_k=top, max_answer_len=most, max_seq_len=64, doc_stride=16
        )
        expected = expected if top > 1 else [expected]
        found = ask(model, texts=[question], pairs=[context], parameters={"top": top, "max_answer_tokens": most})
        listed = found["top"] if top > 1 else [found]
        expected = [one for one in expected if one["score"] > 1e-9]  # theirs fills up with spans that cannot be
        assert [one["answer"] for one in listed[: len(expected)]] == [one["answer"] for one in expected]
        for ours, other in zip(listed, expected, strict=False):
            assert (ours["start"], ours["end"]) == (other["start"], other["end"])
            assert ours["score"] == pytest.approx(other["score"], abs=CLOSE)
        answers.add(found["answer"])
    assert len(answers) > 10


def test_no_answer_is_as_likely_as_transformers_says(folder: Path) -> None:
    checkpoint = write_asked_checkpoint(folder / "unsure", "question-answer", seed=13)  # it says so for about a third
    model = float_model(checkpoint, "question-answer", folder / "none")
    theirs, empty = oracle(checkpoint, "question-answering"), 0
    for number, context in enumerate(texts_of(20, 30, seed=4)):
        question = PIECES[number % len(PIECES)]
        expected = theirs(
            question=question, context=context, handle_impossible_answer=True, max_seq_len=64, doc_stride=16
        )
        found = ask(model, texts=[question], pairs=[context], parameters={"no_answer": True})
        assert (found["answer"], found["start"], found["end"]) == (
            expected["answer"], expected["start"], expected["end"],
        )  # fmt: skip
        assert found["score"] == pytest.approx(expected["score"], abs=CLOSE)
        empty += not found["answer"]
    assert 0 < empty < 30


def test_a_long_context_gives_the_best_answer_of_any_of_transformers_windows(answerer: Path, folder: Path) -> None:
    """Each window's answer by transformers' own code, and the surest of them: that code adds up what overlaps.

    Words of a single token, as transformers ends an answer in the middle of a word that a window's edge cuts.
    """
    model = float_model(answerer, "question-answer", folder / "windows", 24)
    theirs, beyond = oracle(answerer, "question-answering"), 0
    for number, context in enumerate(texts_of(90, 30, 5, tiny.WORDS[52:])):
        question = texts_of(5, 1, seed=200 + number)[0]
        room = 24 - 3 - len(theirs.tokenizer(question, add_special_tokens=False)["input_ids"])
        options = {"max_seq_len": 24, "doc_stride": min(12, room // 2)}
        windows = list(theirs.preprocess({"question": question, "context": context}, **options))
        best = max((theirs.postprocess([theirs.forward(one)]) for one in windows), key=lambda one: one["score"])
        found = ask(model, texts=[question], pairs=[context])
        assert (found["answer"], found["start"], found["end"]) == (best["answer"], best["start"], best["end"])
        assert found["score"] == pytest.approx(best["score"], abs=CLOSE)
        beyond += found["start"] > len(context) // 2
    assert beyond > 5


@pytest.mark.parametrize("labels", [("LABEL_0",), ("no", "yes"), ("relevant", "irrelevant")])
def test_relevance_is_that_of_transformers_text_classification(folder: Path, labels: tuple[str, ...]) -> None:
    checkpoint = write_asked_checkpoint(folder / f"ranker-{labels[0]}", "rerank", labels)
    model = float_model(checkpoint, "rerank", folder / f"rerank-{labels[0]}")
    theirs = oracle(checkpoint, "text-classification")
    wanted = {"no": "yes", "LABEL_0": "LABEL_0", "relevant": "relevant"}[labels[0]]
    for number in range(20):
        query, documents = texts_of(6, 1, seed=number)[0], texts_of(16, 8, seed=50 + number)
        rows = [theirs({"text": query, "text_pair": document}, top_k=None) for document in documents]
        scores = [next(one["score"] for one in row if one["label"] == wanted) for row in rows]
        found = ask(model, texts=[query], pairs=documents)["results"]
        assert [one["index"] for one in found] == sorted(range(8), key=lambda index: -scores[index])
        for one in found:
            assert one["score"] == pytest.approx(scores[one["index"]], abs=CLOSE)
        first = ask(model, texts=[query], pairs=documents, parameters={"top": 3})["results"]
        assert first == found[:3]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("labels", [("contradiction", "neutral", "entailment"), ("entailment", "not_entailment")])
def test_labels_are_as_likely_as_transformers_says(folder: Path, multi_label: bool, labels: tuple[str, ...]) -> None:
    name = f"{labels[0]}-{multi_label}"
    checkpoint = write_asked_checkpoint(folder / f"inference-{name}", "zero-shot", labels)
    model = float_model(checkpoint, "zero-shot", folder / f"zero-shot-{name}")
    theirs, best = oracle(checkpoint, "zero-shot-classification"), set()
    for number, text in enumerate(texts_of(12, 30, seed=6)):
        choices = [PIECES[(number + at) % 8] for at in range(1 + number % 4)]
        template = "the {} on." if number % 2 else "This example is {}."
        expected = theirs(text, choices, hypothesis_template=template, multi_label=multi_label)
        said: dict[str, Any] = {"multi_label": multi_label} | ({"template": template} if number % 2 else {})
        found = ask(model, texts=[text], labels=choices, parameters=said)
        assert [one["label"] for one in found["top"]] == expected["labels"]
        assert [one["score"] for one in found["top"]] == pytest.approx(expected["scores"], abs=CLOSE)
        assert (found["label"], found["score"]) == (found["top"][0]["label"], found["top"][0]["score"])
        best.add(found["label"])
    assert len(best) > 1


def _first() -> Any:
    from transformers.pipelines.token_classification import AggregationStrategy

    return AggregationStrategy.FIRST


_FIRST = _first()
