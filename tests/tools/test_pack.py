"""Bundles come into their place whole or not at all; golden rows are what the board will answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_runtime.bundle.golden import read_golden
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.pipeline import open_pipeline
from edgert_tools.pack import install, write_golden_rows
from tests import tiny


def files_beside(folder: Path) -> set[str]:
    return {path.name for path in folder.parent.iterdir()}


def test_a_new_bundle_replaces_the_old_one_whole(tmp_path: Path) -> None:
    old, new = tiny.write_bundle(tmp_path / "old", name="old"), tiny.write_bundle(tmp_path / "new", name="new")
    install(new, old, force=True)
    assert read_bundle(old).name == "new"
    assert files_beside(old) == {"old", "new"}


def test_a_copy_that_fails_leaves_the_old_bundle_and_no_traces(tmp_path: Path) -> None:
    old = tiny.write_bundle(tmp_path / "old", name="old")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.onnx").symlink_to(tmp_path / "nowhere")
    with pytest.raises(shutil.Error):
        install(broken, old, force=True)
    assert read_bundle(old).name == "old"
    assert files_beside(old) == {"old", "broken"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt("No space")])
def test_a_place_that_cannot_be_taken_leaves_the_old_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    old, new = tiny.write_bundle(tmp_path / "old", name="old"), tiny.write_bundle(tmp_path / "new", name="new")
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(type(error), match="No space"):
        install(new, old, force=True)
    assert read_bundle(old).name == "old"
    assert files_beside(old) == {"old", "new"}


def test_golden_rows_spread_from_short_to_long_and_fit_the_model(tmp_path: Path) -> None:
    folder = tiny.write_bundle(tmp_path / "bundle")
    pipeline = open_pipeline(folder)
    texts = ["turn " * n + "on" for n in range(100)]  # the bundle takes 64 tokens
    assert write_golden_rows(folder, pipeline, texts, 8) == 8
    rows = read_golden(folder / "golden.json").rows
    lengths = [len(row.ids) for row in rows]
    assert lengths == sorted(lengths)
    assert lengths[0] == 3
    assert 50 < lengths[-1] <= 64
    for row in rows:
        values = pipeline.vectors([row.text])[0]
        assert row.values == pytest.approx(values.tolist(), abs=1e-6)
        assert row.label == tiny.LABELS[int(values.argmax())]
