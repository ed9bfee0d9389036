"""Texts to calibrate on are never those that are judged on."""

from __future__ import annotations

import dataclasses

import pytest

from edge_runtime.errors import UsageError
from edgert_tools.datasets import Labelled
from edgert_tools.quantization.held_back import ROWS, split_rows
from edgert_tools.recipe import QuantizeRecipe, Recipe
from edgert_tools.texts import Texts

NUMBERED = tuple(f"text {number:04} " + "x" * (number % 7) for number in range(1000))
LABELS = tuple(f"label {number:04}" for number in range(1000))
OWN = Texts(NUMBERED, LABELS, "own")


def recipe(*schemes: str) -> Recipe:
    return Recipe("x", "1", "classify", 64, quantize=QuantizeRecipe(schemes))


def test_schemes_that_need_no_rows_take_none_away() -> None:
    assert split_rows(OWN, recipe("dynamic-s8", "nbits8-b32"), own_data=True) == (OWN, ())


def test_a_fifth_of_own_texts_is_set_aside_and_labels_stay_with_their_texts() -> None:
    kept, rows = split_rows(OWN, recipe("dynamic-s8", "static-s8-smooth"), own_data=True)
    assert len(kept.texts) == 800
    assert kept.labels is not None
    assert [text[5:9] for text in kept.texts] == [label[6:] for label in kept.labels]
    assert len(rows) == ROWS
    assert not set(rows) & set(kept.texts)
    assert "every fifth" in kept.description
    assert split_rows(OWN, recipe("static-s8-smooth"), own_data=True) == (kept, rows)


def test_a_text_that_occurs_twice_is_not_on_both_sides() -> None:
    twice = dataclasses.replace(OWN, texts=NUMBERED[:10] * 2, labels=LABELS[:10] * 2)
    kept, rows = split_rows(twice, recipe("mixed"), own_data=True)
    assert rows
    assert not set(rows) & set(kept.texts)


def test_training_sentences_are_calibrated_on_and_all_others_judged() -> None:
    train = tuple(Labelled(text, "a") for text in NUMBERED[500:])
    texts = dataclasses.replace(OWN, texts=NUMBERED[:500], labels=LABELS[:500], train=train)
    kept, rows = split_rows(texts, recipe("rows-s8-smooth"), own_data=False)
    assert kept == texts
    assert set(rows) <= {row.text for row in train}
    # A user's file is of another kind than the training sentences: its own rows are the ones to calibrate on.
    own_kept, own_rows = split_rows(texts, recipe("rows-s8-smooth"), own_data=True)
    assert set(own_rows) <= set(texts.texts)
    assert len(own_kept.texts) == 400


def test_rows_are_spread_from_short_to_long() -> None:
    long_ones = tuple("word " * number for number in range(1, 1001))
    _, rows = split_rows(Texts(long_ones, None, "own"), recipe("mixed-rows-50"), own_data=True)
    lengths = [len(row) for row in rows]
    assert lengths == sorted(lengths)
    assert lengths[0] < 100
    assert lengths[-1] > 4800


@pytest.mark.parametrize("texts", [("one",), ("one", "two", "three"), ("same",) * 40])
def test_too_few_texts_are_refused_with_schemes_that_need_none(texts: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"too few.*--scheme dynamic-s8, nbits8-b32"):
        split_rows(Texts(texts, None, "own"), recipe("mixed"), own_data=True)
