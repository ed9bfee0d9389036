"""Made-up scenes of clothes and what a detector of them is taught and judged by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgert_tools.pictures import garment_scenes
from edgert_tools.pictures.average_precision import Objects, mean_average_precision
from edgert_tools.pictures.garment_detector import target_of
from edgert_tools.pictures.garment_scenes import LABELS, SIDE, Scene, scenes
from tests.conftest import fetched

pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'edgert[images]'")


def objects(*rows: tuple[int, float, Sequence[float]]) -> Objects:
    """Each a label's number, a score and corners."""
    boxes = np.array([box for _, _, box in rows], np.float64).reshape(-1, 4)
    return Objects(np.array([row[0] for row in rows], np.int64), np.array([row[1] for row in rows]), boxes)


def test_scenes_are_the_same_each_time_and_boxes_hold_the_pieces() -> None:
    first, again = (fetched(lambda: list(scenes(30, "t10k", 3, print))) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one.pixels, other.pixels)
        assert np.array_equal(one.boxes, other.boxes)
        assert one.pixels.shape == (SIDE, SIDE, 3)
        assert len(one.boxes) == len(one.labels) >= 1
        assert (one.boxes[:, :2] >= 0).all()
        assert (one.boxes[:, 2:] <= SIDE).all()
        assert (one.boxes[:, 2:] - one.boxes[:, :2] >= 6).all()
    assert {int(label) for one in first for label in one.labels} == set(range(len(LABELS)))


def test_a_piece_lies_inside_its_box_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    black = np.zeros((SIDE, SIDE, 3), np.float32)
    monkeypatch.setattr(garment_scenes, "_ground", lambda chance: black.copy())
    for scene in fetched(lambda: list(scenes(10, "t10k", 5, print))):
        seen = scene.pixels.max(axis=2) > 8
        covered = np.zeros_like(seen)
        for left, top, right, bottom in scene.boxes.astype(int):
            covered[top:bottom, left:right] = True
            assert seen[top:bottom, left:right].any()
        assert not (seen & ~covered).any()


def test_what_is_taught_of_a_cell_gives_the_box_again() -> None:
    box = np.array([[10.0, 20.0, 54.0, 40.0]], np.float32)
    target = target_of(Scene(np.zeros((SIDE, SIDE, 3), np.uint8), box, np.array([2])))
    ((row, column),) = np.argwhere(target[0] == 1)
    assert (row, column) == (3, 4)  # the middle, (32, 30), in cells of 8 pixels
    left, top, right, bottom = target[1:5, row, column]
    x, y = column + 0.5, row + 0.5
    assert [8 * side for side in (x - left, y - top, x + right, y + bottom)] == box[0].tolist()
    assert target[5:, row, column].tolist() == [0, 0, 1, 0, 0]


def test_a_perfect_detector_has_a_precision_of_one_and_an_idle_one_of_none() -> None:
    there = [objects((0, 1, (0, 0, 10, 10)), (1, 1, (20, 20, 40, 40))), objects((1, 1, (0, 0, 9, 9)))]
    assert mean_average_precision(there, there, 2).value == 1.0
    assert mean_average_precision([objects(), objects()], there, 2).value == 0.0


def test_precision_is_worked_out_as_by_hand() -> None:
    """Two of a label: found with 0.9 (right), 0.8 (wrong place), 0.7 (right): 1/2 * 1 + 1/2 * 2/3."""
    there = [objects((0, 1, (0, 0, 10, 10)), (0, 1, (20, 20, 30, 30)))]
    found = [objects((0, 0.9, (0, 0, 10, 10)), (0, 0.8, (50, 50, 60, 60)), (0, 0.7, (20, 20, 30, 31)))]
    assert mean_average_precision(found, there, 1).value == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_second_box_of_one_object_and_a_wrong_label_are_wrong() -> None:
    there = [objects((0, 1, (0, 0, 10, 10)))]
    twice = [objects((0, 0.9, (0, 0, 10, 10)), (0, 0.95, (0, 0, 10, 11)))]
    assert mean_average_precision(twice, there, 2).value == 1.0  # the surer one counts, the other comes after it
    later = [objects((0, 0.9, (0, 0, 10, 10)), (0, 0.95, (0, 0, 40, 40)))]
    assert mean_average_precision(later, there, 2).value == 0.5
    assert mean_average_precision([objects((1, 0.9, (0, 0, 10, 10)))], there, 2).value == 0.0
