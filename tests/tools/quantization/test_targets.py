"""Which target gets which form, by counts that the test makes up."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from edgert_tools.quantization.scheme import SEARCHED, WITHOUT_DOT_PRODUCT
from edgert_tools.quantization.targets import Form, for_targets, forms_for
from edgert_tools.recipe import QuantizeRecipe, find_recipe
from edgert_tools.settings import Options
from tests.tools.arm.counted import figures, on_board
from tests.tools.quantization.candidates import candidate

Counts = Mapping[str, Mapping[str, float]]


def chosen(counts: Counts, *targets: str) -> dict[str, str]:
    """By target, the scheme it gets."""
    forms, without = forms_for([candidate(name) for name in counts], figures(counts), targets)
    return {board: form.scheme for form in forms for board in form.boards} | dict.fromkeys(without, "nothing")


def test_each_class_of_cores_gets_the_fewest_instructions_and_finds_them_by_its_word() -> None:
    counts = {
        "rows-s8-smooth": {"pi4": 0.9, "pi5": 0.6},
        "nbits8-b32": {"pi4": 4.1, "pi5": 0.4},
    }
    forms, without = forms_for([candidate(name) for name in counts], figures(counts), ("pi4", "pi5"))
    assert forms == (
        Form("nbits8-b32", ("pi5",), ("cpu-aarch64-dotprod",)),
        Form("rows-s8-smooth", ("pi4",), ("cpu-aarch64",)),
    )
    assert without == ()


def test_a_form_above_float_is_never_taken_and_a_target_without_one_is_named() -> None:
    counts = {"nbits8-b32": {"pi4": 4.1, "pi5": 0.7}, "nbits8-b64": {"pi4": 3.0, "pi5": 1.01}}
    assert chosen(counts, "pi4", "pi5") == {"pi4": "nothing", "pi5": "nbits8-b32"}


def test_a_form_whose_answers_differ_there_is_never_taken() -> None:
    found = {
        "static-s8-smooth": (on_board("pi5", 0.3, cosine=0.8),),
        "rows-s8-smooth": (on_board("pi5", 0.6),),
    }
    forms, _ = forms_for([candidate(name) for name in found], found, ("pi5",))
    assert [form.scheme for form in forms] == ["rows-s8-smooth"]


@pytest.mark.parametrize(("fewest", "taken"), [(0.49, "rows-s8-smooth"), (0.495, "static-s8-smooth")])
def test_a_class_keeps_the_lesser_ones_form_where_that_is_as_good_within_2_percent(fewest: float, taken: str) -> None:
    counts = {
        "static-s8-smooth": {"pi4": 0.8, "pi5": 0.5},
        "rows-s8-smooth": {"pi4": 0.9, "pi5": fewest},
    }
    assert chosen(counts, "pi5", "pi4") == {"pi4": "static-s8-smooth", "pi5": taken}


def test_boards_of_one_class_share_a_form_which_all_of_them_can_use() -> None:
    counts = {
        "static-s8-smooth": {"zero2w": 1.2, "pi4": 0.5},
        "rows-s8-smooth": {"zero2w": 0.9, "pi4": 0.9},
    }
    assert chosen(counts, "zero2w", "pi4") == {"zero2w": "rows-s8-smooth", "pi4": "rows-s8-smooth"}


def test_no_form_comes_back_in_an_abler_class_where_no_board_would_find_it() -> None:
    counts = {
        "static-s8-smooth": {"pi4": 0.5, "pi5": 0.6, "i8mm": 0.2},
        "rows-s8-smooth": {"pi4": 0.7, "pi5": 0.3, "i8mm": 0.3},
        "mixed-50": {"pi4": 3.0, "pi5": 0.4, "i8mm": 0.4},
    }
    assert chosen(counts, "pi4", "pi5", "i8mm") == {
        "pi4": "static-s8-smooth",
        "pi5": "rows-s8-smooth",
        "i8mm": "rows-s8-smooth",
    }


def test_of_equally_few_instructions_the_smaller_then_the_batch_independent_is_taken() -> None:
    counts = {name: {"pi5": 0.5} for name in ("dynamic-s8-smooth", "rows-s8-smooth", "nbits8-b32")}
    made = [candidate("dynamic-s8-smooth"), candidate("rows-s8-smooth"), candidate("nbits8-b32", size=290)]
    forms, _ = forms_for(made, figures(counts), ("pi5",))
    assert forms[0].scheme == "rows-s8-smooth"


@pytest.mark.parametrize(
    ("targets", "schemes", "more"),
    [(("pi5",), (), ()), (("pi5", "pi4"), (), WITHOUT_DOT_PRODUCT), (("pi4",), ("dynamic-s8",), ())],
)
def test_a_search_for_cores_without_dot_product_tries_what_suits_them_unless_it_was_told_what(
    targets: tuple[str, ...], schemes: tuple[str, ...], more: tuple[str, ...]
) -> None:
    recipe = find_recipe("all-minilm-l6-v2")
    assert recipe is not None
    asked = dataclasses.replace(recipe, quantize=QuantizeRecipe(schemes or SEARCHED, "best"))
    found = for_targets(asked, Options(search=True, schemes=schemes), targets)
    assert found.quantize.candidates == ((schemes or SEARCHED) + more)
