"""`edgert tokenizer check` on files, checkpoints and bundles."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.manifest import Role, read_bundle, seal_bundle
from edge_runtime.cli import main
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edgert_tools import parity_sides
from edgert_tools.parity import COMPARED
from tests import tiny


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text("turn on the light\nOpen the blind, please!\n", encoding="utf-8")
    return tmp_path / "corpus.txt"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    try:
        main(["tokenizer", "check", *map(str, arguments)])
        status: Any = 0
    except SystemExit as stop:
        status = stop.code or 0
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_a_bundle_and_its_file_are_checked(capsys: pytest.CaptureFixture[str], tmp_path: Path, corpus: Path) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    for place in (bundle, bundle / "tokenizer.json"):
        status, said = run(capsys, place, "--corpus", corpus)
        assert status == 0
        assert f"{place}: wordpiece, tokenizer.json" in said
        assert "2 lines and 1 documents, 82 characters" in said
        assert "mismatches     0" in said


def test_of_a_bundle_the_compiled_form_is_checked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, corpus: Path
) -> None:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    manifest = read_bundle(bundle)
    assert compile_tokenizer(bundle / "tokenizer.json", bundle / "tokenizer.compiled")
    named = dataclasses.replace(manifest.tokenizer, compiled="tokenizer.compiled")
    roles: dict[str, Role] = {entry.path: entry.role for entry in manifest.files}
    seal_bundle(bundle, dataclasses.replace(manifest, tokenizer=named), {**roles, "tokenizer.compiled": "tokenizer"})
    status, said = run(capsys, bundle, "--corpus", corpus)
    assert (status, f"{bundle}: wordpiece, tokenizer.compiled" in said) == (0, True)


def test_without_a_corpus_the_built_in_texts_are_taken(capsys: pytest.CaptureFixture[str], bert_folder: Path) -> None:
    status, said = run(capsys, bert_folder)
    assert status == 0
    assert "on built-in texts" in said
    assert "speed" in said


def test_a_checkpoint_without_tokenizer_json_says_what_it_was_made_of(
    capsys: pytest.CaptureFixture[str], bert_folder: Path, tmp_path: Path, corpus: Path
) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "old"))
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)) + "\n")
    status, said = run(capsys, folder, "--corpus", corpus)
    assert status == 0
    assert "wordpiece, made of vocab.txt" in said


def test_a_difference_is_shown_and_the_exit_status_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = tiny.tokenizer_json()
    (tmp_path / "right.json").write_text(json.dumps(document))
    document["normalizer"]["lowercase"] = False
    (tmp_path / "wrong.json").write_text(json.dumps(document))
    right = open_tokenizer
    monkeypatch.setattr(parity_sides, "open_tokenizer", lambda _, flag: right(tmp_path / "wrong.json", flag))
    status, said = run(capsys, tmp_path / "right.json", "--corpus", corpus)
    assert status == 1
    assert f"DIFFERENT      'O': {COMPARED[0]}" in said
    status, said = run(capsys, tmp_path / "right.json", "--corpus", corpus, "--json")
    assert status == 1
    assert json.loads(said)["comparison"]["first"][0]["text"] == "O"


def test_machines_get_everything_as_json(capsys: pytest.CaptureFixture[str], bert_folder: Path, corpus: Path) -> None:
    status, said = run(capsys, bert_folder, "--corpus", corpus, "--json")
    found = json.loads(said)
    assert (status, found["comparison"]["mismatches"], found["comparison"]["family"]) == (0, 0, "wordpiece")
    assert found["compared"] == list(COMPARED)
    assert min(found["speed"].values()) > 0


@pytest.mark.parametrize("what", ["empty folder", "unreadable file", "no such place"])
def test_what_has_no_tokenizer_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "empty folder":
        place.mkdir()
    elif what == "unreadable file":
        place.write_text("{}")
    status, said = run(capsys, place, "--json")
    assert status == (2 if what == "no such place" else 1)
    reason = json.loads(said.splitlines()[0])["error"]["reason"]
    expected = {"empty folder": "source_unavailable", "unreadable file": "unsupported_tokenizer"}
    assert reason == expected.get(what, "usage")
