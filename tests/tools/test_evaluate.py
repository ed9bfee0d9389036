"""The numbers of a report, checked against values that are known otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.pipeline import open_pipeline
from edgert_tools.budget import misses
from edgert_tools.evaluate import (
    Confusion,
    LabelAccuracy,
    LengthScore,
    compare_embeddings,
    compare_labels,
    interval_of_mean,
    values_of,
    wilson,
)
from edgert_tools.recipe import Budget
from tests import tiny
from tests.tools.checkpoints import TEXTS


@pytest.mark.parametrize(
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3 (Wilson score).
    ("hits", "total", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(hits: int, total: int, low: float, high: float) -> None:
    share = wilson(hits, total)
    assert share.value == pytest.approx(hits / total)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_cosines_are_between_the_two_vectors_of_one_text() -> None:
    original = np.array([[1, 0], [0, 2], [3, 3]], np.float32)
    quantized = np.array([[5, 0], [0, 1], [3, 0]], np.float32)
    quality = compare_embeddings(original, quantized, truncated=1)
    assert quality.cosine_min == pytest.approx(2**-0.5)
    assert quality.cosine_mean == pytest.approx((2 + 2**-0.5) / 3)
    assert (quality.texts, quality.truncated) == (3, 1)


def test_the_interval_of_a_mean_is_that_of_the_normal_law_where_it_holds() -> None:
    values = np.random.default_rng(3).normal(0.5, 0.1, size=4000)
    found, half = interval_of_mean(values), 1.96 * values.std() / 4000**0.5
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.15 * half)
    assert found == interval_of_mean(values)
    alike = interval_of_mean(np.full(20, 0.75))
    assert (alike.low, alike.high) == (0.75, 0.75)


def test_neighbours_are_the_nearest_other_texts() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    assert compare_embeddings(vectors, 2 * vectors).same_neighbour.value == 1
    assert compare_embeddings(vectors, rng.normal(size=(40, 8)).astype(np.float32)).same_neighbour.value < 0.5


def one_hot(labels: list[int]) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[labels]


def test_accuracy_agreement_and_confusions_count_texts() -> None:
    names, truth = ("a", "b", "c"), ["a", "a", "b", "c", "c", "c", "c", "b"]
    original, quantized = one_hot([0, 0, 1, 2, 2, 2, 2, 0]), one_hot([0, 1, 1, 2, 2, 0, 0, 0])
    quality = compare_labels(original, quantized, names, truth)
    assert quality.float_accuracy is not None
    assert quality.int8_accuracy is not None
    assert quality.float_accuracy.value == 7 / 8
    assert quality.int8_accuracy.value == 4 / 8
    assert quality.accuracy_drop_points == pytest.approx(37.5)
    assert quality.agreement.value == 5 / 8
    assert quality.mean_label_accuracy == pytest.approx((1 / 2 + 1 / 2 + 2 / 4) / 3)
    assert quality.confusions[0] == Confusion("c", "a", 2)
    assert sum(item.count for item in quality.confusions) == 4
    assert quality.by_label == (
        LabelAccuracy("a", 2, 1.0, 0.5), LabelAccuracy("b", 2, 0.5, 0.5), LabelAccuracy("c", 4, 1.0, 0.5),
    )  # fmt: skip


def test_short_and_long_texts_are_judged_apart() -> None:
    lengths = [3, 16, 17, 32, 33, 64, 100, 120]
    original, quantized = one_hot([0, 0, 1, 2, 2, 2, 2, 0]), one_hot([0, 1, 1, 2, 2, 0, 0, 0])
    found = compare_labels(original, quantized, ("a", "b", "c"), None, lengths=lengths).by_length
    assert found == tuple(
        LengthScore(longest, 2, share) for longest, share in ((16, 0.5), (32, 1.0), (64, 0.5), (128, 0.5))
    )
    vectors = np.array([[1, 0], [0, 1]], np.float32)
    (short, long) = compare_embeddings(vectors, np.array([[1, 0], [1, 1]], np.float32), lengths=[5, 2000]).by_length
    assert (short.characters, short.score, long.characters) == (16, 1.0, 2048)
    assert long.score == pytest.approx(2**-0.5)
    with pytest.raises(ValueError, match="shorter"):
        compare_embeddings(vectors, vectors, lengths=[5])


def test_without_labels_only_agreement_is_judged() -> None:
    quality = compare_labels(one_hot([0, 1, 2, 2]), one_hot([0, 1, 2, 1]), ("a", "b", "c"), None)
    assert (quality.float_accuracy, quality.accuracy_drop_points) == (None, None)
    assert misses(quality, 0.2, Budget(agreement_min=0.75)) == ()
    assert misses(quality, 0.2, Budget(agreement_min=0.76)) == ("same label on 75.00% of texts, at least 76.0%",)


def test_each_bound_is_checked_by_itself() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
    noisy = vectors + np.random.default_rng(1).normal(scale=0.05, size=vectors.shape).astype(np.float32)
    quality = compare_embeddings(vectors, noisy)
    good = Budget(cosine_mean=quality.cosine_mean, cosine_min=quality.cosine_min, size_ratio=0.3)
    assert misses(quality, 0.3, good) == ()
    missed = misses(quality, 0.31, Budget(quality.cosine_mean + 1e-4, quality.cosine_min + 1e-4, size_ratio=0.3))
    assert [line.split()[0] + line.split()[1] for line in missed] == ["size31.0%", "cosinemean", "cosinemin"]


def test_a_drop_of_exactly_the_budget_is_within_it() -> None:
    truth = ["a"] * 200
    quality = compare_labels(one_hot([0] * 200), one_hot([0] * 199 + [1]), ("a", "b", "c"), truth)
    assert misses(quality, 0.2, Budget(accuracy_drop_points=0.5)) == ()
    assert misses(quality, 0.2, Budget(accuracy_drop_points=0.4)) != ()


@pytest.mark.parametrize("task", ["embed", "classify"])
def test_values_come_in_the_order_of_the_texts_whatever_the_batches(tmp_path: Path, task: str) -> None:
    pipeline = open_pipeline(tiny.write_bundle(tmp_path / "bundle", task))
    texts = [*TEXTS, "turn " * 100]
    values, truncated = values_of(pipeline, texts, "texts")
    alone = np.concatenate([pipeline.vectors([text], truncate=True) for text in texts])
    assert truncated == 1
    assert np.abs(values - alone).max() < (1e-6 if task == "embed" else 1)
    if task == "classify":  # this bundle is not batch invariant: each text must have been alone
        assert np.array_equal(values, alone)
