"""Where lines of text are: from a detector's map of probabilities to rotated boxes.

The detector is trained to mark the middle of each line (differentiable binarization: Liao et al. 2020,
arXiv:1911.08947, section 3.4): its regions are boxed, judged, and grown to the size of the writing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.picture_specs import OcrSpec
from edge_runtime.engine import Array
from edge_runtime.models.pictures.picture_input import Placement, to_tensor
from edge_runtime.models.pictures.pictures import Picture
from edge_runtime.models.pictures.regions import Points, in_order, outlines, smallest_rectangle

FloatArray = npt.NDArray[np.float32]

_THINNEST, _THINNEST_GROWN = 3, 5  # pixels of the map; less is noise
_SMALLEST = 3  # pixels of the picture
_LONGEST_SHAPE = 8  # a picture longer than this many times its other side gets a border
_LOW = 30  # pixels; so does one that is no higher


def detector_input(picture: Picture, spec: OcrSpec) -> tuple[Array, Placement]:
    """The picture at the size that the detector reads best, its sides multiples of what it takes."""
    border_x, border_y = _borders(picture.width, picture.height)
    whole = np.array([picture.width + 2 * border_x, picture.height + 2 * border_y])
    width, height = _scaled(whole, spec)
    x, y = round(border_x * width / whole[0]), round(border_y * height / whole[1])
    everything = (0.0, 0.0, float(picture.width), float(picture.height))
    placed = Placement(everything, (x, y, max(x + 1, width - x), max(y + 1, height - y)))
    pixels = picture.resized(placed.target[2] - x, placed.target[3] - y, everything, antialias=False)
    if (x, y) != (0, 0):
        canvas = np.zeros((height, width, 3), np.uint8)
        canvas[y : placed.target[3], x : placed.target[2]] = pixels
        pixels = canvas
    return to_tensor(pixels, spec.pixels), placed


def _borders(width: int, height: int) -> tuple[int, int]:
    """Pixels to add left and right, above and below: the detector wants air around a line."""
    if height <= _LOW or width > _LONGEST_SHAPE * height:
        return 0, max(0, max(width // _LONGEST_SHAPE, _LOW) * 2 - height + 1) // 2
    if height > _LONGEST_SHAPE * width:
        return max(0, height // _LONGEST_SHAPE * 2 - width + 1) // 2, 0
    return 0, 0


def _scaled(size: npt.NDArray[np.int64], spec: OcrSpec) -> tuple[int, int]:
    scale = max(min(1.0, spec.longest_side / size.max()), spec.shortest_side / size.min())
    scale = min(scale, spec.most_scale_side / size.max())
    width, height = np.maximum(np.rint(size * scale / spec.multiple).astype(int), 1) * spec.multiple
    return int(width), int(height)


def find_boxes(probabilities: FloatArray, placed: Placement, spec: OcrSpec) -> list[Points]:
    """Lines of text as corners (4, 2) in pixels of the picture: top left, top right, bottom right, bottom left.

    Args:
        probabilities: (height, width), how likely each pixel of the detector's input is text.
    """
    boxes = []
    limits = np.array(placed.source[2:]) - 1
    for outline in outlines(_thickened(probabilities > spec.map_threshold), spec.most_lines):
        box = _box(outline, probabilities, spec)
        if box is None:
            continue
        # Corners are centres of pixels in the map.
        points = placed.to_picture(np.tile(box, 2))[:, :2]
        corners = in_order(np.clip(np.rint(points), 0, limits))
        width, height = (float(np.hypot(*(corners[0] - corners[other]))) for other in (1, 3))
        if min(width, height) > _SMALLEST:
            boxes.append(corners)
    return boxes


def _thickened(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Every pixel also in the three places below and to the right: joins what only a slit parts."""
    thick = mask.copy()
    thick[1:] |= mask[:-1]
    thick[:, 1:] |= thick[:, :-1].copy()
    return thick


def _box(outline: Points, probabilities: FloatArray, spec: OcrSpec) -> Points | None:
    """A region's box, grown, or None if it is noise."""
    if np.ptp(outline, axis=0).max() < _THINNEST:
        return None
    corners = smallest_rectangle(outline)
    sides = _sides(corners)
    if sides.min() < _THINNEST or _mean_inside(corners, probabilities) < spec.box_threshold:
        return None
    by = float(sides.prod() * spec.grow / (2 * sides.sum()))
    # In whole pixels, as in RapidOCR: recognisers were tuned with its boxes, and a pixel more or less moves spaces.
    corners = smallest_rectangle(np.trunc(corners))
    grown = np.rint(_moved_out(corners, _sides(corners), by))
    return grown if _sides(grown).min() >= _THINNEST_GROWN else None


def _sides(corners: Points) -> npt.NDArray[np.float64]:
    lengths: npt.NDArray[np.float64] = np.hypot(*(corners[1:3] - corners[:2]).T)
    return lengths


def _moved_out(corners: Points, sides: npt.NDArray[np.float64], by: float) -> Points:
    """A rectangle with each of its sides moved out."""
    along, down = (corners[1:3] - corners[:2]) / np.maximum(sides, 1e-9)[:, None]
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    moved: Points = corners + by * (signs @ np.stack([along, down]))
    return moved


def _mean_inside(corners: Points, probabilities: FloatArray) -> float:
    """The mean of the map over a rectangle's pixels, its edge included."""
    height, width = probabilities.shape
    left, top = np.clip(np.floor(corners.min(0)).astype(int), 0, [width - 1, height - 1])
    right, bottom = np.clip(np.ceil(corners.max(0)).astype(int), 0, [width - 1, height - 1])
    y, x = np.mgrid[top : bottom + 1, left : right + 1]
    inside = np.ones(x.shape, bool)
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        side = (end - start) / max(float(np.hypot(*(end - start))), 1e-9)
        inside &= side[0] * (y - start[1]) - side[1] * (x - start[0]) >= -0.5  # half a pixel: those that it touches
    part = probabilities[top : bottom + 1, left : right + 1]
    return float(part[inside].mean()) if inside.any() else 0.0
