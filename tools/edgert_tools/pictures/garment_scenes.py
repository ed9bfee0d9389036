"""Scenes: Fashion-MNIST's pieces of clothing on coloured grounds, in any size and place, with where each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgert_tools.pictures.fashion import LABELS as CLOTHES
from edgert_tools.pictures.fashion import load
from edgert_tools.pictures.paper import pillow
from edgert_tools.progress import Say

SIDE = 128  # pixels of a scene
# Of ten kinds of clothes those that differ in outline: a shirt, a pullover, a coat and a dress are told apart by less.
LABELS = ("trouser", "sneaker", "bag", "ankle boot", "t-shirt")
_NUMBERS = tuple(CLOTHES.index(name) for name in ("Trouser", "Sneaker", "Bag", "Ankle boot", "T-shirt/top"))
_MOST_PIECES = 4
_LEAST_SIDE, _MOST_SIDE = 26, 64
_VISIBLE = 40  # of 255: what is darker is no cloth
_MOST_SHARED = 0.15  # of one box under another
_TRIES = 20

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """A picture (128, 128, 3), boxes (pieces, 4) as left, top, right, bottom in pixels, and the numbers of labels."""

    pixels: Pixels
    boxes: Boxes
    labels: npt.NDArray[np.int64]


def scenes(count: int, part: str, seed: int, say: Say) -> Iterator[Scene]:
    """The same scenes for the same seed.

    Args:
        part: "train" or "t10k": which pieces of clothing there are.

    Raises:
        SourceUnavailable: Fashion-MNIST cannot be had.
    """
    pictures, labels = load(part, say)
    by_label = [pictures[labels == number] for number in _NUMBERS]
    chance = np.random.default_rng(seed)
    for _ in range(count):
        yield _scene(by_label, chance)


def _scene(by_label: list[Pixels], chance: np.random.Generator) -> Scene:
    ground = _ground(chance)
    boxes: list[tuple[float, float, float, float]] = []
    labels: list[int] = []
    for _ in range(chance.integers(1, _MOST_PIECES + 1)):
        number = int(chance.integers(len(LABELS)))
        piece = _piece(by_label[number][chance.integers(len(by_label[number]))], chance)
        place = _free_place(piece.shape[1], piece.shape[0], boxes, chance)
        if place is None:
            continue
        left, top = place
        _put(ground, piece, left, top, chance)
        boxes.append((left, top, left + piece.shape[1], top + piece.shape[0]))
        labels.append(number)
    return Scene(ground.astype(np.uint8), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64))


def _ground(chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """From one colour to another, with stripes and grain."""
    one, other, stripes = (chance.uniform(0, 255, 3) for _ in range(3))
    across, down = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    angle = chance.uniform(0, 2 * np.pi)
    along = np.cos(angle) * across + np.sin(angle) * down
    mixed = one + (other - one) * along[:, :, None]
    wave = np.sin(along * chance.uniform(10, 60))[:, :, None] * chance.uniform(0, 0.25)
    grain = chance.normal(0, chance.uniform(0, 12), (SIDE, SIDE, 1))
    ground: npt.NDArray[np.float32] = np.clip(mixed + wave * stripes + grain, 0, 255).astype(np.float32)
    return ground


def _piece(picture: Pixels, chance: np.random.Generator) -> Pixels:
    """One piece of clothing, cut to what is visible, in a size of its own, perhaps seen from the other side."""
    rows, columns = (np.flatnonzero((picture >= _VISIBLE).any(axis=axis)) for axis in (1, 0))
    cut = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = chance.uniform(_LEAST_SIDE, _MOST_SIDE) / max(cut.shape)
    image = pillow().Image
    size = [max(6, round(side * scale)) for side in (cut.shape[1], cut.shape[0])]
    resized: Pixels = np.asarray(image.fromarray(cut).resize(size, image.Resampling.BILINEAR))
    return resized[:, ::-1] if chance.random() < 0.5 else resized


def _free_place(
    width: int, height: int, boxes: list[tuple[float, float, float, float]], chance: np.random.Generator
) -> tuple[int, int] | None:
    """Left and top where little of another box is hidden; None if there is no such place."""
    for _ in range(_TRIES):
        left, top = int(chance.integers(0, SIDE - width + 1)), int(chance.integers(0, SIDE - height + 1))
        shared = [
            max(0.0, min(left + width, right) - max(left, x)) * max(0.0, min(top + height, bottom) - max(top, y))
            for x, y, right, bottom in boxes
        ]
        if all(
            one <= _MOST_SHARED * min(width * height, (right - x) * (bottom - y))
            for one, (x, y, right, bottom) in zip(shared, boxes, strict=True)
        ):
            return left, top
    return None


def _put(ground: npt.NDArray[np.float32], piece: Pixels, left: int, top: int, chance: np.random.Generator) -> None:
    """Lay the piece on the ground, in a colour."""
    height, width = piece.shape
    cloth = np.clip(piece.astype(np.float32) / 128, 0, 1)[:, :, None]
    colour = chance.uniform(0.3, 1, 3) * piece[:, :, None]
    under = ground[top : top + height, left : left + width]
    ground[top : top + height, left : left + width] = cloth * colour + (1 - cloth) * under
