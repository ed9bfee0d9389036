"""Reading text on a board: with tiny graphs whose answers are known, and with PP-OCRv4 on pages written here."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime.bundle.manifest import ModelSpec, TaskSpec, from_json, read_bundle, to_json
from edge_runtime.bundle.picture_specs import OcrSpec
from edge_runtime.documents import model_document
from edge_runtime.errors import BadRequest, BundleError, BundleFileMissing, UnsupportedModel
from edge_runtime.model import open_model
from edge_runtime.models.pictures.ocr import OcrModel
from edge_runtime.mqtt.message import Message
from edge_runtime.selftest import run_golden
from tests.conftest import converted
from tests.service_bench import TOPICS, Bench
from tests.tiny_pictures import asked, encoded, manifest, model, model_spec, seal

from PIL import Image, ImageDraw  # isort: skip

RED, BLUE = (120, 0, 0), (0, 0, 120)


def darkness() -> onnx.ModelProto:
    """(1, 3, h, w) -> (1, 1, h, w): how much darker than gray a pixel is; what this detector takes for text."""
    return model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Neg", ["mean"], ["dark"]),
            helper.make_node("Relu", ["dark"], ["map"]),
        ],
        {"x": [1, 3, "h", "w"]},
        {"map": [1, 1, "h", "w"]},
        {},
    )


def colours() -> onnx.ModelProto:
    """(1, 3, 48, w) in BGR -> (1, w / 8, 3): nothing, red, blue; for every 8 columns the likeliest."""
    mix = np.array([[0, 0, 0], [-4, 0, 4], [4, 0, -4]], np.float32).reshape(3, 3, 1, 1)
    return model(
        [
            helper.make_node("AveragePool", ["x"], ["columns"], kernel_shape=[48, 8], strides=[48, 8]),
            helper.make_node("Conv", ["columns", "mix", "bias"], ["mixed"]),
            helper.make_node("Squeeze", ["mixed", "axis"], ["flat"]),
            helper.make_node("Transpose", ["flat"], ["turned"], perm=[0, 2, 1]),
            helper.make_node("Softmax", ["turned"], ["scores"], axis=2),
        ],
        {"x": [1, 3, 48, "w"]},
        {"scores": [1, "steps", 3]},
        {"mix": mix, "bias": np.array([1, 0, 0], np.float32), "axis": np.array([2], np.int64)},
    )


def write_reader(folder: Path, characters: Any = ("r", "b"), **parts: onnx.ModelProto) -> Path:
    graphs = {"model.onnx": darkness(), **{f"{part}.onnx": graph for part, graph in parts.items()}}
    more: dict[str, ModelSpec] = {part: model_spec(graph, f"{part}.onnx") for part, graph in parts.items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "characters.json").write_text(json.dumps(characters))
    task = TaskSpec("ocr", ocr=OcrSpec("characters.json", shortest_side=64, longest_side=640))
    draft = manifest(task, darkness(), more=more)
    return seal(folder, draft, graphs, [bars()], {"characters.json": "characters"})


def bars() -> Image.Image:
    """Three bars on white: red and blue in one row, blue below."""
    image = Image.new("RGB", (320, 192), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    for box, colour in (((200, 42, 280, 57), BLUE), ((40, 40, 120, 55), RED), ((60, 120, 180, 135), BLUE)):
        draw.rectangle(box, colour)
    return image


@pytest.fixture
def reader(tmp_path: Path) -> OcrModel:
    opened = open_model(write_reader(tmp_path / "bundle", recogniser=colours()))
    assert isinstance(opened, OcrModel)
    opened.warm_up()
    return opened


def test_lines_are_found_read_and_put_in_order(reader: OcrModel) -> None:
    (answer,) = reader.answer([asked(encoded(bars()))]).answers
    (row,) = answer.rows()
    assert row["text"] == "r b\nb"
    lines: list[dict[str, Any]] = row["lines"]  # type: ignore[assignment]
    assert [line["text"] for line in lines] == ["r", "b", "b"]
    assert all(0.5 < line["score"] <= 1 for line in lines)
    for line, (left, top, right, bottom) in zip(
        lines, [(40, 40, 120, 55), (200, 42, 280, 57), (60, 120, 180, 135)], strict=True
    ):
        (x, y), _, (x_end, y_end), _ = line["box"]  # the bar is inside, the box not much larger
        assert left - 20 < x <= left < right <= x_end < right + 20
        assert top - 20 < y <= top < bottom <= y_end < bottom + 20


def test_the_tensors_are_the_lines(reader: OcrModel) -> None:
    (answer,) = reader.answer([asked(encoded(bars()))]).answers
    text, score, box = answer.tensors()
    assert (text.data, text.shape, box.shape) == (["r", "b", "b"], (3,), (3, 4, 2))
    assert len(box.data) == 24
    assert len(score.data) == 3


def test_nothing_to_read_is_an_answer(reader: OcrModel) -> None:
    (answer,) = reader.answer([asked(encoded(Image.new("RGB", (100, 100), (255, 255, 255))))]).answers
    assert answer.rows() == [{"text": "", "lines": []}]
    assert [one.shape for one in answer.tensors()] == [(0,), (0,), (0, 4, 2)]


def test_min_score_leaves_out_what_is_read_badly(reader: OcrModel) -> None:
    (answer,) = reader.answer([asked(encoded(bars()), min_score=1.0)]).answers
    assert answer.rows()[0]["lines"] == []
    with pytest.raises(BadRequest, match="parameter min_score"):
        reader.check(asked(encoded(bars()), min_score=2))


def test_golden_questions_hold_and_the_document_says_what_comes_back(tmp_path: Path) -> None:
    folder = write_reader(tmp_path / "bundle", recogniser=colours())
    opened = open_model(folder)
    assert run_golden(opened, folder).rows == 1
    outputs = model_document(opened.manifest)["outputs"]
    assert [(one["name"], one["shape"]) for one in outputs] == [("text", [-1]), ("score", [-1]), ("box", [-1, 4, 2])]  # type: ignore[index,attr-defined]


def test_a_bundle_without_what_reading_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="'recogniser' in `more`"):
        write_reader(tmp_path / "a")
    with pytest.raises(UnsupportedModel, match="the bundle lists 1 characters"):
        write_reader(tmp_path / "b", ["r"], recogniser=colours())
    with pytest.raises(BundleError, match=r"characters.json is not a list of texts"):
        write_reader(tmp_path / "c", {"r": 1}, recogniser=colours())
    with pytest.raises(UnsupportedModel, match="angle classifier gives"):
        open_model(write_reader(tmp_path / "d", recogniser=colours(), angle=colours())).warm_up()
    folder = write_reader(tmp_path / "e", recogniser=colours())
    sealed = read_bundle(folder)
    without = dataclasses.replace(sealed, files=tuple(one for one in sealed.files if one.role != "characters"))

    with pytest.raises(BundleFileMissing, match=r"names 'characters\.json' as its characters"):
        from_json(to_json(without))


def test_the_service_reads_a_jpeg(reader: OcrModel, make_bench: Callable[..., Bench]) -> None:
    bench = make_bench({"tiny": reader})
    raw = encoded(bars(), "JPEG", quality=95, subsampling=0)
    bench.send(Message(TOPICS.infer("tiny"), raw, response_topic="edgert/v1/r/ann/camera", content_type="image/jpeg"))
    status, body = bench.next()
    assert (status, body["text"]) == (200, "r b\nb")


@pytest.fixture(scope="module")
def ppocr() -> Path:
    """PP-OCRv4 as a bundle, out of its package."""
    return converted("ocr-ppocrv4")


def letters(text: str) -> str:
    return "".join(text.split())


def edits(a: str, b: str) -> int:
    """Levenshtein."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


