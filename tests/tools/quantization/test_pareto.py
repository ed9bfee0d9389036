"""Which candidates nothing beats, and which one is taken."""

from __future__ import annotations

import dataclasses

import pytest

from edgert_tools.quantization.pareto import choose, loss_of, pareto, slower_than_float
from tests.tools.quantization.candidates import candidate, embed_quality, label_quality


def test_what_is_worse_in_everything_is_not_in_the_set() -> None:
    best, fast = candidate("nbits8-b32", 0.9999, 1.2, 290), candidate("dynamic-s8", 0.99, 2.2, 228)
    beaten = candidate("qdq-u8s8-minmax", 0.93, 2.1, 228)
    assert pareto([best, beaten, fast]) == ("nbits8-b32", "dynamic-s8")


def test_equals_are_both_in_the_set_and_one_better_figure_is_enough() -> None:
    twins = [candidate("nbits8-b32"), candidate("nbits8-b64")]
    assert pareto(twins) == ("nbits8-b32", "nbits8-b64")
    assert pareto([*twins, candidate("nbits8-b128", size=249)]) == ("nbits8-b128",)


def test_the_fastest_within_the_budget_is_taken_whatever_its_size() -> None:
    fast, small = candidate("static-s8-smooth", ratio=2.0, size=300), candidate("nbits8-b32", ratio=1.5, size=200)
    assert choose([small, fast]) == fast
    assert choose([small, dataclasses.replace(fast, misses=("cosine",))]) == small


def test_of_equally_fast_ones_the_smallest_is_taken() -> None:
    faster, smaller = candidate("static-s8-smooth", ratio=2.0, size=300), candidate("rows-s8-smooth", ratio=1.91)
    assert choose([faster, smaller]) == smaller
    assert choose([faster, candidate("rows-s8-smooth", ratio=1.89)]) == faster


def test_of_equally_fast_and_small_ones_the_batch_independent_the_better_the_first_by_name() -> None:
    dynamic, static = candidate("dynamic-s8-smooth", 0.9999), candidate("static-s8-smooth", 0.999, size=254)
    assert choose([dynamic, static]) == static
    better = candidate("rows-s8-smooth", 0.9995)
    assert choose([dynamic, static, better]) == better
    assert choose([candidate("nbits8-b64"), candidate("nbits8-b128")]) == candidate("nbits8-b128")


def test_the_order_of_candidates_decides_nothing() -> None:
    made = [candidate("static-s8-smooth"), candidate("rows-s8-smooth"), candidate("nbits8-b32", ratio=1.96)]
    assert choose(made) == choose(made[::-1])


def test_nothing_is_taken_if_all_miss_something() -> None:
    assert choose([candidate("nbits8-b32", misses=("size",))]) is None
    assert choose([]) is None


@pytest.mark.parametrize(("ratio", "slower"), [(0.5, True), (0.97, True), (0.99, False), (1.0, False), (2.0, False)])
def test_slower_than_float_is_said_with_the_ratio_but_noise_is_not(ratio: float, slower: bool) -> None:
    found = slower_than_float(candidate("nbits8-b32", ratio=ratio))
    assert bool(found) == slower
    assert not slower or f"{ratio:.2f}x float's speed" in found[0]


def test_loss_is_of_the_cosine_of_the_accuracy_or_of_the_agreement() -> None:
    assert loss_of(embed_quality(0.998)) == pytest.approx(0.002)
    assert loss_of(label_quality(97)) == pytest.approx(0.03)
    assert loss_of(dataclasses.replace(label_quality(97), accuracy_drop_points=None)) == pytest.approx(0.03)
    assert loss_of(dataclasses.replace(label_quality(100), accuracy_drop_points=-2.0)) == 0
