"""Recipes of models that read pictures: their data, their further parts, and what is refused."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import SourceUnavailable, UnsupportedModel
from edge_runtime.models.pictures.image_classify import ImageClassifyAnswer
from edge_runtime.models.pictures.pictures import decode_picture
from edgert_tools.existing.choose import right_labels
from edgert_tools.existing.convert import list_graph_recipes
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures import fashion, text_parts
from edgert_tools.pictures.paper import jpeg, pages, png
from edgert_tools.pictures.text_parts import characters_of, further_parts
from edgert_tools.pictures.turned_pages import turned
from tests.conftest import fetched

pytest.importorskip("PIL", reason="Pillow is not installed: pip install 'edgert[images]'")


def recipe(name: str) -> GraphRecipe:
    return next(one for one in list_graph_recipes() if one.name == name)


def test_pages_are_the_same_each_time_and_say_what_is_on_them() -> None:
    first, again = (list(pages(2, seed=4)) for _ in range(2))
    assert [png(page.image) for page in first] == [png(page.image) for page in again]
    assert png(first[0].image) != png(first[1].image)
    for page in first:
        assert len(page.lines) > 8
        assert all(0 < line.y < page.image.height and 0 < line.x < page.image.width for line in page.lines)


def test_turned_pages_carry_the_turn_to_the_right() -> None:
    (page,) = pages(1, seed=9)
    rows = list(turned(1, 9, ("0", "90", "180", "270")))
    assert [label for _, label in rows] == ["0", "90", "180", "270"]
    upright = decode_picture(jpeg(page.image), "image/jpeg").pixels().astype(int)
    for quarters, (row, _) in enumerate(rows):
        assert row.raw is not None
        back = np.rot90(decode_picture(row.raw, row.media_type).pixels(), quarters).astype(int)
        assert np.abs(back - upright).mean() < 3


def test_labels_are_counted_as_right_only_where_the_truth_is_known() -> None:
    answers = [ImageClassifyAnswer(("a", "b"), np.array([p, 1 - p], np.float32)) for p in (0.9, 0.2, 0.6, 0.1)]
    share = right_labels(answers, ["a", "b", "b", "b"])
    assert share is not None
    assert (share.value, share.low < 0.75 < share.high) == (0.75, True)
    assert right_labels(answers, ()) is None


def recogniser(file: Path, outputs: int, characters: str) -> Path:
    """A graph with so many outputs a step, and a list of characters in its metadata."""
    node = helper.make_node("Identity", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "t", outputs]) for name in "xy"]
    graph = helper.make_graph([node], "tiny", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if characters:
        helper.set_model_props(model, {"character": characters})
    onnx.save(model, file)
    return file


def test_a_recogniser_says_which_characters_it_reads(tmp_path: Path) -> None:
    assert characters_of(recogniser(tmp_path / "a.onnx", 4, "x\ny")) == ["x", "y", " "]
    for file, characters in (("b.onnx", "x"), ("c.onnx", "")):
        with pytest.raises(UnsupportedModel, match="has 4 outputs and lists"):
            characters_of(recogniser(tmp_path / file, 4, characters))


def test_further_parts_come_with_their_characters_and_only_if_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = recogniser(tmp_path / "made.onnx", 4, "x\ny")
    monkeypatch.setattr(text_parts, "fetch_member", lambda *_: made)
    ocr = recipe("ocr-ppocrv4")
    pinned = dataclasses.replace(ocr.parts["recogniser"], file_sha256=hashlib.sha256(made.read_bytes()).hexdigest())
    (tmp_path / "work").mkdir()
    found = further_parts(dataclasses.replace(ocr, parts={"recogniser": pinned}), tmp_path / "work", print)
    assert found.more["recogniser"].file == "recogniser.onnx"
    assert found.files["characters.json"] == (b'["x", "y", " "]', "characters")
    with pytest.raises(SourceUnavailable, match="not the file that the recipe pins"):
        further_parts(ocr, tmp_path, print)


@pytest.mark.parametrize("name", ["page-orientation-pplcnet", "ocr-ppocrv4", "fashion-mnist-cnn"])
def test_recipes_of_pictures_can_be_read(name: str) -> None:
    found = recipe(name)
    assert (found.image is None) == (found.task == "ocr")
    assert found.evaluate.data


def test_without_apt_the_data_says_what_would_help(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceUnavailable, match=r"no apt-get here.*EDGERT_CACHE"):
        fashion.load("t10k", print)


def test_fashion_mnist_is_whole() -> None:
    pictures, labels = fetched(lambda: fashion.load("t10k", print))
    assert (pictures.shape, labels.shape) == ((10_000, 28, 28), (10_000,))
    assert np.bincount(labels).tolist() == [1000] * 10
    # An ankle boot, the first test picture of the paper, is darker above than below.
    assert fashion.LABELS[labels[0]] == "Ankle boot"
    assert pictures[0, :8].mean() < pictures[0, 16:].mean()
