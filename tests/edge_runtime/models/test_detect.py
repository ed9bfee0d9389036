"""Detection on a board, with a tiny detector: no permissive one with weights is in any package.

It looks for strong red, green and blue in 8 x 8 cells of a 64 x 64 input, so its boxes are known for drawn pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime.bundle.manifest import TaskSpec
from edge_runtime.bundle.picture_specs import DetectSpec, ImageSpec
from edge_runtime.documents import model_document
from edge_runtime.errors import BadRequest, UnsupportedModel
from edge_runtime.model import open_model
from edge_runtime.models.pictures.detect import DetectModel
from edge_runtime.mqtt.message import Message
from edge_runtime.selftest import run_golden
from tests.service_bench import TOPICS, Bench
from tests.tiny_pictures import COLOURS, asked, encoded, manifest, model, scene, seal

from PIL import Image, ImageDraw  # isort: skip

CELLS, CELL = 8, 8


def cell_detector() -> onnx.ModelProto:
    """(1, 3, 64, 64) -> (1, 7, 64): a box for each cell, and for each colour its mean, less the other two's."""
    columns, rows = np.meshgrid(np.arange(CELLS), np.arange(CELLS))
    middles = np.stack([columns.ravel(), rows.ravel()]) * CELL + CELL / 2
    boxes = np.concatenate([middles, np.full((2, CELLS * CELLS), CELL)])[None].astype(np.float32)
    mix = (np.eye(3) * 2 - 1).reshape(3, 3, 1, 1).astype(np.float32)
    return model(
        [
            helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
            helper.make_node("Conv", ["cells", "mix"], ["colours"]),
            helper.make_node("Reshape", ["colours", "shape"], ["scores"]),
            helper.make_node("Concat", ["boxes", "scores"], ["found"], axis=1),
        ],
        {"x": [1, 3, 64, 64]},
        {"found": [1, 7, CELLS * CELLS]},
        {"mix": mix, "boxes": boxes, "shape": np.array([1, 3, CELLS * CELLS], np.int64)},
    )


def write_detector(folder: Path, resize: str = "letterbox") -> Path:
    image = ImageSpec(64, 64, resize, fill=90)  # type: ignore[arg-type]
    task = TaskSpec("detect", COLOURS, image=image, detect=DetectSpec("yolov8", score_threshold=0.5))
    return seal(folder, manifest(task, cell_detector()), {"model.onnx": cell_detector()}, [scene(), scene(40, 200)])


@pytest.fixture
def detector(tmp_path: Path) -> DetectModel:
    opened = open_model(write_detector(tmp_path / "bundle"))
    assert isinstance(opened, DetectModel)
    opened.warm_up()
    return opened


def found(detector: DetectModel, image: Image.Image, **parameters: float) -> list[dict]:
    (answer,) = detector.answer([asked(encoded(image), **parameters)]).answers
    return answer.rows()[0]["objects"]  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("size", "resize", "corner"),
    [
        ((640, 320), "letterbox", (160, 80)),  # shown at a tenth, with 16 pixels above and below
        ((320, 640), "letterbox", (160, 400)),
        ((128, 64), "stretch", (32, 40)),
        ((256, 64), "crop", (112, 16)),  # only the middle 64 of 256 pixels are looked at
    ],
)
def test_boxes_are_in_pixels_of_the_picture_as_it_was_sent(
    tmp_path: Path, size: tuple[int, int], resize: str, corner: tuple[int, int]
) -> None:
    """A rectangle that fills one cell of the input exactly is found where it was drawn."""
    scale_x = {"letterbox": 10, "stretch": 2, "crop": 1}[resize]
    scale_y = {"letterbox": 10, "stretch": 1, "crop": 1}[resize]
    image = Image.new("RGB", size, (90, 90, 90))
    x, y = corner
    box = (x, y, x + CELL * scale_x - 1, y + CELL * scale_y - 1)
    ImageDraw.Draw(image).rectangle(box, (0, 0, 255))
    (thing,) = found(open_model(write_detector(tmp_path / "bundle", resize)), image)  # type: ignore[arg-type]
    assert thing["label"] == "blue"
    assert thing["box"] == pytest.approx([x, y, CELL * scale_x, CELL * scale_y], abs=0.02)


def test_objects_come_best_first_and_parameters_choose(detector: DetectModel) -> None:
    image = Image.new("RGB", (64, 64), (90, 90, 90))
    for column, strength in enumerate((200, 255, 230)):
        left = 16 * column + 8
        ImageDraw.Draw(image).rectangle((left, 8, left + 7, 15), (strength, 0, 0))
    scores = [thing["score"] for thing in found(detector, image)]
    assert scores == pytest.approx([1, 230 / 255, 200 / 255], abs=1e-3)
    assert len(found(detector, image, score_threshold=0.85)) == 2
    assert len(found(detector, image, max_objects=1)) == 1
    assert found(detector, image, score_threshold=1.0) == found(detector, image)[:1]


@pytest.mark.parametrize(
    "wrong", [{"score_threshold": 1.5}, {"iou_threshold": "half"}, {"max_objects": 0}, {"score_threshold": True}]
)
def test_parameters_that_make_no_sense_are_refused(detector: DetectModel, wrong: dict) -> None:
    with pytest.raises(BadRequest, match=f"parameter {next(iter(wrong))}"):
        detector.check(asked(encoded(scene()), **wrong))


def test_nothing_found_is_an_answer(detector: DetectModel) -> None:
    (answer,) = detector.answer([asked(encoded(Image.new("RGB", (50, 50))))]).answers
    assert answer.rows() == [{"objects": []}]
    assert [one.shape for one in answer.tensors()] == [(0,), (0,), (0, 4)]


def test_golden_questions_hold_and_the_document_says_what_comes_back(tmp_path: Path) -> None:
    folder = write_detector(tmp_path / "bundle")
    opened = open_model(folder)
    assert run_golden(opened, folder).rows == 2
    outputs = model_document(opened.manifest)["outputs"]
    assert [(one["name"], one["shape"]) for one in outputs] == [("label", [-1]), ("score", [-1]), ("box", [-1, 4])]  # type: ignore[index,attr-defined]


def test_a_graph_of_another_layout_is_noticed_when_it_is_warmed_up(tmp_path: Path) -> None:
    task = TaskSpec("detect", ("a", "b"), image=ImageSpec(64, 64), detect=DetectSpec("yolov8"))
    opened = open_model(seal(tmp_path, manifest(task, cell_detector()), {"model.onnx": cell_detector()}, []))
    with pytest.raises(UnsupportedModel, match="layout yolov8 has"):
        opened.warm_up()


def test_the_service_answers_with_objects(detector: DetectModel, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench({"tiny": detector})
    image = Image.new("RGB", (64, 64), (90, 90, 90))
    ImageDraw.Draw(image).rectangle((8, 8, 15, 15), (0, 255, 0))
    bench.send(
        Message(
            TOPICS.infer("tiny"),
            encoded(image, "JPEG", quality=95, subsampling=0),
            response_topic="edgert/v1/r/ann/camera",
            content_type="image/jpeg",
            user=(("parameters", '{"score_threshold": 0.6}'),),
        )
    )
    status, body = bench.next()
    assert status == 200
    assert [thing["label"] for thing in body["objects"]] == ["green"]
    assert body["objects"][0]["box"] == [8, 8, 8, 8]
