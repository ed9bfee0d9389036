"""The bundle reader refuses, by name, whatever an honest writer would not have written."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.manifest import (
    MANIFEST,
    MAX_MANIFEST_BYTES,
    Parity,
    from_json,
    read_bundle,
    seal_bundle,
    to_json,
)
from edge_runtime.errors import (
    BundleError,
    BundleFileAltered,
    BundleFileExtra,
    BundleFileMissing,
    BundlePathRefused,
    BundleTooLarge,
    UnknownSchema,
)
from tests import tiny


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "bundle")


def rewrite(bundle: Path, change: dict[str, Any], entry: dict[str, Any] | None = None) -> None:
    data = json.loads((bundle / MANIFEST).read_text())
    data.update(change)
    if entry is not None:
        data["files"][0].update(entry)
    (bundle / MANIFEST).write_text(json.dumps(data))


def test_what_was_written_is_what_is_read(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    assert from_json(to_json(manifest)) == manifest
    assert [file.path for file in manifest.files] == ["golden.json", "model.onnx", "tokenizer.json"]
    assert manifest.size_bytes == sum(file.stat().st_size for file in bundle.iterdir() if file.name != MANIFEST)


def test_a_changed_byte_is_refused(bundle: Path) -> None:
    model = bundle / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(BundleFileAltered, match=r"model\.onnx.*sha256"):
        read_bundle(bundle)


def test_a_cut_file_is_refused(bundle: Path) -> None:
    with (bundle / "model.onnx").open("r+b") as stream:
        stream.truncate(100)
    with pytest.raises(BundleFileAltered, match="100 bytes"):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", MANIFEST])
def test_a_missing_file_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleFileMissing, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize("name", ["extra.bin", "sub/extra.bin", ".hidden"])
def test_a_file_that_the_manifest_does_not_list_is_refused(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("x")
    with pytest.raises(BundleFileExtra, match=name):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/passwd",
        "a/../../b",
        "./model.onnx",
        "a//b",
        "a\\..\\b",
        "",
        "model.onnx\0",
        "~/x",
        "-rf",
        "manifest.json",
        "é",
    ],
)
def test_a_path_that_is_not_plain_is_refused(bundle: Path, path: str) -> None:
    rewrite(bundle, {}, {"path": path})
    with pytest.raises(BundlePathRefused):
        read_bundle(bundle)


def test_a_link_is_refused_even_to_the_right_bytes(bundle: Path, tmp_path: Path) -> None:
    (bundle / "model.onnx").replace(tmp_path / "elsewhere")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundlePathRefused, match="link"):
        read_bundle(bundle)


def test_a_folder_link_is_refused(bundle: Path, tmp_path: Path) -> None:
    (bundle / "sub").symlink_to(tmp_path)
    with pytest.raises(BundleError, match="sub"):
        read_bundle(bundle)


def test_a_pipe_does_not_hang_the_reader(bundle: Path) -> None:
    (bundle / "model.onnx").unlink()
    os.mkfifo(bundle / "model.onnx")
    with pytest.raises(BundlePathRefused, match="plain file"):
        read_bundle(bundle)


@pytest.mark.parametrize("schema", ["edgert.bundle/2", "", None, 7])
def test_an_unknown_schema_is_refused_before_all_else(bundle: Path, schema: object) -> None:
    rewrite(bundle, {"schema": schema, "files": "nonsense"})
    with pytest.raises(UnknownSchema, match="this edgert reads"):
        read_bundle(bundle)


@pytest.mark.parametrize("size", [-1, 1 << 60])
def test_an_absurd_size_is_refused(bundle: Path, size: int) -> None:
    rewrite(bundle, {}, {"size": size})
    with pytest.raises(BundleTooLarge):
        read_bundle(bundle)


def test_a_huge_manifest_is_refused_unread(bundle: Path) -> None:
    with (bundle / MANIFEST).open("ab") as stream:
        stream.truncate(MAX_MANIFEST_BYTES + 1)
    with pytest.raises(BundleTooLarge, match=MANIFEST):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"surprise": 1}, "surprise"),
        ({"name": "a/b"}, "name"),
        ({"name": 5}, "name"),
        ({"counter": True}, "counter"),
        ({"limits": {"max_tokens": 0, "max_texts": 1}}, "limits"),
        ({"limits": {"max_tokens": 1.5, "max_texts": 1}}, r"limits\.max_tokens"),
        ({"task": {"name": "embed", "pooling": "maximum"}}, "pooling"),
        ({"task": {}}, r"task\.name: missing"),
        ({"files": {}}, "files"),
    ],
)
def test_a_wrong_value_is_named(bundle: Path, change: dict[str, Any], named: str) -> None:
    rewrite(bundle, change)
    with pytest.raises(BundleError, match=named):
        read_bundle(bundle)


def test_a_key_given_twice_is_refused(bundle: Path) -> None:
    text = (bundle / MANIFEST).read_text()
    (bundle / MANIFEST).write_text(text.replace('"counter": 1', '"counter": 1, "counter": 2'))
    with pytest.raises(BundleError, match="twice"):
        read_bundle(bundle)


def test_a_file_listed_twice_is_refused(bundle: Path) -> None:
    data = json.loads((bundle / MANIFEST).read_text())
    rewrite(bundle, {"files": data["files"] + data["files"][:1]})
    with pytest.raises(BundleError, match="twice"):
        read_bundle(bundle)


def test_the_model_must_be_among_the_files(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    other = dataclasses.replace(manifest, model=dataclasses.replace(manifest.model, file="other.onnx"))
    with pytest.raises(BundleFileMissing, match=r"other\.onnx"):
        from_json(to_json(other))


def test_a_parity_report_is_kept(bundle: Path) -> None:
    manifest = read_bundle(bundle)
    parity = Parity("tokenizers 0.22.2", 700, 50_000, 0, ("ids", "offsets"))
    proved = dataclasses.replace(manifest, tokenizer=dataclasses.replace(manifest.tokenizer, parity=parity))
    assert from_json(to_json(proved)).tokenizer.parity == parity


def test_a_tokenizer_that_is_known_to_differ_is_refused(bundle: Path) -> None:
    parity = {"oracle": "x", "texts": 9, "characters": 9, "mismatches": 1, "compared": ["ids"]}
    rewrite(bundle, {"tokenizer": {"file": "tokenizer.json", "family": "wordpiece", "parity": parity}})
    with pytest.raises(BundleError, match="parity report has mismatches"):
        read_bundle(bundle)


def test_an_unknown_family_of_tokenizers_is_refused(bundle: Path) -> None:
    rewrite(bundle, {"tokenizer": {"file": "tokenizer.json", "family": "novel"}})
    with pytest.raises(BundleError, match=r"tokenizer\.family.*'wordpiece', 'bpe', 'unigram', 'wordlevel'"):
        read_bundle(bundle)


def test_the_writer_refuses_what_the_reader_would(bundle: Path) -> None:
    before = (bundle / MANIFEST).read_bytes()
    bad = dataclasses.replace(read_bundle(bundle), name="a b")
    with pytest.raises(BundleError, match="a b"):
        seal_bundle(bundle, bad, {"model.onnx": "model", "tokenizer.json": "tokenizer"})
    assert (bundle / MANIFEST).read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '"x"', "\ud800", "[" * 100_000])
def test_what_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        from_json(text.encode("utf-8", "surrogatepass"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_any_value_anywhere_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    plain: Any = json.loads(to_json(tiny.manifest("classify", "tiny")))
    table = data.draw(st.sampled_from([plain, *[value for value in plain.values() if isinstance(value, dict)]]))
    table[data.draw(st.sampled_from([*table, "new"]))] = data.draw(JSON)
    with contextlib.suppress(BundleError):  # anything else fails the test
        manifest = from_json(json.dumps(plain))
        assert from_json(to_json(manifest)) == manifest


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder for a bundle, and not being root as long as the test lasts: root may read everything."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        user = os.geteuid()
        yield Path(folder)
        os.seteuid(user)


@pytest.mark.parametrize("name", [MANIFEST, "model.onnx", "golden.json"])
def test_a_file_that_may_not_be_read_is_refused_by_name(unprivileged: Path, name: str) -> None:
    bundle = tiny.write_bundle(unprivileged / "bundle")
    (bundle / name).chmod(0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(BundleError, match=rf"{name}.*Permission denied"):
        read_bundle(bundle)


def test_a_folder_inside_that_may_not_be_read_is_refused(unprivileged: Path) -> None:
    bundle = tiny.write_bundle(unprivileged / "bundle")
    (bundle / "extra").mkdir(mode=0)
    if os.geteuid() == 0:
        os.seteuid(65534)
    with pytest.raises(BundleError, match=r"extra.*Permission denied"):
        read_bundle(bundle)
