"""Entities with character spans, on a model in which each token's label is written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Limits, TaskSpec
from edge_runtime.errors import BadRequest, InputTooLong, UnsupportedModel
from edge_runtime.model import Model, PlainAsked, open_model
from edge_runtime.models.texts.entities import tags_of
from tests.edge_runtime.models.tiny_readers import write_reader

LONG = Limits(max_tokens=200, max_texts=4)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return open_model(write_reader(tmp_path_factory.mktemp("entities") / "b", "token-classify"))


def found(model: Model, text: str, **parameters: Any) -> list[tuple[str, str]]:
    """Label and words of each entity; that its span is where its words are is checked on the way."""
    (row,) = model.answer([PlainAsked(texts=[text], parameters=parameters)]).answers[0].rows()
    entities: Any = row["entities"]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in entities)
    return [(one["label"], one["text"]) for one in entities]


def test_an_entity_has_its_label_score_and_span(model: Model) -> None:
    (row,) = model.answer([PlainAsked(texts=["  turn on the Kitchen light"])]).answers[0].rows()
    assert row == {
        "entities": [
            {"label": "ROOM", "score": 0.990182, "start": 14, "end": 21, "text": "Kitchen"},
            {"label": "THING", "score": 0.990182, "start": 22, "end": 27, "text": "light"},
        ]
    }


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("light lamp", [("THING", "light lamp")]),  # B I
        ("lamp lamp", [("THING", "lamp lamp")]),  # I I, though nothing began it
        ("light blind lamp", [("THING", "light"), ("THING", "blind lamp")]),  # B B I
        ("kitchen lamp", [("ROOM", "kitchen"), ("THING", "lamp")]),
        ("kitchen, kitchen", [("ROOM", "kitchen"), ("ROOM", "kitchen")]),
        ("light the lamp", [("THING", "light"), ("THING", "lamp")]),
        ("turn it off", []),
        ("", []),
        ("🙂 kitchen", [("ROOM", "kitchen")]),
    ],
)
def test_words_are_put_together_by_their_tags(model: Model, text: str, entities: list[tuple[str, str]]) -> None:
    assert found(model, text) == entities


def test_a_word_has_the_label_of_its_first_piece_unless_told_otherwise(model: Model) -> None:
    assert found(model, "the kitchens") == [("ROOM", "kitchens")]
    assert found(model, "the kitchens", aggregation="simple") == [("ROOM", "kitchen")]
    assert found(model, "the kitchens", aggregation="max") == [("ROOM", "kitchens")]
    assert found(model, "the kitchens", aggregation="average") == [("ROOM", "kitchens")]
    assert found(model, "the kitchenly", aggregation="average") == []  # one piece for it, two against


@pytest.mark.parametrize("gap", range(30))
def test_a_long_text_gives_what_one_window_over_all_of_it_gives(model: Model, tmp_path: Path, gap: int) -> None:
    """The model looks at single tokens alone, so an entity lost, cut or doubled at an edge would show."""
    whole = open_model(write_reader(tmp_path / "whole", "token-classify", limits=LONG))
    text = "on " * gap + "the kitchen light lamp lamp blind " + "off " * (29 - gap) + "light lamp"
    assert found(model, text) == found(whole, text) != []


def test_several_texts_are_answered_each_by_itself(model: Model) -> None:
    texts = ["the kitchen", "", "turn on " * 12 + "the blind", "off"]
    answer = model.answer([PlainAsked(texts=texts)]).answers[0]
    alone = [model.answer([PlainAsked(texts=[text])]).answers[0].rows()[0] for text in texts]
    assert answer.rows() == alone
    assert answer.truncated == (False,) * 4


def test_the_tensors_say_the_same(model: Model) -> None:
    answer = model.answer([PlainAsked(texts=["off", "the kitchen light lamp"])]).answers[0]
    tensors = {tensor.name: list(tensor.data) for tensor in answer.tensors()}
    assert tensors["text_index"] == [1, 1]
    assert (tensors["label"], tensors["text"]) == (["ROOM", "THING"], ["kitchen", "light lamp"])
    assert (tensors["start"], tensors["end"]) == ([4, 12], [11, 22])
    assert all(tensor.shape == (2,) for tensor in answer.tensors())


def test_requests_run_together_get_what_each_gets_alone(model: Model) -> None:
    asked = [PlainAsked(texts=["kitchens"], parameters={"aggregation": how}) for how in ("first", "simple")]
    together = [one.rows() for one in model.answer(asked).answers]
    assert together == [model.answer([one]).answers[0].rows() for one in asked]
    assert together[0] != together[1]


def test_rows_of_a_model_whose_answer_depends_on_neighbours_are_run_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for invariant in (True, False):
        reader: Any = open_model(write_reader(tmp_path / str(invariant), "token-classify", batch_invariant=invariant))
        run = reader._session.run

        def counted(feeds: Mapping[str, Any], run: Any = run) -> Any:
            seen.append(feeds["input_ids"].shape)
            return run(feeds)

        monkeypatch.setattr(reader._session, "run", counted)
        reader.answer([PlainAsked(texts=["on", "off the light"])])
    assert seen == [(2, 5), (1, 3), (1, 5)]


def test_a_text_of_too_many_windows_is_refused_or_cut(model: Model) -> None:
    text = "turn on the kitchen light " * 40
    with pytest.raises(InputTooLong, match="text is 200 tokens, this model takes 64"):
        model.answer([PlainAsked(texts=["off", text])])
    answer = model.answer([PlainAsked(texts=["off", text], truncate=True)]).answers[0]
    assert answer.truncated == (False, True)
    assert len(answer.rows()[1]["entities"]) == 2 * 64 // 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (PlainAsked(), "0 texts"),
        (PlainAsked(texts=["on"] * 5), "1 to 4"),
        (PlainAsked(texts=["on"], parameters={"aggregation": "last"}), "aggregation is 'last', expected one of first"),
        (PlainAsked(texts=["on"], parameters={"aggregation": True}), "aggregation"),
    ],
)
def test_what_cannot_be_answered_is_refused_at_no_cost(model: Model, asked: PlainAsked, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        model.check(asked)


def test_tags_of_longer_schemes_are_understood_where_they_are_used() -> None:
    assert tags_of(["O", "B-X", "I-X"]) == [(False, "O"), (True, "X"), (False, "X")]
    assert tags_of(["B-X", "I-X", "E-X", "S-X"]) == [(True, "X"), (False, "X"), (False, "X"), (True, "X")]
    assert tags_of(["O", "E-MAIL", "S-BAHN"]) == [(False, "O"), (False, "E-MAIL"), (False, "S-BAHN")]
    assert tags_of(["noun", "proper-noun"]) == [(False, "noun"), (False, "proper-noun")]


@pytest.mark.parametrize("labels", [(), ("O",), ("O", "B-X")])
def test_a_bundle_whose_labels_do_not_fit_is_refused(tmp_path: Path, labels: tuple[str, ...]) -> None:
    folder = write_reader(tmp_path / "b", "token-classify", spec=TaskSpec("token-classify", labels))
    with pytest.raises(UnsupportedModel, match="labels"):
        open_model(folder).answer([PlainAsked(texts=["on"])])
