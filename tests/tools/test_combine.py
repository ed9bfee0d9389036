"""Several forms of one model in one bundle, and which of them a board uses."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

from edge_runtime.bundle.golden import GoldenRow, read_golden, write_golden
from edge_runtime.bundle.manifest import Manifest, read_bundle, seal_bundle
from edge_runtime.bundle.variants import for_targets
from edge_runtime.engine.processor import targets_here
from edge_runtime.errors import BundleFileAltered, UsageError
from edge_runtime.model import open_model
from edge_runtime.pipeline import open_pipeline
from edge_runtime.selftest import run_golden
from edgert_tools.combine import combine
from tests import tiny
from tests.command import run

HERE = sorted(targets_here())[0]
ELSEWHERE = "cpu-mips"


def form(folder: Path, scheme: str, targets: tuple[str, ...], factor: float) -> Path:
    """The tiny model in another form: its weights times a factor, so that its answers tell which one it is."""
    tiny.write_bundle(folder)
    model = onnx.load(folder / "model.onnx")
    for place, tensor in enumerate(model.graph.initializer):
        if tensor.data_type == onnx.TensorProto.FLOAT:
            scaled = numpy_helper.from_array(numpy_helper.to_array(tensor) * factor, tensor.name)
            model.graph.initializer[place].CopyFrom(scaled)
    onnx.save(model, folder / "model.onnx")
    manifest = read_again(folder, scheme, targets)
    pipeline = open_pipeline(folder)
    rows = []
    for row in read_golden(folder / "golden.json").rows:
        values = pipeline.vectors([row.text])[0]
        rows.append(GoldenRow(row.text, row.ids, tuple(map(float, values)), tiny.LABELS[int(values.argmax())]))
    write_golden(folder / "golden.json", rows)
    seal_bundle(folder, manifest, {entry.path: entry.role for entry in manifest.files})
    return folder


def read_again(folder: Path, scheme: str, targets: tuple[str, ...]) -> Manifest:
    made = tiny.manifest("classify", "tiny")
    model = dataclasses.replace(made.model, scheme=scheme)
    roles = {"model.onnx": "model", "tokenizer.json": "tokenizer", "golden.json": "golden"}
    return seal_bundle(folder, dataclasses.replace(made, model=model, targets=targets), roles)  # type: ignore[arg-type]


@pytest.fixture
def forms(tmp_path: Path) -> tuple[Path, Path]:
    return (
        form(tmp_path / "fast", "nbits8-b32", (ELSEWHERE,), 2.0),
        form(tmp_path / "plain", "dynamic-s8", (HERE,), 1.0),
    )


def answers(folder: Path) -> list[float]:
    return [float(value) for value in open_pipeline(folder).vectors(["turn on the light"])[0]]


def test_a_board_that_no_other_form_is_for_uses_the_last(forms: tuple[Path, Path], tmp_path: Path) -> None:
    combine(forms, tmp_path / "both")
    assert answers(tmp_path / "both") == answers(forms[1])
    run_golden(open_model(tmp_path / "both"), tmp_path / "both")


def test_a_board_uses_the_first_that_is_for_it_and_tests_that_one(tmp_path: Path) -> None:
    forms = (
        form(tmp_path / "other", "nbits4-b32", (ELSEWHERE,), 3.0),
        form(tmp_path / "fast", "nbits8-b32", (HERE, "cpu-x"), 2.0),
        form(tmp_path / "plain", "dynamic-s8", (HERE, "cpu-y"), 1.0),
    )
    made = combine(forms, tmp_path / "all")
    assert answers(tmp_path / "all") == answers(forms[1]) != answers(forms[2])
    model = open_model(tmp_path / "all")
    assert (model.manifest.model.scheme, model.manifest.targets) == ("nbits8-b32", (HERE, "cpu-x"))
    assert run_golden(model, tmp_path / "all").rows == 3
    assert set(made.targets) == {HERE, "cpu-x", "cpu-y", ELSEWHERE}


def test_only_the_files_of_the_form_in_use_count_for_it(forms: tuple[Path, Path], tmp_path: Path) -> None:
    made = combine(forms, tmp_path / "both")
    paths = {entry.path for entry in for_targets(made, {ELSEWHERE}).files}
    assert paths == {"variants/nbits8-b32/model.onnx", "variants/nbits8-b32/golden.json", "tokenizer.json"}
    assert {entry.path for entry in for_targets(made, {HERE}).files} == {"model.onnx", "golden.json", "tokenizer.json"}
    one = read_bundle(forms[0])
    assert for_targets(one, {"cpu-none"}) == one


def test_every_form_is_hashed_also_one_that_is_not_used_here(forms: tuple[Path, Path], tmp_path: Path) -> None:
    combine(forms, tmp_path / "both")
    (tmp_path / "both/variants/nbits8-b32/model.onnx").write_bytes(b"x")
    with pytest.raises(BundleFileAltered, match="variants/nbits8-b32"):
        open_model(tmp_path / "both")


def test_the_command_says_which_board_gets_which(
    forms: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "combine", *forms, "-o", tmp_path / "both")
    assert status == 0
    assert f"nbits8-b32   {ELSEWHERE}" in out
    assert "dynamic-s8   all others" in out
    status, out, _ = run(capsys, "inspect", tmp_path / "both")
    assert "variants/nbits8-b32/model.onnx" in out
    status, _, err = run(capsys, "combine", *forms, "-o", tmp_path / "both")
    assert status != 0
    assert "--force" in err


def test_what_is_not_one_model_is_not_combined(forms: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least two"):
        combine(forms[:1], tmp_path / "x")
    with pytest.raises(UsageError, match="would never be used"):
        combine((forms[1], form(tmp_path / "third", "nbits8-b64", (HERE,), 1.0)), tmp_path / "x")
    with pytest.raises(UsageError, match="same scheme"):
        combine((forms[0], form(tmp_path / "again", "nbits8-b32", (HERE,), 1.0)), tmp_path / "x")
    other = tmp_path / "newer"
    shutil.copytree(forms[1], other)
    manifest = read_bundle(other)
    roles = {entry.path: entry.role for entry in manifest.files}
    seal_bundle(other, dataclasses.replace(manifest, version="9.9.9"), roles)
    with pytest.raises(UsageError, match="differ in version"):
        combine((forms[0], other), tmp_path / "x")
    assert not (tmp_path / "x").exists()
