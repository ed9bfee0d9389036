"""Regions and rectangles, against SciPy's labels and against trying every angle."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edge_runtime.models.pictures.regions import hull, in_order, outlines, smallest_rectangle

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=14))


@given(MASKS)
@settings(max_examples=300, deadline=None)
def test_regions_are_those_of_scipy(mask: np.ndarray) -> None:
    ndimage = pytest.importorskip("scipy.ndimage", reason="SciPy comes with the convert extra")
    labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
    found = outlines(mask, 1000)
    assert len(found) == count
    seen = set()
    for region in found:
        columns, rows = region.astype(int).T
        own = set(labels[rows, columns])
        assert len(own) == 1
        seen |= own
        y, x = np.nonzero(labels == own.pop())
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (y.min(), y.max(), x.min(), x.max())
        for row in np.unique(y):  # both ends of every row are there
            assert {x[y == row].min(), x[y == row].max()} <= set(columns[rows == row])
    assert len(seen) == count


def test_no_more_regions_than_asked_for() -> None:
    mask = np.zeros((9, 9), bool)
    mask[::2, ::2] = True
    assert len(outlines(mask, 1000)) == 25
    assert [region[0].tolist() for region in outlines(mask, 3)] == [[0, 0], [2, 0], [4, 0]]


def test_winding_regions_and_noise_of_a_million_pixels_are_no_feast() -> None:
    """A comb of one long line is the worst for whoever follows it step by step."""
    comb = np.zeros((1000, 1000), bool)
    comb[:, ::2] = True
    comb[-1, 1::4] = comb[0, 3::4] = True
    noise = np.random.default_rng(1).random((1000, 1000)) < 0.4
    start = time.process_time()
    assert len(outlines(comb, 10)) == 1
    assert len(outlines(noise, 1000)) > 100
    assert time.process_time() - start < 20


POINTS = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.integers(-50, 50).map(float))


@given(POINTS)
@settings(max_examples=200, deadline=None)
def test_the_smallest_rectangle_is_no_larger_than_at_any_angle_and_holds_all_points(points: np.ndarray) -> None:
    corners = smallest_rectangle(points)
    sides = np.roll(corners, -1, axis=0) - corners
    area = np.hypot(*sides[0]) * np.hypot(*sides[1])
    assert abs(sides[0] @ sides[1]) < 1e-6
    angles = np.radians(np.arange(0, 90, 0.5))
    along = points @ np.stack([np.cos(angles), np.sin(angles)])
    across = points @ np.stack([-np.sin(angles), np.cos(angles)])
    assert area <= (np.ptp(along, axis=0) * np.ptp(across, axis=0)).min() + 1e-6
    if area > 0:
        for start, side in zip(corners, sides, strict=True):
            offsets = points - start
            distance = (side[0] * offsets[:, 1] - side[1] * offsets[:, 0]) / np.hypot(*side)
            assert distance.min() > -1e-6


@given(POINTS)
@settings(max_examples=200, deadline=None)
def test_the_hull_turns_left_everywhere_and_leaves_nothing_out(points: np.ndarray) -> None:
    corners = hull(points)
    assert {tuple(corner) for corner in corners} <= {tuple(point) for point in points}
    if len(corners) < 3:
        return
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side, offsets = end - start, points - start
        assert (side[0] * offsets[:, 1] - side[1] * offsets[:, 0]).min() >= -1e-9


def test_a_rectangle_at_an_angle_is_found_as_it_is() -> None:
    angle = np.radians(17)
    turned = np.array([[0, 0], [40, 0], [40, 9], [0, 9]]) @ np.array(
        [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    )
    rectangle = smallest_rectangle(np.concatenate([turned, turned.mean(0, keepdims=True)]))
    assert np.allclose(sorted(rectangle.tolist()), sorted(turned.tolist()))


@pytest.mark.parametrize("degrees", [-40, -5, 0, 5, 40])
def test_corners_begin_top_left_and_go_round_with_the_clock(degrees: int) -> None:
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    lying = np.array([[-50, -5], [50, -5], [50, 5], [-50, 5]]) @ matrix
    for order in ([0, 1, 2, 3], [2, 3, 0, 1], [3, 2, 1, 0]):
        assert np.allclose(in_order(lying[order]), lying)
