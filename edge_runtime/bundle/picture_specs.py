"""What a manifest says of pictures: how one becomes a graph's input, and what a detector's or reader's outputs are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Resize = Literal["stretch", "crop", "letterbox"]
Filter = Literal["nearest", "bilinear", "bicubic", "lanczos"]
BoxLayout = Literal["yolov8", "yolov5", "ssd", "detr"]


@dataclass(frozen=True)
class PixelSpec:
    """How colours become numbers: `(value * scale - mean) / std`, channel by channel in the order of `channels`.

    `mean` and `std` are empty (0 and 1), one number, or one for each channel. A `uint8` graph takes values as they are.
    """

    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["float32", "uint8"] = "float32"
    scale: float = 1 / 255
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


@dataclass(frozen=True)
class ImageSpec:
    """The picture that a graph takes, (height, width), and how one of any size becomes it.

    Attributes:
        resize: `stretch` forgets the proportions; `crop` scales the shorter side to `shortest_side` (0: so that the
            input is just covered) and takes the middle; `letterbox` scales until it fits and fills the rest.
        antialias: shrinking averages over what a pixel covers, as Pillow does; without, it samples points, as OpenCV's
            linear resize does (`bilinear` and `nearest` only).
        fill: the value of the pixels around a letterbox, 0 to 255.
        place: where a letterbox has the picture.
    """

    height: int
    width: int
    resize: Resize = "stretch"
    shortest_side: int = 0
    filter: Filter = "bilinear"
    antialias: bool = True
    fill: int = 114
    place: Literal["center", "corner"] = "center"
    pixels: PixelSpec = PixelSpec()


@dataclass(frozen=True)
class DetectSpec:
    """What a detector's outputs are (edge_runtime/models/pictures/box_layouts.py), and what counts as an object.

    Attributes:
        layout: `yolov8`: (1, 4 + labels, boxes); `yolov5`: (1, boxes, 5 + labels), with how sure it is that there is
            anything; `ssd`: boxes (1, boxes, 4) as corners, and scores (1, boxes, labels); `detr`: logits (1, boxes,
            labels), and boxes (1, boxes, 4). All but `ssd` give middles and sizes.
        outputs: which outputs of the graph these are, in this order; empty: as they come.
        corners: of `ssd`.
        unit: boxes are in pixels of the input, or in parts of it.
        scores: what the graph gives; `softmax` and `sigmoid` are still to be taken.
        background: which score stands for "nothing", -1: none does. It has no label.
        score_threshold, iou_threshold, most: what a request's parameters may change. With an IoU of 1 all boxes stay.
    """

    layout: BoxLayout
    outputs: tuple[int, ...] = ()
    corners: Literal["xyxy", "yxyx"] = "xyxy"
    unit: Literal["pixels", "parts"] = "pixels"
    scores: Literal["ready", "softmax", "sigmoid"] = "ready"
    background: int = -1
    score_threshold: float = 0.25
    iou_threshold: float = 0.45
    most: int = 100


@dataclass(frozen=True)
class OcrSpec:
    """How text is found and read. `model` is the detector; `more` has `recogniser` and perhaps `angle`.

    Attributes:
        characters: file of the recogniser's characters, a JSON list; its output 0 is "nothing".
        shortest_side, longest_side: a picture is scaled to lie within, its shorter side first.
        most_scale_side: the longest side that scaling up may lead to.
        multiple: the detector takes sides that are multiples of this.
        map_threshold, box_threshold: a pixel, and a box on average, is text from here on.
        grow: boxes are grown by this times area over perimeter (the detector finds the middle of a line).
        line_height, line_width: what the recogniser takes; shorter lines are padded, longer ones stay longer.
        angle_width, angle_threshold: what the angle classifier takes, and from when on a line is read both ways.
        min_score: lines that are read with less are left out.
        pixels: for all graphs.
    """

    characters: str
    shortest_side: int = 736
    longest_side: int = 2000
    most_scale_side: int = 4096
    multiple: int = 32
    map_threshold: float = 0.3
    box_threshold: float = 0.5
    grow: float = 1.6
    line_height: int = 48
    line_width: int = 320
    angle_width: int = 192
    angle_threshold: float = 0.5
    min_score: float = 0.5
    most_lines: int = 1000
    pixels: PixelSpec = PixelSpec("bgr", mean=(0.5,), std=(0.5,))
