"""Opening tokenizers: compiled or not, kept or not, the same ids."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edge_runtime.tokenizer.compiled.file import write_compiled
from edge_runtime.tokenizer.fast import FastTokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from tests.edge_runtime.tokenizer.documents import plain_document

PIECES = ("turn", "on", "the", "light", "##s", "caf", "##e", ".")
TEXT = "Turn on the LIGHTS. caf\u00e9 xyz"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(plain_document(PIECES)))
    return path


def test_a_compiled_tokenizer_gives_the_ids_of_its_source(source: Path, tmp_path: Path) -> None:
    assert compile_tokenizer(source, tmp_path / "t.compiled")
    compiled, direct = open_tokenizer(tmp_path / "t.compiled"), open_tokenizer(source)
    assert isinstance(compiled, FastTokenizer)
    assert compiled.encode(TEXT) == direct.encode(TEXT)
    assert (compiled.pad_id, compiled.vocab_size) == (direct.pad_id, direct.vocab_size)
    assert compiled.decode(compiled.encode(TEXT)) == direct.decode(direct.encode(TEXT))


def test_a_file_made_of_another_source_is_refused_if_one_is_asked_for(source: Path, tmp_path: Path) -> None:
    compile_tokenizer(source, tmp_path / "t.compiled")
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    open_tokenizer(tmp_path / "t.compiled", source_sha256=sha256)
    with pytest.raises(UnsupportedTokenizer, match=r"another tokenizer\.json"):
        open_tokenizer(tmp_path / "t.compiled", source_sha256="0" * 64)


def test_compiling_the_same_source_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        compile_tokenizer(source, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_steps_without_a_fast_path_take_the_plain_one_and_have_no_compiled_form(tmp_path: Path) -> None:
    document: dict[str, Any] = plain_document(PIECES)
    document["normalizer"] = {"type": "Lowercase"}
    source = tmp_path / "tokenizer.json"
    source.write_text(json.dumps(document))
    assert not compile_tokenizer(source, tmp_path / "t.compiled")
    assert not (tmp_path / "t.compiled").exists()
    opened = open_tokenizer(source)
    assert isinstance(opened, ReferenceTokenizer)
    assert opened.encode("The lights")[1:-1] == [7, 8, 9]


def test_a_large_source_is_kept_compiled_and_damage_to_that_is_mended(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edge_runtime.tokenizer.compiled._KEPT_FROM_BYTES", 1)
    expected = open_tokenizer(source).encode(TEXT)
    (kept,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    whole = kept.read_bytes()
    assert open_tokenizer(source).encode(TEXT) == expected
    kept.write_bytes(b"\x93EDGETOK" + b"x" * 50)
    assert open_tokenizer(source).encode(TEXT) == expected
    assert kept.read_bytes() == whole


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTokenizer, match=r"tokenizer\.json cannot be read"):
        open_tokenizer(tmp_path / "tokenizer.json")


def test_a_whole_file_that_lacks_a_part_is_refused(tmp_path: Path) -> None:
    write_compiled(tmp_path / "t.compiled", {"source_sha256": "0" * 64}, {})
    with pytest.raises(UnsupportedTokenizer, match="lacks 'document'"):
        open_tokenizer(tmp_path / "t.compiled")


def _ids(path: Path, texts: list[str]) -> list[list[int]]:
    opened = open_tokenizer(path)
    return [opened.encode(text) for text in texts]


def test_processes_that_share_a_file_agree(source: Path, tmp_path: Path) -> None:
    compile_tokenizer(source, tmp_path / "t.compiled")
    texts = [f"{TEXT} {number} {'q' * number}" for number in range(40)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.starmap(_ids, [(tmp_path / "t.compiled", texts)] * 2)
    assert results == [_ids(tmp_path / "t.compiled", texts)] * 2
