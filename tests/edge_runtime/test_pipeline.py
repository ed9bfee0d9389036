"""The path of one request on a small real model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import edge_runtime
from edge_runtime.bundle.golden import read_golden, write_golden
from edge_runtime.bundle.manifest import read_bundle, seal_bundle
from edge_runtime.errors import BadRequest, GoldenMismatch, InputTooLong, UnsupportedModel
from edge_runtime.pipeline import open_pipeline
from edge_runtime.selftest import run_golden
from tests import tiny


@pytest.fixture(params=["embed", "classify"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "bundle", request.param)


def test_load_gives_a_pipeline_that_answers(bundle: Path) -> None:
    values = edge_runtime.load(str(bundle)).vectors(["turn on the light"])
    assert values.dtype == np.float32
    assert values.shape[0] == 1
    assert np.isfinite(values).all()


def test_the_answer_does_not_depend_on_neighbours(bundle: Path) -> None:
    pipeline = open_pipeline(bundle)
    texts = ["turn on the light", "close", "open the kitchen blind ? ? ?"]
    together = pipeline.vectors(texts)
    alone = np.concatenate([pipeline.vectors([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_vectors_have_length_one_and_probabilities_sum_to_one(bundle: Path) -> None:
    pipeline = open_pipeline(bundle)
    values = pipeline.vectors(["turn on", "off"])
    order = 2 if pipeline.manifest.task.name == "embed" else 1
    np.testing.assert_allclose(np.linalg.norm(values, ord=order, axis=1), 1, atol=1e-6)


def test_a_long_text_is_refused_or_cut_as_asked(bundle: Path) -> None:
    pipeline = open_pipeline(bundle)
    text = "light " * 100
    with pytest.raises(InputTooLong, match="102 tokens, this model takes 64"):
        pipeline.vectors([text])
    result = pipeline.run([text, "on"], truncate=True)
    assert result.truncated == (True, False)


@pytest.mark.parametrize("count", [0, 9])
def test_the_number_of_texts_is_bounded(bundle: Path, count: int) -> None:
    with pytest.raises(BadRequest, match=f"{count} texts, this model takes 1 to 8"):
        open_pipeline(bundle).vectors(["on"] * count)


def test_golden_rows_agree_on_this_machine(bundle: Path) -> None:
    test = run_golden(open_pipeline(bundle), bundle)
    assert test.rows == 3
    assert test.worst == pytest.approx(1.0 if test.measure == "smallest cosine" else 0.0, abs=1e-5)


def test_golden_rows_catch_a_model_that_answers_otherwise(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    rows = read_golden(bundle / "golden.json").rows
    write_golden(bundle / "golden.json", [dataclasses.replace(row, values=row.values[::-1]) for row in rows])
    seal_bundle(bundle, manifest, {file.path: file.role for file in manifest.files})
    with pytest.raises(GoldenMismatch, match="turn on the light"):
        run_golden(open_pipeline(bundle), bundle)


def test_golden_rows_catch_other_token_ids(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    rows = read_golden(bundle / "golden.json").rows
    write_golden(bundle / "golden.json", [dataclasses.replace(row, ids=(*row.ids, 1)) for row in rows])
    seal_bundle(bundle, manifest, {file.path: file.role for file in manifest.files})
    with pytest.raises(GoldenMismatch, match="token ids"):
        run_golden(open_pipeline(bundle), bundle)


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("model", {"engine": "abacus"}, "no engine 'abacus' here, known are onnx"),
        ("task", {"name": "translate"}, "no task 'translate' here, known are classify, embed"),
    ],
)
def test_what_this_runtime_does_not_have_is_named(bundle: Path, part: str, change: dict[str, str], says: str) -> None:
    manifest = read_bundle(bundle)
    other = dataclasses.replace(getattr(manifest, part), **change)
    roles = {file.path: file.role for file in manifest.files}
    seal_bundle(bundle, dataclasses.replace(manifest, **{part: other}), roles)
    with pytest.raises(UnsupportedModel, match=says):
        open_pipeline(bundle)


def test_a_broken_graph_is_refused_with_the_engines_reason(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    (bundle / "model.onnx").write_bytes(b"not a graph")
    seal_bundle(bundle, manifest, {file.path: file.role for file in manifest.files})
    with pytest.raises(UnsupportedModel, match=r"cannot load model\.onnx"):
        open_pipeline(bundle)
