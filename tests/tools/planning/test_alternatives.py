"""Verdicts and what is nearest."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edgert_tools.planning.alternatives import most_tokens, recipe_mb
from edgert_tools.planning.boards import Board, find_board
from edgert_tools.planning.memory import memory_of
from edgert_tools.planning.model import Dimensions, Model
from edgert_tools.planning.plan import BoardPlan, make_plan
from edgert_tools.planning.sizes import size_in
from edgert_tools.planning.verdict import schemes_made
from edgert_tools.planning.weights import Weight
from edgert_tools.recipe import find_recipe
from tests.tools.planning.test_sizes import made_of

SHAPE = Dimensions(layers=6, width=384, inner=1536, heads=12, kv_heads=12, head_width=32)


def encoder(million_weights: int, max_tokens: int = 128) -> Model:
    model = made_of(Weight("w", "matrix", 1000 * million_weights, 1000))
    return dataclasses.replace(model, dimensions=SHAPE, max_tokens=max_tokens)


def on(model: Model, name: str) -> BoardPlan:
    return make_plan(model, [find_board(name)]).boards[0]


def test_the_scheme_with_the_fewest_instructions_is_taken_on_each_core() -> None:
    assert on(encoder(10), "pi4").verdict.best.scheme == "dynamic-s8"
    assert on(encoder(10), "pi5").verdict.best.scheme == "dynamic-s8"
    slow = {fit.scheme for fit in on(encoder(10), "pi4").verdict.schemes if fit.slow}
    assert slow == {"nbits8-b32", "nbits4-b32"}
    assert not any(fit.slow for fit in on(encoder(10), "pi5").verdict.schemes)


def test_only_schemes_of_the_recipe_are_taken() -> None:
    blocks = dataclasses.replace(encoder(10), made_for=("nbits8-b32",))
    plan = on(blocks, "pi4")
    assert (plan.verdict.fits, plan.verdict.best.scheme) == (True, "nbits8-b32")
    assert plan.verdict.best.slow
    assert any("recipe" in line for line in plan.alternatives)


def test_a_model_that_fits_has_no_alternatives() -> None:
    assert on(encoder(10), "pi5").alternatives == ()


def test_one_that_does_not_fit_is_offered_a_larger_board_and_recipes() -> None:
    plan = on(encoder(400), "zero2w")
    assert not plan.verdict.fits
    assert any(line.startswith("it fits on ") for line in plan.alternatives)
    assert any("recipe all-minilm-l6-v2" in line for line in plan.alternatives)
    assert not any("home-intents" in line for line in plan.alternatives)  # another task


def test_the_larger_board_that_is_offered_is_one_where_it_fits() -> None:
    line = next(line for line in on(encoder(400), "zero2w").alternatives if line.startswith("it fits on "))
    assert on(encoder(400), line.split()[3]).verdict.fits


def test_every_form_of_a_search_stands_for_a_scheme_of_its_size() -> None:
    forms = ("dynamic-s8-smooth", "rows-s8-smooth", "mixed-50-float", "nbits8-b64", "qdq-u8s8-minmax", "float32")
    made = schemes_made(dataclasses.replace(encoder(10), made_for=forms))
    assert made == {"dynamic-s8", "nbits8-b32", "float32", "as stored"}
    assert schemes_made(dataclasses.replace(encoder(10), made_for=("mixed-50",))) == {"nbits8-b32", "as stored"}
    assert "nbits4-b32" in schemes_made(encoder(10))


def test_a_scheme_that_would_fit_but_is_not_made_is_named() -> None:
    weights = (Weight("w", "matrix", 70_000, 1000),)
    model = dataclasses.replace(made_of(*weights), made_for=("nbits8-b32",), max_tokens=16)
    plan = on(model, "zero2w")
    assert not plan.verdict.fits
    assert any(line.startswith("dynamic-s8 would fit") for line in plan.alternatives)


def test_the_most_tokens_are_the_last_that_fit() -> None:
    model = encoder(10, max_tokens=4096)
    size = size_in(model, "dynamic-s8")
    tokens = most_tokens(model, size, 200, 4096)
    assert memory_of(model, size, tokens).sum_mb <= 200 < memory_of(model, size, tokens + 1).sum_mb
    assert most_tokens(model, size, 50, 4096) == 0
    assert most_tokens(model, size, 1e9, 4096) == 4096


def test_a_recipe_whose_checkpoint_is_not_here_is_estimated_from_its_package(own_cache: Path) -> None:
    recipe = find_recipe("all-minilm-l6-v2")
    assert recipe is not None
    need_mb, about = recipe_mb(recipe)
    assert about
    assert need_mb == pytest.approx(149, rel=0.25)  # what its header gives


def test_no_board_is_offered_for_what_fits_on_none() -> None:
    plan = on(encoder(100_000), "zero2w")
    assert not any("it fits on" in line for line in plan.alternatives)


def test_a_board_without_memory_left_fits_nothing() -> None:
    board: Board = dataclasses.replace(find_board("zero2w"), memory_mb=(100,))
    assert board.left_mb == 0
    plan = make_plan(encoder(1), [board])
    assert not plan.boards[0].verdict.fits
    assert plan.reasons == ("it does not fit on zero2w",)
