"""Engines are found by name: the built-in one, and one that another package brings."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.manifest import ModelSpec, read_bundle
from edge_runtime.engine import open_session
from edge_runtime.errors import UnsupportedModel
from tests import tiny

VENDOR = """
class VendorSession:
    input_names = ("input_ids",)
    def __init__(self, file, threads):
        self.size = file.stat().st_size
    def run(self, feeds):
        return [feeds["input_ids"] * self.size]

def open_vendor(file, threads):
    return VendorSession(file, threads)
"""


def test_onnx_runs_what_the_bundle_holds(tmp_path: Path) -> None:
    folder = tiny.write_bundle(tmp_path / "bundle", "embed")
    session = open_session(folder, read_bundle(folder).model, threads=1)
    ids = np.array([[2, 40, 3]])
    (hidden,) = session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert session.input_names == ("input_ids", "attention_mask")
    assert hidden.shape == (1, 3, tiny.WIDTH)


def test_a_vendors_package_adds_an_engine_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vendor_npu.py").write_text(VENDOR)
    info = tmp_path / "vendor_npu-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: vendor-npu\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[edgert.engines]\nnpu = vendor_npu:open_vendor\n")
    (tmp_path / "model.bin").write_bytes(b"12345")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "vendor_npu", raising=False)
    session = open_session(tmp_path, ModelSpec("model.bin", "npu", "int8", True, (), ()))
    np.testing.assert_array_equal(session.run({"input_ids": np.array([2])})[0], [10])


def test_an_unknown_engine_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="'abacus'"):
        open_session(tmp_path, ModelSpec("model.bin", "abacus", "int8", True, (), ()))


def test_a_missing_or_broken_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\0" * 100)
    with pytest.raises(UnsupportedModel, match=r"model\.onnx"):
        open_session(tmp_path, ModelSpec("model.onnx", "onnx", "int8", True, (), ()))
