"""How alike and how right two models' answers are, on answers written by hand."""

from __future__ import annotations

import pytest

from edge_runtime.model import PlainAsked
from edge_runtime.models.texts.entities import EntitiesAnswer, Entity
from edge_runtime.models.texts.relevance import Ranked
from edge_runtime.models.texts.spans import Found, FoundAnswer
from edge_runtime.models.texts.zero_shot import Chosen
from edgert_tools.asked.quality import Answered, compare_answers, marks_of
from edgert_tools.asked.questions import AskedQuestion
from edgert_tools.budget import in_short, misses
from edgert_tools.recipe import Budget


def answered(*marks: object) -> Answered:
    return Answered(tuple(frozenset(mark) for mark in marks), (False,) * len(marks))  # type: ignore[call-overload]


def question(right: object = None, documents: int = 0) -> AskedQuestion:
    words = PlainAsked(texts=["x"], pairs=["d"] * documents)
    return AskedQuestion(words, None if right is None else frozenset(right))  # type: ignore[call-overload]


def test_marks_are_what_an_answer_says_without_its_scores() -> None:
    entity = Entity("ROOM", 0.5, 0, 7, "kitchen")
    assert marks_of("token-classify", EntitiesAnswer(((entity,),), (False,))) == {(0, 7, "ROOM")}
    found = FoundAnswer((Found("on", 0.5, 3, 5),), False, (False,))
    assert marks_of("question-answer", found) == {(3, 5, "on")}
    ranked = Ranked((2, 0, 1), (0.9, 0.5, 0.1), (False,) * 3)
    assert marks_of("rerank", ranked) == {(2, 0), (2, 1), (0, 1)}
    assert marks_of("zero-shot", Chosen(("b", "a"), (0.9, 0.1), (False,))) == {"b"}


def test_entities_are_alike_if_all_of_a_text_are() -> None:
    original = answered([(0, 1, "A"), (2, 3, "B")], [], [(4, 5, "A")], [(0, 1, "A")])
    quantized = answered([(0, 1, "A")], [], [(4, 5, "A")], [(0, 1, "A")])
    quality = compare_answers("token-classify", [question()] * 4, original, quantized)
    assert quality.agreement.value == 0.75
    assert quality.agreement.low < 0.75 < quality.agreement.high
    assert (quality.measure, quality.accuracy_drop_points) == (None, None)
    assert in_short(quality) == "same entities on 75.00%"
    (missed,) = misses(quality, 0.25, Budget())
    assert missed == "same entities on 75.00% of texts, at least 99.0%"


def test_entities_that_are_known_give_f1_of_both_and_of_each_label() -> None:
    right = [question([(0, 1, "A"), (2, 3, "B")]), question([(0, 1, "A")]), question([])]
    original = answered([(0, 1, "A"), (2, 3, "B")], [(0, 1, "A")], [])
    quantized = answered([(0, 1, "A")], [(0, 2, "A")], [(5, 6, "B")])  # 1 right, 2 wrong, 2 missed
    quality = compare_answers("token-classify", right, original, quantized)
    assert quality.float_accuracy is not None
    assert quality.int8_accuracy is not None
    assert quality.float_accuracy.value == 1.0
    assert quality.int8_accuracy.value == pytest.approx(2 / 6)
    assert quality.accuracy_drop_points == pytest.approx(100 * 4 / 6)
    scores = {one.label: (one.count, one.float_f1, one.int8_f1) for one in quality.by_label}
    assert scores == {"A": (2, 1.0, 0.5), "B": (1, 1.0, 0.0)}
    assert in_short(quality) == "F1 33.33% (float 100.00%)"
    assert "F1 drop 66.67 points, at most 0.5" in misses(quality, 0.25, Budget())


def test_the_order_is_alike_by_the_pairs_of_documents() -> None:
    original, quantized = answered([(0, 1), (0, 2), (1, 2)]), answered([(0, 1), (0, 2), (2, 1)])
    quality = compare_answers("rerank", [question(documents=3)], original, quantized)
    assert quality.agreement.value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("task", "right", "said", "wrong"),
    [
        ("question-answer", {"The Kitchen", "kitchen"}, [(0, 11, "the kitchen,")], [(0, 3, "the")]),
        ("zero-shot", {"a"}, ["a"], ["b"]),
        ("rerank", {1}, [(1, 0), (1, 2), (0, 2)], [(0, 1), (0, 2), (1, 2)]),
    ],
)
def test_answers_that_are_known_are_counted(task: str, right: object, said: object, wrong: object) -> None:
    asked = [question(right, 3)] * 4
    quality = compare_answers(task, asked, answered(*[said] * 4), answered(said, said, said, wrong))  # type: ignore[arg-type]
    assert quality.float_accuracy is not None
    assert quality.int8_accuracy is not None
    assert (quality.float_accuracy.value, quality.int8_accuracy.value) == (1.0, 0.75)
    assert quality.int8_accuracy.low < 0.75 < quality.int8_accuracy.high
    assert quality.by_label == ()
    assert [one.texts for one in quality.by_length] == [quality.texts]
