"""Pictures as they come in messages, made safe: the one file that imports Pillow.

Nothing is allocated before the header's size is known to be bounded. What is damaged, cut short or of another kind
than it claims is refused with one error; no byte string gives another one.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.picture_specs import Filter
from edge_runtime.errors import BadPicture, MissingExtra

Pixels = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float64]  # (4, 2), x and y: top left, top right, bottom right, bottom left
Box = tuple[float, float, float, float]  # left, top, right, bottom

MAX_PIXELS = 1 << 24  # four times 16 MB in memory; photographs of phones have 12 million
FORMATS: Mapping[str, str] = {"image/jpeg": "JPEG", "image/png": "PNG"}

_ORIENTATION = 0x0112  # the tag of EXIF 2.32, 4.6.4 A; its values are below as what makes the picture upright
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # to numbers of Pillow's Image.Transpose
_FILTERS: Mapping[Filter, int] = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}  # Image.Resampling
_AFFINE, _PERSPECTIVE = 0, 2  # Image.Transform


@dataclass(frozen=True)
class Picture:
    """A decoded picture, upright, in RGB.

    `width` and `height` are its own, `image` is Pillow's. A large JPEG may have been decoded smaller, which nobody
    notices: all coordinates are in pixels of the picture as it was sent.
    """

    width: int
    height: int
    image: Any

    def pixels(self) -> Pixels:
        """All of it, (height, width, 3)."""
        return np.asarray(self.image)

    def resized(self, width: int, height: int, box: Box, filter: Filter = "bilinear", antialias: bool = True) -> Pixels:
        """The part in `box` scaled to (height, width, 3).

        Args:
            antialias: average over what a pixel of the result covers; else sample points.
        """
        across, down = self.image.width / self.width, self.image.height / self.height
        left, top, right, bottom = box[0] * across, box[1] * down, box[2] * across, box[3] * down
        if antialias:
            right, bottom = min(right, self.image.width), min(bottom, self.image.height)
            scaled = self.image.resize((width, height), _FILTERS[filter], box=(left, top, right, bottom))
        else:
            matrix = ((right - left) / width, 0.0, left, 0.0, (bottom - top) / height, top)
            scaled = self.image.transform((width, height), _AFFINE, matrix, resample=_FILTERS[filter])
        return np.asarray(scaled)

    def cut(self, corners: Corners) -> Picture:
        """What lies between four corners, straightened; as large as the longer of its opposite sides."""
        across, down = corners - np.roll(corners, -1, axis=0), corners - np.roll(corners, 1, axis=0)
        width = max(1, int(max(math.hypot(*across[0]), math.hypot(*across[2]))))
        height = max(1, int(max(math.hypot(*down[0]), math.hypot(*down[2]))))
        matrix = _perspective(width, height, corners)
        image = self.image.transform((width, height), _PERSPECTIVE, matrix, resample=_FILTERS["bicubic"])
        return Picture(width, height, image)

    def turned(self, quarters: int) -> Picture:
        """Turned to the left by quarters of a circle."""
        if quarters % 4 == 0:
            return self
        image = self.image.transpose({1: 2, 2: 3, 3: 4}[quarters % 4])
        return Picture(image.width, image.height, image)


@functools.cache
def import_pillow() -> Any:
    """The library, ready for pictures of strangers. MissingExtra: it is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtra("Pillow", "images") from error
    # It warns of what is odd in a picture, for people who look at their own; here strangers would write into the log.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Image


def decode_picture(raw: bytes, media_type: str | None, shortest_side: int = 0) -> Picture:
    """Decode a JPEG or PNG: upright as its EXIF says, in RGB; what is transparent becomes white.

    Args:
        media_type: what it is said to be; None: any of the two.
        shortest_side: a JPEG may be decoded smaller, but its shorter side not below this; 0: never.

    Raises:
        BadPicture: it is damaged, cut short, too large, or something else.
        MissingExtra: Pillow is not installed.
    """
    library = import_pillow()
    formats = [FORMATS[media_type]] if media_type and media_type in FORMATS else list(FORMATS.values())
    try:
        with library.open(io.BytesIO(raw), formats=formats) as image:
            return _decoded(library, image, shortest_side)
    except BadPicture:
        raise
    except Exception as error:  # Pillow's readers raise what they stumble over: OSError, SyntaxError, struct.error, ...
        said = (str(error) or type(error).__name__).split("<", 1)[0].strip()[:120]  # without the address of an object
        expected = " or ".join(formats)
        raise BadPicture(f"payload of {len(raw)} bytes is no whole {expected} picture ({said})") from error


def _decoded(library: Any, image: Any, shortest_side: int) -> Picture:
    width, height = image.size
    if width * height > MAX_PIXELS or not width * height:
        raise BadPicture(f"picture is {width} x {height} pixels, at most {MAX_PIXELS} are read: send a smaller one")
    if shortest_side:
        image.draft(None, (shortest_side, shortest_side))  # does nothing for a PNG
    image.load()
    turn = _UPRIGHT.get(_orientation(image))
    upright = _in_rgb(library, image)
    if turn is not None:
        upright = upright.transpose(turn)
    if turn is not None and turn in (2, 4, 5, 6):
        width, height = height, width
    return Picture(width, height, upright)


def _orientation(image: Any) -> int:
    with contextlib.suppress(Exception):  # a picture is as good without what its camera wrote
        return int(image.getexif().get(_ORIENTATION, 1))
    return 1


def _in_rgb(library: Any, image: Any) -> Any:
    if image.mode.startswith("I"):  # 16 bits, gray
        shades = np.asarray(image).astype(np.int64) >> 8
        gray = library.fromarray(np.clip(shades, 0, 255).astype(np.uint8))
        return gray.convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    clear = image.convert("RGBA")
    paper = library.new("RGB", clear.size, (255, 255, 255))
    paper.paste(clear, mask=clear.getchannel("A"))
    return paper


def _perspective(width: int, height: int, corners: Corners) -> list[float]:
    """The eight numbers by which (x, y) of the result finds its place: (ax + by + c) / (gx + hy + 1), and so for y."""
    rows, places = [], []
    for (x, y), (u, v) in zip(((0, 0), (width, 0), (width, height), (0, height)), corners.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        places += [u, v]
    found: list[float] = np.linalg.solve(np.array(rows, np.float64), np.array(places, np.float64)).tolist()
    return found
