"""From a picture of any size to the tensor that a graph takes, by the rules of its manifest; and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.picture_specs import ImageSpec, PixelSpec
from edge_runtime.engine import Array
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.pictures.pictures import Box, Picture, Pixels

FloatArray = npt.NDArray[np.float32]

MAX_SIDE = 8192  # of a graph's input


@dataclass(frozen=True)
class Placement:
    """Which part of a picture is where in the input: both as left, top, right, bottom."""

    source: Box
    target: tuple[int, int, int, int]

    def to_picture(self, corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Boxes (boxes, 4) in pixels of the input -> in pixels of the picture; both left, top, right, bottom."""
        left, top, right, bottom = self.source
        x, y, x_end, y_end = self.target
        across, down = (right - left) / (x_end - x), (bottom - top) / (y_end - y)
        moved = corners - np.array([x, y, x, y])
        back: npt.NDArray[np.float64] = moved * np.array([across, down, across, down]) + [left, top, left, top]
        return back


class PictureInput:
    """Makes the input of one graph."""

    def __init__(self, spec: ImageSpec) -> None:
        _check(spec)
        check_pixels(spec.pixels)
        self._spec = spec
        # What is decoded at twice the size and then shrunk shows no difference that a model could see.
        self.shortest_side = 2 * max(spec.height, spec.width, spec.shortest_side)

    def __call__(self, picture: Picture) -> tuple[Array, Placement]:
        """The tensor, of batch 1, and where the picture lies in it."""
        spec, placed = self._spec, place(self._spec, picture.width, picture.height)
        x, y, x_end, y_end = placed.target
        pixels = picture.resized(x_end - x, y_end - y, placed.source, spec.filter, spec.antialias)
        if pixels.shape[:2] != (spec.height, spec.width):
            canvas = np.full((spec.height, spec.width, 3), spec.fill, np.uint8)
            canvas[y:y_end, x:x_end] = pixels
            pixels = canvas
        return to_tensor(pixels, spec.pixels), placed

    def blank(self) -> Array:
        """The input of a gray picture."""
        gray = np.full((self._spec.height, self._spec.width, 3), self._spec.fill, np.uint8)
        return to_tensor(gray, self._spec.pixels)


def place(spec: ImageSpec, width: int, height: int) -> Placement:
    """Where a picture of this size comes to lie."""
    everything = (0.0, 0.0, float(width), float(height))
    if spec.resize == "letterbox":
        scale = min(spec.width / width, spec.height / height)
        across, down = max(1, round(width * scale)), max(1, round(height * scale))
        x, y = ((spec.width - across) // 2, (spec.height - down) // 2) if spec.place == "center" else (0, 0)
        return Placement(everything, (x, y, x + across, y + down))
    target = (0, 0, spec.width, spec.height)
    if spec.resize == "stretch":
        return Placement(everything, target)
    if spec.shortest_side:
        scale = max(spec.shortest_side / min(width, height), spec.width / width, spec.height / height)
    else:
        scale = max(spec.width / width, spec.height / height)
    # Whole pixels of the scaled picture, as those who scale first and cut then have them.
    across, down = max(spec.width, round(width * scale)), max(spec.height, round(height * scale))
    left, top = (across - spec.width) // 2, (down - spec.height) // 2
    wide, high = width / across, height / down  # one of its pixels, in pixels of the picture
    return Placement((left * wide, top * high, (left + spec.width) * wide, (top + spec.height) * high), target)


def to_tensor(pixels: Pixels, spec: PixelSpec) -> Array:
    """RGB (height, width, 3) -> (1, channels, height, width) or (1, height, width, channels), as the graph takes it."""
    if spec.channels == "gray":
        weights = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, what Pillow and OpenCV take
        pixels = np.rint(pixels.astype(np.float32) @ weights)[:, :, None].astype(np.uint8)
    elif spec.channels == "bgr":
        pixels = pixels[:, :, ::-1]
    values: Array = pixels if spec.dtype == "uint8" else _numbers(pixels, spec)
    return np.ascontiguousarray(values.transpose(2, 0, 1) if spec.layout == "nchw" else values)[None]


def _numbers(pixels: Pixels, spec: PixelSpec) -> FloatArray:
    values = pixels.astype(np.float32) * np.float32(spec.scale)
    if spec.mean:
        values -= np.array(spec.mean, np.float32)
    if spec.std:
        values /= np.array(spec.std, np.float32)
    return values


def check_pixels(spec: PixelSpec) -> None:
    """Refuse numbers that make no input. UnsupportedModel: which."""
    channels = 1 if spec.channels == "gray" else 3
    for name, values in (("mean", spec.mean), ("std", spec.std)):
        if len(values) not in (0, 1, channels) or not all(map(math.isfinite, values)):
            raise UnsupportedModel(f"manifest gives {name} {list(values)[:8]}, expected 0, 1 or {channels} numbers")
    if 0 in spec.std or not math.isfinite(spec.scale):
        raise UnsupportedModel(f"manifest divides pixels by {list(spec.std)} after scaling by {spec.scale}")


def _check(spec: ImageSpec) -> None:
    sides = (spec.height, spec.width, spec.shortest_side or 1)
    if not all(1 <= side <= MAX_SIDE for side in sides):
        raise UnsupportedModel(f"manifest wants pictures of {spec.width} x {spec.height}, at most {MAX_SIDE} a side")
    if not 0 <= spec.fill <= 255:
        raise UnsupportedModel(f"manifest fills with {spec.fill}, expected 0 to 255")
    if not spec.antialias and spec.filter not in ("nearest", "bilinear"):
        raise UnsupportedModel(f"filter {spec.filter} without antialias is not known here: take bilinear")
