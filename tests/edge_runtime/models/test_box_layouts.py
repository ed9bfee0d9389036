"""Boxes of detectors: every layout gives the same boxes, and suppression keeps those that two oracles keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge_runtime.bundle.picture_specs import DetectSpec
from edge_runtime.errors import UnsupportedModel
from edge_runtime.models.pictures.box_layouts import best_boxes, overlaps, read_boxes

SIZE = (640, 480)
BOXES = np.array([[10, 20, 110, 220], [300, 100, 400, 130], [0, 0, 640, 480]], np.float32)
SCORES = np.array([[0.9, 0.05, 0.05], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3]], np.float32)
MIDDLES = np.concatenate([(BOXES[:, :2] + BOXES[:, 2:]) / 2, BOXES[:, 2:] - BOXES[:, :2]], axis=1)
PARTS = np.array([640, 480, 640, 480], np.float32)


def with_nothing(scores: np.ndarray, at: int) -> np.ndarray:
    """The scores with a column for "nothing", which takes no part."""
    return np.insert(scores, at, 0, axis=1)


LOGITS = np.log(SCORES)
LAYOUTS: dict[str, tuple[DetectSpec, list[np.ndarray]]] = {
    "yolov8": (DetectSpec("yolov8"), [np.concatenate([MIDDLES, SCORES], axis=1).T]),
    "yolov8 in parts": (DetectSpec("yolov8", unit="parts"), [np.concatenate([MIDDLES / PARTS, SCORES], axis=1).T]),
    "yolov5": (
        DetectSpec("yolov5"),
        [np.concatenate([MIDDLES, np.full((3, 1), 0.5), SCORES * 2], axis=1).astype(np.float32)],
    ),
    "ssd": (DetectSpec("ssd"), [BOXES, SCORES]),
    "ssd, outputs turned round": (DetectSpec("ssd", outputs=(1, 0)), [SCORES, BOXES]),
    "ssd of TensorFlow": (
        DetectSpec("ssd", corners="yxyx", unit="parts", background=0),
        [(BOXES / PARTS)[:, [1, 0, 3, 2]], with_nothing(SCORES, 0)],
    ),
    "detr": (
        DetectSpec("detr", unit="parts", scores="softmax", background=3),
        [np.insert(LOGITS, 3, -50, axis=1), MIDDLES / PARTS],
    ),
    "detr with sigmoid": (DetectSpec("detr", scores="sigmoid"), [np.log(SCORES / (1 - SCORES)), MIDDLES]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_boxes_and_scores(layout: str) -> None:
    spec, outputs = LAYOUTS[layout]
    boxes, scores = read_boxes([one[None].astype(np.float32) for one in outputs], spec, 3, SIZE)
    assert np.allclose(boxes, BOXES, atol=1e-3)
    assert np.allclose(scores, SCORES, atol=1e-5)


@pytest.mark.parametrize(
    ("spec", "shapes", "said"),
    [
        (DetectSpec("yolov8"), [(1, 84, 8400)], r"output 0 has shape \[1, 84, 8400\], layout yolov8 has \[1, 7, any\]"),
        (DetectSpec("yolov5"), [(1, 8400, 7)], r"layout yolov5 has \[1, any, 8\]"),
        (DetectSpec("ssd"), [(1, 10, 4)], r"output 1 has shape \[\]"),
        (DetectSpec("ssd"), [(1, 10, 4), (1, 11, 3)], "10 boxes and scores of 11"),
        (DetectSpec("detr", background=3), [(1, 10, 3), (1, 10, 4)], r"layout detr has \[1, any, 4\]"),
        (DetectSpec("ssd", outputs=(5, 6)), [(1, 10, 4), (1, 10, 3)], r"output 0 has shape \[\]"),
    ],
)
def test_outputs_of_another_layout_are_refused_by_name(
    spec: DetectSpec, shapes: list[tuple[int, ...]], said: str
) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        read_boxes([np.zeros(shape, np.float32) for shape in shapes], spec, 3, SIZE)


def random_boxes(seed: int, count: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    corners = chance.integers(0, 60, (count, 2))
    sizes = chance.integers(0, 30, (count, 2))  # some without area
    scores = chance.permutation(count * labels).reshape(count, labels) / (count * labels + 1)  # no two are equal
    return np.concatenate([corners, corners + sizes], axis=1).astype(float), scores.astype(np.float32)


def by_the_book(boxes: np.ndarray, scores: np.ndarray, score_threshold: float, iou_threshold: float) -> list[int]:
    """Pixel by pixel: a box stays unless a better one of its label, that stays, covers too much of the two together."""
    kept: list[int] = []

    def pixels(box: Any) -> set[tuple[int, int]]:
        left, top, right, bottom = map(int, box)
        return {(x, y) for x in range(left, right) for y in range(top, bottom)}

    for number in sorted(range(len(boxes)), key=lambda number: -scores[number].max()):
        mine = pixels(boxes[number])
        if scores[number].max() < score_threshold:
            continue
        rivals = [other for other in kept if scores[other].argmax() == scores[number].argmax()]
        shares = [len(mine & pixels(boxes[o])) / max(1, len(mine | pixels(boxes[o]))) for o in rivals]
        if all(share <= iou_threshold for share in shares):
            kept.append(number)
    return kept


@given(st.integers(0, 2**32), st.integers(1, 14), st.integers(1, 3), st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]))
@settings(max_examples=150, deadline=None)
def test_kept_are_the_boxes_that_brute_force_keeps(seed: int, count: int, labels: int, iou_threshold: float) -> None:
    boxes, scores = random_boxes(seed, count, labels)
    kept, of_label = best_boxes(boxes, scores, 0.3, iou_threshold, 1000)
    assert kept.tolist() == by_the_book(boxes, scores, 0.3, iou_threshold)
    assert of_label.tolist() == scores[kept].argmax(axis=1).tolist()


@pytest.fixture(scope="module")
def operator() -> onnxruntime.InferenceSession:
    """ONNX's own NonMaxSuppression: (1, boxes, 4), (1, labels, boxes) -> (kept, 3)."""
    names = {"boxes": [1, None, 4], "scores": [1, None, None], "most": [1], "iou": [1], "score": [1]}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64 if name == "most" else TensorProto.FLOAT, shape)
        for name, shape in names.items()
    ]
    output = helper.make_tensor_value_info("kept", TensorProto.INT64, [None, 3])
    graph = helper.make_graph([helper.make_node("NonMaxSuppression", list(names), ["kept"])], "nms", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("iou_threshold", [0.1, 0.45, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_kept_are_the_boxes_that_onnx_keeps(
    operator: onnxruntime.InferenceSession, seed: int, iou_threshold: float
) -> None:
    boxes, scores = random_boxes(seed, 400, 5)
    best = np.where(scores == scores.max(axis=1, keepdims=True), scores, 0)  # a box has one label here
    (rows,) = operator.run(
        None,
        {
            "boxes": boxes[None].astype(np.float32),
            "scores": best.T[None].astype(np.float32),
            "most": np.array([1000]),
            "iou": np.array([iou_threshold], np.float32),
            "score": np.array([0.25], np.float32),
        },
    )
    kept, labels = best_boxes(boxes, scores, 0.25, iou_threshold, 1000)
    assert len(kept) > 20
    assert {(int(label), int(number)) for _, label, number in rows} == {
        *zip(labels.tolist(), kept.tolist(), strict=True)
    }


def test_most_is_the_most_and_the_best_come_first() -> None:
    boxes, scores = random_boxes(3, 200, 4)
    kept, _ = best_boxes(boxes, scores, 0, 0.5, 7)
    assert len(kept) == 7
    best = scores[kept].max(axis=1)
    assert best.tolist() == sorted(best.tolist(), reverse=True)


def test_numbers_that_are_none_are_no_boxes() -> None:
    boxes = np.array([[0, 0, 9, 9], [0, 0, np.nan, 9], [0, 0, np.inf, 9], [20, 20, 30, 30]], float)
    scores = np.array([[np.nan], [0.9], [0.9], [0.8]], np.float32)
    assert best_boxes(boxes, scores, 0.1, 0.5, 10)[0].tolist() == [3]


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.array([[5, 5, 5, 9], [0, 0, 10, 10], [9, 9, 2, 2]], float)
    assert overlaps(boxes[0], boxes).tolist() == [0, 0, 0]
    assert overlaps(boxes[1], boxes).tolist() == [0, 1, 0]
