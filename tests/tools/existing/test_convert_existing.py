"""`edgert convert model.onnx`: a bundle that verifies, a report that says what was found, nothing when refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import RecipeError
from edge_runtime.model import open_model
from edge_runtime.selftest import run_golden
from edgert_tools.existing.recipe import is_graph_recipe, read_graph_recipe
from tests import tiny_graphs
from tests.command import run
from tests.tools.existing import graphs


def test_a_file_with_rows_becomes_a_bundle_that_tests_itself(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, rows, out = graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH), tmp_path / "bundle"
    status, said, _ = run(capsys, "convert", file, "-o", out, "--data", rows, "--name", "my-products")
    assert status == 0, said
    manifest = read_bundle(out)
    assert (manifest.name, manifest.task.name) == ("my-products", "tensors")
    assert run_golden(open_model(out), out).rows == 8
    report = json.loads((out / "report.json").read_text())
    assert [one["scheme"] for one in report["tried"]] == ["dynamic-s8", "nbits8-b32"]
    assert report["scheme"] == manifest.model.scheme
    assert all(one["quality"][0]["rows"] == 45 for one in report["tried"])
    page = (out / "report.html").read_text()
    assert "45 rows of rows.npy, held back" in page
    assert manifest.source.license == "unknown"
    assert "states no licence" in (out / "LICENSE.txt").read_text()


def test_without_data_the_graph_is_passed_through_and_nothing_is_claimed(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = graphs.products(tmp_path), tmp_path / "bundle"
    status, said, _ = run(capsys, "convert", file, "-o", out)
    assert status == 0
    assert "give rows with --data" in said
    assert (out / "model.onnx").read_bytes() == file.read_bytes()
    manifest = read_bundle(out)
    assert (manifest.model.scheme, manifest.model.batch_invariant) == ("float32", False)
    assert "quality" not in manifest.measured
    assert run_golden(open_model(out), out).rows == 4  # of generated numbers: whether the board computes as we do


def test_rows_longer_than_the_usual_limit_raise_the_bundles_limit(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sides = [("x", "float32", ["rows", "time"])], [("y", "float32", ["rows", "time"])]
    file = tmp_path / "series.onnx"
    onnx.save(tiny_graphs.model([helper.make_node("Neg", ["x"], ["y"])], *sides), file)
    status, _, error = run(capsys, "convert", file, "-o", tmp_path / "b", "--data", graphs.rows_file(tmp_path, 700))
    assert status == 0, error
    assert read_bundle(tmp_path / "b").limits.max_tokens == 700
    out = run(capsys, "convert", file, "-o", tmp_path / "c", "--data", tmp_path / "rows.npy", "--max-tokens", "600")
    assert out[0] == 1
    assert "with time from 1 to 600" in out[2]


def test_a_graph_that_is_int8_already_goes_through_as_it_is(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scale = {"s": np.float32(0.1), "z": np.uint8(128)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    sides = [("x", "float32", ["rows", 4])], [("y", "float32", ["rows", 4])]
    file, out = tmp_path / "int8.onnx", tmp_path / "bundle"
    onnx.save(tiny_graphs.model(nodes, *sides, scale), file)
    status, said, _ = run(capsys, "convert", file, "-o", out, "--data", graphs.rows_file(tmp_path, 4))
    assert status == 0
    assert "int8 already, so it is passed through as it is" in said
    assert (out / "model.onnx").read_bytes() == file.read_bytes()
    assert read_bundle(out).model.scheme == "int8-as-given"


def test_a_bundle_that_is_up_to_date_is_left_and_another_is_not_replaced_unasked(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = graphs.products(tmp_path), tmp_path / "bundle"
    assert run(capsys, "convert", file, "-o", out)[0] == 0
    before = (out / "manifest.json").read_bytes()
    assert "is up to date" in run(capsys, "convert", file, "-o", out)[1]
    other = graphs.convolutions(tmp_path)
    status, _, said = run(capsys, "convert", other, "-o", out)
    assert status == 2
    assert "holds another bundle" in said
    assert (out / "manifest.json").read_bytes() == before
    assert run(capsys, "convert", other, "-o", out, "--force")[0] == 0


def test_the_same_graph_and_rows_give_the_same_graph_and_golden_questions(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, rows = graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH)
    for name in ("a", "b"):
        assert run(capsys, "convert", file, "-o", tmp_path / name, "--data", rows, "--scheme", "nbits8-b32")[0] == 0
    for part in ("model.onnx", "golden.json", "LICENSE.txt"):
        assert (tmp_path / "a" / part).read_bytes() == (tmp_path / "b" / part).read_bytes()


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--task", "embed"), 2, "needs settings that only a recipe has"),
        (("--revision", "main"), 2, "leave it out"),
        (("--data", "few.npy"), 2, "has 5 rows, at least 20"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_and_nothing_is_written(
    tmp_path: Path,
    own_cache: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("few.npy", np.zeros((5, graphs.WIDTH), np.float32))
    found, _, error = run(capsys, "convert", graphs.products(tmp_path), "-o", tmp_path / "bundle", *options)
    assert (found, said in error) == (status, True), error
    assert not (tmp_path / "bundle").exists()


def test_a_missing_or_foreign_file_is_refused(
    tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"\x08\x07hello")
    for name in ("missing.onnx", "junk.onnx"):
        status, _, error = run(capsys, "convert", tmp_path / name, "-o", tmp_path / "bundle")
        assert status == 1
        assert name in error
        assert "Traceback" not in error


RECIPE = """
name = "x"
version = "1.0.0"
task = "tensors"
[source]
package = "p"
version = "1"
sha256 = "{digest}"
path = "p/x.onnx"
file_sha256 = "{digest}"
license = "MIT"
model = "x"
megabytes = 1
"""


def recipe(folder: Path, text: str) -> Path:
    file = folder / "x.toml"
    file.write_text(text.format(digest="0" * 64))
    return file


def test_recipes_of_graphs_are_told_from_those_of_checkpoints(tmp_path: Path) -> None:
    assert is_graph_recipe(recipe(tmp_path, RECIPE))
    assert read_graph_recipe(recipe(tmp_path, RECIPE)).source is not None
    assert not is_graph_recipe(recipe(tmp_path, 'name = "x"\n[source]\nmodel = "a/b"\n'))
    assert not is_graph_recipe(recipe(tmp_path, "this is no toml"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "x"', 'name = "y"'), "name: found 'y', expected the file's name 'x'"),
        (("license", "licence"), "licence"),
        (("{digest}", "abc"), "must be 64 hex digits"),
        (('task = "tensors"', 'task = "tensors"\nmax_texts = 0'), "must be 1 or more"),
        (('task = "tensors"', 'task = "tensors"\ntrained = "room-sensor"'), "expected one of them"),
        (('task = "tensors"', 'task = "tensors"\nbudget = {{ cosine_min = 2.0 }}'), "within 0 to 1"),
    ],
)
def test_a_recipe_with_a_wrong_value_is_refused_by_its_key(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        read_graph_recipe(recipe(tmp_path, RECIPE.replace(*change)))
