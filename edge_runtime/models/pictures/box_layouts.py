"""From what the usual detectors give to boxes and scores, and which of the boxes to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edge_runtime.bundle.picture_specs import DetectSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.tasks.classify import softmax

FloatArray = npt.NDArray[np.float32]
Boxes = npt.NDArray[np.float64]  # (boxes, 4): left, top, right, bottom
Numbers = npt.NDArray[np.int64]

MOST_CANDIDATES = 10_000  # boxes over the threshold that are compared with each other: the best


def read_boxes(
    outputs: Sequence[FloatArray], spec: DetectSpec, labels: int, size: tuple[int, int]
) -> tuple[Boxes, FloatArray]:
    """Boxes in pixels of the input, and their scores (boxes, labels).

    Args:
        size: width and height of the input.

    Raises:
        UnsupportedModel: the outputs are not of the layout.
    """
    chosen = [outputs[number] for number in spec.outputs or range(len(outputs)) if number < len(outputs)]
    boxes, scores = _of_layout(chosen, spec, labels)
    found = boxes.astype(np.float64) * (np.tile(size, 2) if spec.unit == "parts" else 1.0)
    return found, scores


def _of_layout(outputs: Sequence[FloatArray], spec: DetectSpec, labels: int) -> tuple[FloatArray, FloatArray]:
    columns = labels + (spec.background >= 0)
    match spec.layout:
        case "yolov8":
            rows = _expect(outputs, 0, spec, (4 + columns, None))[0].T
            return _from_middles(rows[:, :4]), _scores(rows[:, 4:], spec)
        case "yolov5":
            rows = _expect(outputs, 0, spec, (None, 5 + columns))[0]
            return _from_middles(rows[:, :4]), _scores(rows[:, 5:], spec) * rows[:, 4:5]
        case "detr":
            scores, boxes = _expect(outputs, 0, spec, (None, columns))[0], _expect(outputs, 1, spec, (None, 4))[0]
            boxes = _from_middles(boxes)
        case "ssd":
            boxes, scores = _expect(outputs, 0, spec, (None, 4))[0], _expect(outputs, 1, spec, (None, columns))[0]
            boxes = boxes if spec.corners == "xyxy" else boxes[:, [1, 0, 3, 2]]
    if len(boxes) != len(scores):
        raise UnsupportedModel(f"detector gives {len(boxes)} boxes and scores of {len(scores)}")
    return boxes, _scores(scores, spec)


def _expect(
    outputs: Sequence[FloatArray], number: int, spec: DetectSpec, shape: tuple[int | None, int | None]
) -> FloatArray:
    found = outputs[number].shape if number < len(outputs) else ()
    if len(found) != 3 or found[0] != 1 or any(a not in (None, b) for a, b in zip(shape, found[1:], strict=True)):
        wanted = ", ".join(str(size or "any") for size in (1, *shape))
        raise UnsupportedModel(f"output {number} has shape {list(found)}, layout {spec.layout} has [{wanted}]")
    return outputs[number]


def _from_middles(boxes: FloatArray) -> FloatArray:
    middles, halves = boxes[:, :2], boxes[:, 2:] / 2
    corners: FloatArray = np.concatenate([middles - halves, middles + halves], axis=1)
    return corners


def _scores(scores: FloatArray, spec: DetectSpec) -> FloatArray:
    if spec.scores == "sigmoid":
        scores = np.float32(1) / (np.float32(1) + np.exp(-np.clip(scores, -80, 80)))
    elif spec.scores == "softmax":
        scores = softmax(scores)
    return scores if spec.background < 0 else np.delete(scores, spec.background, axis=1)


def best_boxes(
    boxes: Boxes, scores: FloatArray, score_threshold: float, iou_threshold: float, most: int
) -> tuple[Numbers, Numbers]:
    """Which boxes to keep, best first, and their labels.

    A box has the label of its best score. From the best on, each box takes away those of the same label that overlap
    it more than the threshold (greedy non-maximum suppression). Equal scores: the earlier box is the better one.

    Args:
        boxes: corners; one with a number that is none is left out.
        scores: (boxes, labels).
    """
    labels = scores.argmax(axis=1)
    best = scores[np.arange(len(scores)), labels]
    usable = np.flatnonzero((best >= score_threshold) & np.isfinite(boxes).all(axis=1))
    order = usable[np.argsort(-best[usable], kind="stable")][:MOST_CANDIDATES]
    kept: list[int] = []
    while order.size and len(kept) < most:
        kept.append(int(order[0]))
        rest = order[1:]
        same = labels[rest] == labels[order[0]]
        order = rest[~(same & (overlaps(boxes[order[0]], boxes[rest]) > iou_threshold))]
    numbers = np.array(kept, np.int64)
    return numbers, labels[numbers]


def overlaps(box: Boxes, others: Boxes) -> Boxes:
    """Intersection over union of one box with each of others; 0 where there is no area."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(np.maximum(sides, 0), axis=1)
    areas = np.prod(np.maximum(others[:, 2:] - others[:, :2], 0), axis=1)
    union = areas + np.prod(np.maximum(box[2:] - box[:2], 0)) - shared
    found: Boxes = shared / np.where(union > 0, union, 1)
    return found
