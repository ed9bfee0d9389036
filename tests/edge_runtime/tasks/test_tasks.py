"""Task arithmetic against plain loops, and the edge cases of pooling and softmax."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.tasks import open_task
from edge_runtime.tasks.classify import softmax
from edge_runtime.tasks.embed import mean_pool, unit_length

RANDOM = np.random.default_rng(3)


def test_mean_pool_is_the_mean_of_the_unmasked_tokens() -> None:
    hidden = RANDOM.normal(size=(3, 5, 4)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    plain = np.stack([hidden[i, : mask[i].sum()].mean(axis=0) for i in range(3)])
    np.testing.assert_allclose(mean_pool(hidden, mask), plain, rtol=1e-5)


def test_a_text_without_tokens_gives_zeros_not_nan() -> None:
    pooled = mean_pool(np.ones((1, 2, 3), np.float32), np.zeros((1, 2), np.int64))
    assert (unit_length(pooled) == 0).all()


def test_softmax_survives_large_logits() -> None:
    values = softmax(np.array([[1e4, 0, -1e4], [0, 0, 0]], np.float32))
    np.testing.assert_allclose(values, [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_cls_pooling_takes_the_first_token() -> None:
    hidden = RANDOM.normal(size=(2, 3, 4)).astype(np.float32)
    task = open_task(TaskSpec("embed", pooling="cls"))
    np.testing.assert_array_equal(task.values([hidden], np.ones((2, 3), np.int64)), hidden[:, 0])


def test_a_plain_classification_lists_the_best_first() -> None:
    task = open_task(TaskSpec("classify", ("a", "b", "c")))
    answer = task.plain(np.array([0.2, 0.5, 0.3], np.float32))
    assert (answer["label"], answer["score"]) == ("b", 0.5)
    top = answer["top"]
    assert isinstance(top, list)
    assert [entry["label"] for entry in top] == ["b", "c", "a"]


@pytest.mark.parametrize(("name", "shape"), [("classify", (1, 2)), ("classify", (1, 2, 3)), ("embed", (1, 2))])
def test_outputs_of_another_shape_are_refused(name: str, shape: tuple[int, ...]) -> None:
    task = open_task(
        TaskSpec(name, ("a", "b", "c") if name == "classify" else (), "none" if name == "classify" else "mean")
    )
    with pytest.raises(UnsupportedModel, match="shape"):
        task.values([np.zeros(shape, np.float32)], np.ones((1, 2), np.int64))


def test_a_classifier_needs_labels() -> None:
    with pytest.raises(UnsupportedModel, match="labels"):
        open_task(TaskSpec("classify"))