@pytest.mark.parametrize("turn", [0, 3, 180])
def test_a_written_page_is_read_letter_by_letter(ppocr: Path, turn: int) -> None:
    """Also a little askew, and on its head. Spaces are not counted: this recogniser leaves many out."""
    from edgert_tools.pictures.paper import jpeg, pages

    (page,) = pages(1, seed=5)
    paper = page.image.getpixel((0, 0))
    picture = page.image.rotate(turn, resample=Image.Resampling.BICUBIC, fillcolor=paper)
    (answer,) = open_model(ppocr).answer([asked(jpeg(picture, 90), "image/jpeg")]).answers
    (row,) = answer.rows()
    found, written = row["lines"], page.lines
    if turn == 180:
        found = found[::-1]  # type: ignore[index]
    read = "".join(letters(line["text"]) for line in found)  # type: ignore[attr-defined]
    truth = "".join(letters(line.text) for line in written)
    assert edits(read, truth) / len(truth) < 0.03


def test_the_bundle_answers_its_golden_questions(ppocr: Path) -> None:
    opened = open_model(ppocr)
    assert run_golden(opened, ppocr).rows >= 1
    assert set(opened.manifest.more) == {"recogniser", "angle"}
    assert len(json.loads((ppocr / "characters.json").read_text())) == 6624
