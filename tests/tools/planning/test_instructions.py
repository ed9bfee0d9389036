"""Instruction estimates: they give the counted figures back, and stay near ones that they were not made of."""

from __future__ import annotations

import dataclasses

import pytest

from edgert_tools.planning.boards import CoreClass
from edgert_tools.planning.instructions import COUNTED, estimate
from edgert_tools.planning.model import Dimensions, Model
from edgert_tools.planning.sizes import SchemeName
from edgert_tools.planning.weights import Weight
from tests.tools.planning.test_sizes import made_of

MINILM = dataclasses.replace(
    made_of(Weight("w", "matrix", 6, 4 * 384 * 384 + 2 * 384 * 1536)),
    dimensions=Dimensions(layers=6, width=384, inner=1536, heads=12, kv_heads=12, head_width=32),
)
SMOLLM = dataclasses.replace(
    made_of(Weight("w", "matrix", 1, 134_515_008)),
    family="decoder",
    task="generate",
    dimensions=Dimensions(layers=30, width=576, inner=1536, heads=9, kv_heads=3, head_width=64),
)
EVERY = [(core, scheme) for core, schemes in COUNTED.items() for scheme in schemes]


def millions(model: Model, scheme: SchemeName, core_class: CoreClass, tokens: int) -> float:
    found = estimate(model, scheme, core_class, tokens)
    assert found is not None
    return found.millions


# Attention's own multiplications come on top: 1.2 million of 170 for MiniLM.
@pytest.mark.parametrize(("core_class", "scheme"), EVERY)
def test_the_models_that_were_counted_get_their_figures_back(core_class: CoreClass, scheme: SchemeName) -> None:
    reads, writes = COUNTED[core_class][scheme]
    assert millions(MINILM, scheme, core_class, 16) == pytest.approx(reads, rel=0.03)
    assert millions(SMOLLM, scheme, core_class, 16) == pytest.approx(writes, rel=0.03)


# Counted separately, with 11 tokens, in million A64 instructions under emulation.
@pytest.mark.parametrize(
    ("core_class", "scheme", "counted"),
    [
        ("no-dot", "float32", 43.9),
        ("no-dot", "dynamic-s8", 37.4),
        ("no-dot", "nbits4-b32", 67.0),
        ("dot", "dynamic-s8", 20.4),
        ("dot", "nbits4-b32", 25.7),
        ("i8mm", "dynamic-s8", 15.2),
        ("i8mm", "nbits4-b32", 22.1),
    ],
)
def test_another_count_is_met_within_a_quarter(core_class: CoreClass, scheme: SchemeName, counted: float) -> None:
    assert millions(MINILM, scheme, core_class, 11) == pytest.approx(counted, rel=0.25)


def test_without_a_kernel_the_whole_matrix_is_unpacked_however_short_the_text() -> None:
    one, sixteen = (millions(MINILM, "nbits8-b32", "no-dot", tokens) for tokens in (1, 16))
    assert one > 0.7 * sixteen
    assert millions(MINILM, "nbits8-b32", "dot", 1) < 0.1 * millions(MINILM, "nbits8-b32", "dot", 16)


def test_a_model_of_experts_counts_what_a_token_uses() -> None:
    dense = dataclasses.replace(SMOLLM, weights=(Weight("w", "expert", 8, 1000),), dimensions=Dimensions())
    sparse = dataclasses.replace(dense, active_experts=0.25)
    assert millions(sparse, "float32", "dot", 16) == pytest.approx(0.25 * millions(dense, "float32", "dot", 16))


def test_nothing_is_estimated_where_nothing_was_counted() -> None:
    assert estimate(MINILM, "dynamic-s8", "x86", 16) is None
    assert estimate(dataclasses.replace(MINILM, family="other"), "dynamic-s8", "dot", 16) is None
    assert estimate(dataclasses.replace(MINILM, family="encoder-decoder"), "dynamic-s8", "dot", 16) is None
    assert estimate(MINILM, "as stored", "dot", 16) is None


def test_every_estimate_says_what_it_is_scaled_from() -> None:
    for model, name in ((MINILM, "MiniLM"), (SMOLLM, "SmolLM2")):
        found = estimate(model, "dynamic-s8", "dot", 16)
        assert found is not None
        assert name in found.basis
