"""Answers out of a context, on a model in which what each token is worth is written by hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Model, PlainAsked, open_model
from tests.edge_runtime.models.tiny_readers import WORTH, write_reader


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    limits = Limits(max_tokens=24, max_texts=4)
    return open_model(write_reader(tmp_path_factory.mktemp("spans") / "b", "question-answer", limits=limits))


def ask(model: Model, context: str, question: str = "is it on?", **parameters: Any) -> Any:
    asked = PlainAsked(texts=[question], pairs=[context], parameters=parameters)
    model.check(asked)
    (row,) = model.answer([asked]).answers[0].rows()
    for one in row.get("top", [row]):  # type: ignore[attr-defined]
        assert context[one["start"] : one["end"]] == one["answer"]
    return row


def likely(words: list[str], at: int, side: int) -> float:
    """Of the word at `at` to begin (side 0) or end (1) the answer; words without worth count as 0."""
    logits = [WORTH.get(word, (0.0, 0.0))[side] for word in [*words, "[CLS]"]]
    return math.exp(logits[at]) / sum(map(math.exp, logits))


def test_the_answer_is_the_likeliest_span(model: Model) -> None:
    words = ["turn", "on", "the", "kitchen", "light", "!"]
    expected = likely(words, 3, 0) * likely(words, 4, 1)
    assert ask(model, "Turn on the kitchen light!") == {
        "answer": "kitchen light", "start": 12, "end": 25, "score": pytest.approx(expected, abs=1e-6),
    }  # fmt: skip


def test_an_answer_never_ends_before_it_begins(model: Model) -> None:
    assert ask(model, "up warm")["answer"] in ("up", "warm")


@pytest.mark.parametrize(("most", "answer"), [(4, "warm on off up"), (3, "up")])
def test_an_answer_has_no_more_tokens_than_asked_for(model: Model, most: int, answer: str) -> None:
    assert ask(model, "the warm on off up", max_answer_tokens=most)["answer"] == answer


def test_an_answer_is_of_whole_words(model: Model) -> None:
    assert ask(model, "the warms and ups")["answer"] == "warms and ups"


@pytest.mark.parametrize("gap", range(0, 50, 3))
def test_an_answer_is_found_wherever_it_stands_in_a_long_context(model: Model, gap: int) -> None:
    context = "on " * gap + "the kitchen light is it " + "off " * (50 - gap)
    found = ask(model, context)
    assert (found["answer"], found["start"]) == ("kitchen light", 3 * gap + 4)
    assert 0 < found["score"] <= 1  # once, though it stands in two windows


def test_several_answers_come_best_first_and_each_once(model: Model) -> None:
    found = ask(model, "the lamp, warm up, the Lamp", top=3)
    answers = [one["answer"] for one in found["top"]]
    assert found["answer"] == answers[0]
    assert [one["score"] for one in found["top"]] == sorted((one["score"] for one in found["top"]), reverse=True)
    assert len({answer.lower() for answer in answers}) == 3
    assert "warm up" in answers


def test_there_may_be_no_answer_if_the_asker_says_so(model: Model) -> None:
    none = math.exp(1) / (math.exp(1) + 2)
    found = ask(model, "on off", no_answer=True)
    assert found == {"answer": "", "score": pytest.approx(none**2, abs=1e-6), "start": 0, "end": 0}
    assert ask(model, "on off")["answer"] != ""
    assert ask(model, "warm up", no_answer=True)["answer"] == "warm up"


def test_the_tensors_say_the_same(model: Model) -> None:
    answer = model.answer([PlainAsked(texts=["on?"], pairs=["the kitchen light"], parameters={"top": 2})]).answers[0]
    tensors = {tensor.name: list(tensor.data) for tensor in answer.tensors()}
    (row,) = answer.rows()
    top: Any = row["top"]
    assert tensors["answer"] == [one["answer"] for one in top]
    assert tensors["start"] == [one["start"] for one in top]
    assert tensors["end"] == [one["end"] for one in top]
    assert tensors["score"] == pytest.approx([one["score"] for one in top], abs=1e-6)


def test_a_context_of_too_many_windows_is_refused_or_cut(model: Model) -> None:
    asked = {"texts": ["on?"], "pairs": ["off " * 200 + "warm up"]}
    with pytest.raises(InputTooLong, match="text is 202 tokens"):
        model.answer([PlainAsked(**asked)])
    answer = model.answer([PlainAsked(**asked, truncate=True)]).answers[0]
    assert answer.truncated == (True,)
    assert answer.rows()[0]["answer"] != "warm up"


@pytest.mark.parametrize(
    ("question", "context", "parameters", "words"),
    [
        (" ", "on", {}, "the question is empty"),
        ("on?", "\n", {}, "the context is empty"),
        ("on?", "on", {"top": 0}, "top is '0', expected a whole number from 1 to 20"),
        ("on?", "on", {"top": True}, "top"),
        ("on?", "on", {"max_answer_tokens": 25}, "from 1 to 24"),
        ("on?", "on", {"no_answer": 1}, "true or false"),
    ],
)
def test_what_cannot_be_answered_is_refused_at_no_cost(
    model: Model, question: str, context: str, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        model.check(PlainAsked(texts=[question], pairs=[context], parameters=parameters))


def test_a_question_without_its_context_is_refused(model: Model) -> None:
    with pytest.raises(BadRequest, match="send one of each"):
        model.check(PlainAsked(texts=["on?"]))


def test_a_context_without_a_single_token_has_no_answer(model: Model) -> None:
    assert ask(model, "\u200b\u200d") == {"answer": "", "score": 1.0, "start": 0, "end": 0}


def test_a_graph_with_other_outputs_is_refused(tmp_path: Path) -> None:
    from tests.edge_runtime.models.tiny_readers import TASKS

    folder = write_reader(tmp_path / "b", "rerank", spec=TASKS["question-answer"])
    with pytest.raises(UnsupportedModel, match="question-answer needs"):
        open_model(folder)
