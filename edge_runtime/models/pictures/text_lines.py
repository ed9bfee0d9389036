"""Reading lines that were found: the recogniser's input, its output as text, and the order in which people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.picture_specs import OcrSpec
from edge_runtime.engine import Array
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.pictures.picture_input import to_tensor
from edge_runtime.models.pictures.pictures import Picture
from edge_runtime.models.pictures.regions import Points

FloatArray = npt.NDArray[np.float32]

MOST_WIDTH = 4096  # pixels of a line at the recogniser's height; longer ones are squeezed
_STANDING = 1.5  # a line this much higher than wide is one on its side


@dataclass(frozen=True)
class TextLine:
    """A line as it was read, with the mean probability of its characters and its corners (4, 2) in the picture."""

    text: str
    score: float
    corners: Points


def straightened(picture: Picture, corners: Points) -> Picture:
    """A line by itself, lying."""
    cut = picture.cut(corners)
    return cut.turned(1) if cut.height >= _STANDING * cut.width else cut


def line_input(line: Picture, spec: OcrSpec, width: int, *, stretches: bool) -> Array:
    """A line at the recogniser's height, padded to `width`; a longer one makes the input longer or is squeezed."""
    natural = max(1, math.ceil(spec.line_height * line.width / line.height))
    most = min(MOST_WIDTH, max(width, natural)) if stretches else width
    box = (0.0, 0.0, float(line.width), float(line.height))
    pixels = line.resized(min(natural, most), spec.line_height, box, antialias=False)
    tensor = to_tensor(pixels, spec.pixels)
    across = 3 if spec.pixels.layout == "nchw" else 2
    missing = [(0, 0)] * 4
    missing[across] = (0, most - tensor.shape[across])
    padded: Array = np.pad(tensor, missing)
    return padded


def read_characters(scores: FloatArray, characters: Sequence[str]) -> tuple[str, float]:
    """The text of a line and the mean probability of its characters; no text has 0.

    Args:
        scores: (1, steps, 1 + characters), probabilities; the first is "nothing here". The likeliest at each step
            counts, once for a stretch of equal ones (best path decoding: Graves et al. 2006, section 3.2).

    Raises:
        UnsupportedModel: the graph knows another number of characters.
    """
    if scores.ndim != 3 or scores.shape[0] != 1 or scores.shape[2] != len(characters) + 1:
        raise UnsupportedModel(f"recogniser gives {scores.shape}, the bundle lists {len(characters)} characters")
    best = scores[0].argmax(axis=1)
    kept = best != 0
    kept[1:] &= best[1:] != best[:-1]
    if not kept.any():
        return "", 0.0
    sure = scores[0].max(axis=1)[kept]
    return "".join(characters[number - 1] for number in best[kept].tolist()), float(sure.mean())


def reading_order(boxes: Sequence[Points]) -> list[list[Points]]:
    """Boxes by rows from the top, each from the left; what overlaps a row's first box in height is in that row."""
    rows: list[list[Points]] = []
    for box in sorted(boxes, key=lambda box: float(box[:, 1].mean())):
        middle = float(box[:, 1].mean())
        if rows and rows[-1][0][:, 1].min() <= middle <= _lower_edge(rows[-1][0]):
            rows[-1].append(box)
        else:
            rows.append([box])
    return [sorted(row, key=lambda box: float(box[:, 0].min())) for row in rows]


def _lower_edge(box: Points) -> float:
    return float(box[:, 1].mean() + (box[:, 1].max() - box[:, 1].mean()) * 0.8)
