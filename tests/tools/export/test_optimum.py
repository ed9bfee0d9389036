"""Optimum's exporter here and in a process of its own: the same graph; and two conversions have the same digest."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.bundle.digest import content_digest
from edge_runtime.bundle.manifest import read_bundle
from edge_runtime.errors import UnsupportedModel
from edgert_tools.checkpoint import open_checkpoint
from edgert_tools.export import optimum
from edgert_tools.export.encoder import export_encoder
from edgert_tools.export.lock import Lock, read_lock
from edgert_tools.progress import Say
from tests.tools import checkpoints

pytest.importorskip("optimum.exporters.onnx", reason="edgert[convert] is not installed")
REAL = "REAL_EXPORTERS"


@contextmanager
def this_python(lock: Lock, say: Say) -> Iterator[Path]:
    """An environment that has the packages, as this one does."""
    yield Path(sys.executable)


def exported(folder: Path, work: Path) -> bytes:
    checkpoint = open_checkpoint(folder, model="tiny", origin="folder")
    return export_encoder(checkpoint, "embed", work, checkpoints.unheard).read_bytes()


def test_a_process_of_its_own_gives_the_same_graph(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = exported(bert_folder, tmp_path / "here")
    monkeypatch.setattr(optimum, "environment", this_python)
    monkeypatch.setenv(optimum.APART, "1")
    assert exported(bert_folder, tmp_path / "apart") == here


def test_other_versions_than_the_locked_ones_are_not_used(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        """The exporter's own environment was asked for."""

    def refuse(lock: Lock, say: Say) -> None:
        raise Asked

    monkeypatch.setattr(optimum, "environment", refuse)
    monkeypatch.setattr(optimum, "read_lock", lambda name: Lock(name, "transformers==0.1\n", ("transformers",)))
    with pytest.raises(UnsupportedModel) as refused:
        exported(bert_folder, tmp_path / "work")
    assert isinstance(refused.value.__cause__, Asked)


def test_weights_that_are_not_there_are_named_from_the_other_process_too(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(bert_folder, tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "layer.1.output.dense.weight" in name)
    del weights[name]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    monkeypatch.setattr(optimum, "environment", this_python)
    monkeypatch.setenv(optimum.APART, "1")
    with pytest.raises(UnsupportedModel, match=r"the weights lack .*layer\.1\.output\.dense\.weight"):
        exported(folder, tmp_path / "work")


def test_the_exporter_does_not_even_see_a_pickle(bert_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(bert_folder, tmp_path / "copy"))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    staged = optimum.stage(folder, tmp_path / "staged")
    assert {file.suffix for file in staged.iterdir()} <= {".json", ".txt", ".safetensors"}
    assert (staged / "model.safetensors").is_file()


def test_two_caches_give_the_same_digest_whatever_was_measured(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = checkpoints.write_texts(tmp_path / "texts.txt")
    manifests = []
    for name in ("first", "second"):
        monkeypatch.setenv("EDGERT_CACHE", str(tmp_path / f"cache-{name}"))
        manifests.append(read_bundle(checkpoints.converted(bert_folder, tmp_path / name, texts).folder))
    first, second = manifests
    assert content_digest(first) == content_digest(second)
    assert first.measured != second.measured  # times are in it


@pytest.mark.skipif(not os.environ.get(REAL), reason=f"makes an exporter's environment, 1 GB: set {REAL}=1")
@pytest.mark.timeout(1800)
def test_the_locked_environment_gives_the_same_graph_as_this_one(
    bert_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not read_lock("optimum").installed_here():
        pytest.skip("this Python has other versions than the lock")
    here = exported(bert_folder, tmp_path / "here")
    monkeypatch.setenv(optimum.APART, "1")
    assert exported(bert_folder, tmp_path / "apart") == here
