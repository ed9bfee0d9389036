"""How two bundles differ, for people and for machines."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from edge_runtime.bundle.difference import compare, describe
from edge_runtime.bundle.manifest import Manifest, read_bundle, seal_bundle
from tests import tiny
from tests.command import run


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "before")


@pytest.fixture
def after(tmp_path: Path) -> Path:
    """The next version: other figures, a longer licence, no golden rows, a report."""
    folder = tiny.write_bundle(tmp_path / "after", version="2.0.0")
    manifest = read_bundle(folder)
    (folder / "golden.json").unlink()
    (folder / "report.json").write_text("{}" * 1000)
    roles = {entry.path: entry.role for entry in manifest.files if entry.path != "golden.json"}
    changed = dataclasses.replace(
        manifest,
        task=dataclasses.replace(manifest.task, normalize=True),
        limits=dataclasses.replace(manifest.limits, max_texts=manifest.limits.max_texts * 2),
        measured={"quality": {"accuracy": 0.75}},
    )
    seal_bundle(folder, changed, {**roles, "report.json": "report"})
    return folder


def manifests(before: Path, after: Path) -> tuple[Manifest, Manifest]:
    return read_bundle(before), read_bundle(after)


def test_a_bundle_differs_in_nothing_from_itself(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "diff", before, before)
    assert (status, out) == (0, "tiny 1.2.3: the same\n")


def test_values_are_named_by_their_place_with_both_sides(before: Path, after: Path) -> None:
    found = {change.place: (change.before, change.after) for change in compare(*manifests(before, after)).changes}
    assert found["version"] == ("1.2.3", "2.0.0")
    assert found["task.normalize"] == (False, True)
    assert found["measured.quality.accuracy"] == (None, 0.75)
    old = read_bundle(before).limits.max_texts
    assert found["limits.max_texts"] == (old, 2 * old)
    assert not any(place.startswith("files") for place in found)


def test_files_are_new_gone_or_changed_and_only_new_bytes_are_sent(before: Path, after: Path) -> None:
    difference = compare(*manifests(before, after))
    kinds = {change.path: (change.before is None, change.after is None) for change in difference.files}
    assert kinds == {"golden.json": (False, True), "report.json": (True, False)}
    assert difference.sent_bytes == 2000
    assert difference.size_bytes == read_bundle(after).size_bytes


def test_a_file_that_was_only_renamed_is_not_sent(before: Path, tmp_path: Path) -> None:
    renamed = tiny.write_bundle(tmp_path / "renamed")
    manifest = read_bundle(renamed)
    (renamed / "golden.json").rename(renamed / "tests.json")
    roles = {entry.path.replace("golden", "tests"): entry.role for entry in manifest.files}
    seal_bundle(renamed, manifest, roles)
    assert compare(*manifests(before, renamed)).sent_bytes == 0


def test_people_read_how_much_it_is(before: Path, after: Path) -> None:
    text = describe(compare(*manifests(before, after)))
    assert text.startswith("tiny 1.2.3 -> tiny 2.0.0\n")
    assert "(+100.00 %)" in text
    assert "+ report.json  0.00 MB" in text
    assert "- golden.json" in text
    assert "an update sends 0.00 of" in text


def test_machines_read_the_same_and_the_exit_status_says_that_they_differ(
    before: Path, after: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "diff", before, after, "--json")
    found = json.loads(out)
    assert (status, found["same"], found["sent_bytes"]) == (1, False, 2000)
    assert {"place": "version", "before": "1.2.3", "after": "2.0.0"} in found["changes"]


def test_a_damaged_bundle_is_not_compared(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (after / "model.onnx").write_bytes(b"x")
    status, out, err = run(capsys, "diff", before, after)
    assert (status, out) == (1, "")
    assert "model.onnx" in err
