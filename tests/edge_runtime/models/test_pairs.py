"""Reranking and zero-shot classification, on models in which each word's worth is written by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits, TaskSpec
from edge_runtime.bundle.text_specs import PairSpec
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Model, PlainAsked, open_model
from tests.edge_runtime.models.tiny_readers import write_reader


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return open_model(write_reader(tmp_path_factory.mktemp("pairs") / "rerank", "rerank"))


@pytest.fixture(scope="module")
def chooser(tmp_path_factory: pytest.TempPathFactory) -> Model:
    limits = Limits(max_tokens=32, max_texts=4)
    return open_model(write_reader(tmp_path_factory.mktemp("pairs") / "zero-shot", "zero-shot", limits=limits))


def rank(model: Model, documents: list[str], *, truncate: bool = False, **parameters: Any) -> Any:
    asked = PlainAsked(texts=["on?"], pairs=documents, parameters=parameters, truncate=truncate)
    model.check(asked)
    return model.answer([asked]).answers[0].rows()[0]["results"]


def choose(model: Model, labels: list[str], text: str = "the house", **parameters: Any) -> Any:
    asked = PlainAsked(texts=[text], labels=labels, parameters=parameters)
    model.check(asked)
    return model.answer([asked]).answers[0].rows()[0]


def test_documents_come_best_first_with_their_probability(ranker: Model) -> None:
    assert rank(ranker, ["turn off", "the kitchen light", "a", "the kitchen"]) == [
        {"index": 1, "score": pytest.approx(sigmoid(3), abs=1e-6)},
        {"index": 3, "score": pytest.approx(sigmoid(2), abs=1e-6)},
        {"index": 2, "score": 0.5},
        {"index": 0, "score": pytest.approx(sigmoid(-2), abs=1e-6)},
    ]


def test_documents_are_in_order_even_where_all_are_as_good_as_certain(ranker: Model) -> None:
    found = rank(ranker, ["warm light", "warm kitchen light", "warm kitchen"])
    assert [one["index"] for one in found] == [1, 2, 0]
    assert {one["score"] for one in found} == {1.0}


def test_only_the_best_are_given_if_asked_so(ranker: Model) -> None:
    assert [one["index"] for one in rank(ranker, ["off", "light", "kitchen"], top=2)] == [2, 1]
    assert len(rank(ranker, ["off", "light"], top=4)) == 2


def test_a_score_does_not_depend_on_the_other_documents(ranker: Model) -> None:
    documents = ["light", "the kitchen is on and the lamp", "off"]
    together = {one["index"]: one["score"] for one in rank(ranker, documents)}
    assert together == {n: rank(ranker, [document])[0]["score"] for n, document in enumerate(documents)}


def test_a_long_document_is_refused_or_cut_and_says_so(ranker: Model) -> None:
    documents = ["kitchen", "off " * 20]
    with pytest.raises(InputTooLong, match="takes 16"):
        rank(ranker, documents)
    first, second = rank(ranker, documents, truncate=True)
    assert first == {"index": 0, "score": pytest.approx(sigmoid(2), abs=1e-6)}
    assert (second["index"], second["truncated"]) == (1, True)
    answer = ranker.answer([PlainAsked(texts=["on?"], pairs=documents, truncate=True)]).answers[0]
    assert answer.truncated == (True,)


def test_the_tensors_of_a_ranking_say_the_same(ranker: Model) -> None:
    answer = ranker.answer([PlainAsked(texts=["on?"], pairs=["off", "light"])]).answers[0]
    index, score = answer.tensors()
    assert (index.datatype, list(index.data)) == ("INT64", [1, 0])
    assert list(score.data) == pytest.approx([sigmoid(1), sigmoid(-2)], abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (PlainAsked(texts=["on?"]), "0 documents"),
        (PlainAsked(texts=["on?"], pairs=["a"] * 5), "1 to 4"),
        (
            PlainAsked(texts=["on?"], pairs=["a"], parameters={"top": 5}),
            "top is '5', expected a whole number from 1 to 4",
        ),
        (PlainAsked(texts=["on?"], pairs=["a"], parameters={"top": 1.5}), "top"),
    ],
)
def test_what_cannot_be_ranked_is_refused_at_no_cost(ranker: Model, asked: PlainAsked, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        ranker.check(asked)


def test_labels_share_out_one_probability(chooser: Model) -> None:
    found = choose(chooser, ["kitchen", "light", "off"])
    powers = {"kitchen": math.exp(2), "light": math.exp(1), "off": math.exp(-2)}
    assert [one["label"] for one in found["top"]] == ["kitchen", "light", "off"]
    for one in found["top"]:
        assert one["score"] == pytest.approx(powers[one["label"]] / sum(powers.values()), abs=1e-6)
    assert (found["label"], found["score"]) == (found["top"][0]["label"], found["top"][0]["score"])


def test_with_multi_label_each_label_is_judged_against_its_contradiction(chooser: Model) -> None:
    found = choose(chooser, ["kitchen", "light", "open"], multi_label=True)
    assert {one["label"]: one["score"] for one in found["top"]} == pytest.approx(
        {"kitchen": sigmoid(2), "light": sigmoid(1), "open": sigmoid(-3)}, abs=1e-6
    )


def test_one_label_alone_is_judged_so_too(chooser: Model) -> None:
    assert choose(chooser, ["light"])["score"] == pytest.approx(sigmoid(1), abs=1e-6)


def test_the_label_is_put_into_the_template(chooser: Model) -> None:
    assert choose(chooser, ["the"], template="{} kitchen")["score"] == pytest.approx(sigmoid(2), abs=1e-6)
    assert choose(chooser, ["{}"], template="{} kitchen {}")["score"] == pytest.approx(sigmoid(2), abs=1e-6)
    strange = choose(chooser, ["light"], template="{0.__class__} {}")  # text, not Python's format language
    assert strange["score"] == pytest.approx(sigmoid(1), abs=1e-6)


def test_the_text_is_cut_and_never_the_label(chooser: Model) -> None:
    text, labels = "the " * 40, ["kitchen", "light"]
    with pytest.raises(InputTooLong):
        choose(chooser, labels, text, template="{}")
    asked = PlainAsked(texts=[text], labels=labels, parameters={"template": "{}"}, truncate=True)
    answer = chooser.answer([asked]).answers[0]
    assert answer.truncated == (True,)
    assert answer.rows()[0]["score"] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)


def test_the_tensors_of_labels_say_the_same(chooser: Model) -> None:
    answer = chooser.answer([PlainAsked(texts=["on"], labels=["light", "kitchen"], parameters={"top": 1})]).answers[0]
    label, score = answer.tensors()
    assert list(label.data) == ["kitchen"]
    assert list(score.data) == pytest.approx([1 / (1 + math.exp(-1))], abs=1e-6)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (PlainAsked(texts=["on"]), "0 labels"),
        (PlainAsked(texts=["on"], labels=list("abcde")), "1 to 4"),
        (PlainAsked(texts=["on"], labels=["a", "a"]), "comes twice"),
        (PlainAsked(texts=["on"], labels=["a", " "]), "empty"),
        (PlainAsked(texts=["on"], labels=["a"], parameters={"template": "It is so."}), "a sentence with {}"),
        (PlainAsked(texts=["on"], labels=["a"], parameters={"template": 3}), "template is '3', expected a text"),
        (PlainAsked(texts=["on"], labels=["a"], parameters={"multi_label": "yes"}), "true or false"),
        (PlainAsked(texts=["on"], labels=["a"], parameters={"top": 9}), "1 to 4"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused_at_no_cost(chooser: Model, asked: PlainAsked, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        chooser.check(asked)


@pytest.mark.parametrize(
    ("task", "spec"),
    [
        ("rerank", TaskSpec("rerank")),
        ("zero-shot", TaskSpec("zero-shot")),
        ("zero-shot", TaskSpec("zero-shot", pairs=PairSpec(2, None))),
    ],
)
def test_a_bundle_that_does_not_say_which_logits_count_is_refused(tmp_path: Path, task: str, spec: TaskSpec) -> None:
    with pytest.raises(UnsupportedModel, match="convert again"):
        open_model(write_reader(tmp_path / "b", task, spec=spec))


def test_logits_that_the_graph_does_not_have_are_refused(tmp_path: Path) -> None:
    spec = TaskSpec("rerank", pairs=PairSpec(1, 0))
    model = open_model(write_reader(tmp_path / "b", "rerank", spec=spec, limits=Limits(16, 4)))
    with pytest.raises(UnsupportedModel, match="logits have shape"):
        rank(model, ["on"])
