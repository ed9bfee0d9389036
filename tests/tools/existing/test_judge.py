"""How far answers lie apart: each measure where it means something, and each bound by its own measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.numbers.tensors import array_tensor
from edge_runtime.tasks import OutputTensor
from edgert_tools.existing.judge import compare, in_short, misses
from edgert_tools.existing.recipe import GraphBudget


@dataclass(frozen=True)
class Given:
    """An answer with these outputs."""

    outputs: Sequence[OutputTensor]
    truncated: Sequence[bool] = (False,)

    def rows(self) -> list[dict[str, object]]:
        return []

    def tensors(self) -> Sequence[OutputTensor]:
        return self.outputs


def answers(name: str, values: object, dtype: str = "float32") -> list[Given]:
    return [Given([array_tensor(name, np.array([row], dtype))]) for row in values]  # type: ignore[attr-defined]


def test_a_single_value_is_judged_by_its_gap_not_by_a_cosine_that_is_always_one() -> None:
    (found,) = compare(answers("degrees", [[10.0], [20.0], [30.0]]), answers("degrees", [[10.0], [24.0], [30.0]]))
    assert found.cosine_mean is None
    assert found.gap == pytest.approx(4 / 30)
    assert misses((found,), GraphBudget()) == ("degrees: gap 0.1333 of its range, at most 0.05",)
    assert misses((found,), GraphBudget(gap_max=0.2)) == ()


def test_vectors_are_judged_by_cosine_too() -> None:
    (found,) = compare(answers("vector", [[1.0, 0.0], [0.0, 1.0]]), answers("vector", [[1.0, 0.0], [1.0, 0.0]]))
    assert (found.cosine_mean, found.cosine_min) == (0.5, 0.0)
    assert len(misses((found,), GraphBudget())) == 3


@pytest.mark.parametrize(("name", "scores", "judged"), [("logits", (), True), ("y", ("y",), True), ("y", (), False)])
def test_class_scores_are_judged_by_their_order(name: str, scores: tuple[str, ...], judged: bool) -> None:
    theirs, ours = [[5.0, 1.0, 0.0]] * 3 + [[0.0, 1.0, 0.9]], [[4.0, 1.0, 0.0]] * 3 + [[0.0, 0.9, 1.0]]
    (found,) = compare(answers(name, theirs), answers(name, ours), scores)
    assert (found.top1 is not None) is judged
    if judged and found.top1:
        assert found.top1.value == 0.75
        assert misses((found,), GraphBudget(cosine_mean=0, cosine_min=0)) == (
            f"{name}: same first class 0.75000, at least 0.99",
        )


def test_whole_numbers_are_the_same_or_not() -> None:
    (found,) = compare(answers("n", [[1], [2]], "int64"), answers("n", [[1], [3]], "int64"))
    assert found.same is not None
    assert found.same.value == 0.5
    assert "same 50.00%" in in_short((found,))


def test_another_number_of_values_counts_as_all_wrong_and_no_number_is_never_good() -> None:
    theirs = [Given([array_tensor("v", np.ones(3, np.float32))]), Given([array_tensor("v", np.ones(2, np.float32))])]
    ours = [Given([array_tensor("v", np.ones(3, np.float32))]), Given([array_tensor("v", np.ones(5, np.float32))])]
    (found,) = compare(theirs, ours)
    assert (found.cosine_min, found.gap) == (0.0, 1.0)
    (broken,) = compare(answers("v", [[1.0, 2.0]]), answers("v", [[1.0, float("nan")]]))
    assert misses((broken,), GraphBudget(cosine_mean=0, cosine_min=0, gap_max=1e9))


def test_a_float_answer_that_is_no_number_is_the_datas_fault_and_said() -> None:
    with pytest.raises(UnsupportedModel, match="output 'v' of the float graph is infinite or no number"):
        compare(answers("v", [[float("inf"), 1.0]]), answers("v", [[1.0, 1.0]]))


def test_equal_answers_miss_nothing() -> None:
    same = answers("probability", np.random.default_rng(0).normal(size=(20, 5)))
    assert misses(compare(same, same), GraphBudget()) == ()
