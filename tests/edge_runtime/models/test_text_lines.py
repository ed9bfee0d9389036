"""Lines of text: where they are, how they are cut, decoded and put in order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.bundle.picture_specs import OcrSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.pictures.picture_input import Placement
from edge_runtime.models.pictures.pictures import Picture
from edge_runtime.models.pictures.text_boxes import detector_input, find_boxes
from edge_runtime.models.pictures.text_lines import MOST_WIDTH, line_input, read_characters, reading_order, straightened
from tests.tiny_pictures import scene

from PIL import Image, ImageDraw  # isort: skip

SPEC = OcrSpec("characters.json")


def sized(width: int, height: int) -> Picture:
    return Picture(width, height, scene(width, height))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((900, 1000), (992, 896)),  # as it is, in multiples of 32
        ((448, 172), (736, 1920)),  # the shorter side to 736
        ((3000, 1500), (992, 1984)),  # the longer side to 2000
        ((640, 40), (736, 2944)),  # a single line: with air above and below
        ((40, 640), (2944, 736)),
        ((5, 4000), (2944, 736)),  # a thread: no flood of pixels
        ((1, 1), (4096, 64)),
    ],
)
def test_the_detector_gets_a_picture_of_a_size_that_it_can_read(size: tuple[int, int], shape: tuple[int, int]) -> None:
    tensor, placed = detector_input(sized(*size), SPEC)
    found = tensor.shape[2:]
    assert tensor.shape[:2] == (1, 3)
    assert all(side % 32 == 0 for side in found)
    assert max(found) <= SPEC.most_scale_side
    assert max(abs(a - b) for a, b in zip(found, shape, strict=True)) <= 64
    x, y, x_end, y_end = placed.target
    assert 0 <= x < x_end <= found[1]
    assert 0 <= y < y_end <= found[0]


def drawn(angle: float, width: int = 200, height: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """A map with one bar at an angle, and the bar's corners."""
    turn = np.radians(angle)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    halves = np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2
    corners = halves @ matrix + [160, 128]
    image = Image.new("L", (320, 256))
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in corners.tolist()], fill=255)
    return np.asarray(image, np.float32) / 255, corners


SAME = Placement((0, 0, 320, 256), (0, 0, 320, 256))


@pytest.mark.parametrize("angle", [0, 3, -10, 30, -40])
def test_a_line_is_boxed_along_its_direction_and_grown(angle: float) -> None:
    """Grown by area * 1.6 / perimeter: 200 x 24 by 17 on every side."""
    probabilities, corners = drawn(angle)
    (box,) = find_boxes(probabilities, SAME, SPEC)
    by = 200 * 24 * 1.6 / (2 * 224)
    middle = corners.mean(axis=0)
    along = (corners[1] - corners[0]) / 200
    down = (corners[3] - corners[0]) / 24
    for corner, right, below in zip(box, (-1, 1, 1, -1), (-1, -1, 1, 1), strict=True):
        expected = middle + right * (100 + by) * along + below * (12 + by) * down
        assert (
            np.abs(corner - np.clip(expected, 0, [319, 255])).max() <= 5
        )  # drawn with its edge, thickened, in whole pixels


def test_boxes_are_in_pixels_of_the_picture() -> None:
    probabilities, _ = drawn(0)
    (box,) = find_boxes(probabilities, SAME, SPEC)
    placed = Placement((0, 0, 640, 1024), (0, 0, 320, 256))
    (twice,) = find_boxes(probabilities, placed, SPEC)
    assert np.abs(twice - box * [2, 4]).max() <= 1


def test_what_is_pale_thin_or_tiny_is_no_line() -> None:
    probabilities, _ = drawn(0)
    assert find_boxes(probabilities * 0.45, SAME, SPEC) == []  # over the pixel's threshold, not over the box's
    assert find_boxes(probabilities * 0.25, SAME, SPEC) == []
    assert find_boxes(drawn(0, 200, 1)[0], SAME, SPEC) == []
    assert find_boxes(drawn(0, 1, 1)[0], SAME, SPEC) == []
    assert find_boxes(np.zeros((8, 8), np.float32), SAME, SPEC) == []


def test_a_slit_of_one_pixel_parts_no_line() -> None:
    probabilities, _ = drawn(0)
    probabilities = probabilities.copy()
    probabilities[:, 150] = 0
    assert len(find_boxes(probabilities, SAME, SPEC)) == 1
    probabilities[:, 150:155] = 0
    assert len(find_boxes(probabilities, SAME, SPEC)) == 2


@pytest.mark.parametrize(
    ("size", "stretches", "width"),
    [((480, 48), True, 480), ((100, 48), True, 320), ((100, 48), False, 192), ((900, 48), False, 192)],
)
def test_a_line_is_brought_to_the_height_and_padded(size: tuple[int, int], stretches: bool, width: int) -> None:
    tensor = line_input(sized(*size), SPEC, 320 if stretches else 192, stretches=stretches)
    assert tensor.shape == (1, 3, 48, width)
    assert (tensor[..., min(size[0], width) :] == 0).all()  # after the numbers were shifted: gray
    assert np.abs(tensor[..., : min(size[0], width)]).max() > 0.5


def test_a_line_of_absurd_length_is_squeezed() -> None:
    assert line_input(sized(4000, 4), SPEC, 320, stretches=True).shape[3] == MOST_WIDTH


def test_a_line_that_stands_is_laid_down() -> None:
    corners = np.array([[0, 0], [20, 0], [20, 90], [0, 90]], float)
    line = straightened(sized(120, 100), corners)
    assert (line.width, line.height) == (90, 20)


def spelled(path: list[int], characters: int = 3) -> np.ndarray:
    """Scores (1, steps, 1 + characters) whose likeliest way is this path, with 0.7 each."""
    scores = np.full((1, len(path), characters + 1), 0.1, np.float32)
    scores[0, np.arange(len(path)), path] = 0.7
    return scores


@pytest.mark.parametrize("path", list(itertools.product(range(4), repeat=4)))
def test_characters_are_what_is_left_of_the_best_path(path: tuple[int, ...]) -> None:
    text, score = read_characters(spelled(list(path)), "abc")
    merged = [number for number, _ in itertools.groupby(path)]
    assert text == "".join("-abc"[number] for number in merged if number)
    assert score == pytest.approx(0.7 if text else 0.0)


def test_a_graph_with_other_characters_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="the bundle lists 2 characters"):
        read_characters(spelled([1]), "ab")


def box(left: float, top: float, width: float = 80, height: float = 20) -> np.ndarray:
    return np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])


def test_rows_are_read_from_the_top_and_each_from_the_left() -> None:
    boxes = [box(200, 52), box(10, 100), box(10, 50), box(100, 6), box(10, 0), box(100, 47)]
    found = reading_order(boxes)
    assert [[(b[0][0], b[0][1]) for b in row] for row in found] == [
        [(10, 0), (100, 6)],
        [(10, 50), (100, 47), (200, 52)],
        [(10, 100)],
    ]


def test_close_rows_stay_apart_and_the_order_of_the_boxes_does_not_matter() -> None:
    boxes = [box(10, 20 * row, height=22) for row in range(5)]
    assert [len(row) for row in reading_order(boxes)] == [1] * 5
    first = [[b.tolist() for b in row] for row in reading_order(boxes)]
    assert [[b.tolist() for b in row] for row in reading_order(boxes[::-1])] == first
