"""The benchmark of int8 schemes, on graphs of some kilobytes."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from benchmarks import quantization
from benchmarks.quantization import FP32, Made
from benchmarks.quantizing_peers import PEERS, CannotQuantize, olive_default
from benchmarks.service_parts import peer_venv
from edgert_tools.checkpoint import open_checkpoint
from edgert_tools.export.encoder import export_encoder
from edgert_tools.quantization.build import quantize
from tests.tools import checkpoints
from tests.tools.quantization import outliers


@pytest.fixture
def graphs(tmp_path: Path) -> list[Made]:
    file = outliers.write(tmp_path / "float.onnx")
    int8 = quantize(file, "static-s8-smooth", tmp_path / "int8.onnx", rows=outliers.rows())
    return [Made(FP32, file, 1.0), Made("static-s8-smooth", int8, 2.0), Made("again", file, 0.0)]


def test_every_length_is_timed_for_every_graph_against_fp32(graphs: list[Made]) -> None:
    rows = {len(row["input_ids"][0]): row for row in outliers.rows()}
    speeds = quantization._speeds(graphs, rows, rounds=40)
    assert set(speeds) == {FP32, "static-s8-smooth", "again"}
    for length in rows:
        assert speeds[FP32][length] == 1
        assert 0.3 < speeds["again"][length] < 3  # the same graph, at another moment


def test_a_row_has_the_cosine_to_fp32_and_says_whether_batches_matter(graphs: list[Made]) -> None:
    vectors = {graph.name: quantization._embeddings(graph.file, outliers.rows()) for graph in graphs}
    exact, int8 = (quantization._row(graph, vectors, {16: 1.5}) for graph in graphs[:2])
    assert (exact["cosine"], exact["batches"], exact["16 tokens"]) == ("1.00000", "any", "1.50x")
    assert 0.9 < float(str(int8["cosine"])) < 1
    assert int8["batches"] == "any"
    assert quantization._batches("dynamic-s8") == quantization._batches("optimum default") == "apart"


def test_optimum_makes_a_smaller_graph_of_the_exported_folder(tmp_path: Path) -> None:
    folder = checkpoints.write_checkpoint(tmp_path / "tiny")
    exported = export_encoder(open_checkpoint(folder, model="tiny", origin="folder"), "embed", tmp_path / "export")
    made = {name: PEERS[name](exported.parent, tmp_path) for name in ("optimum default", "optimum per channel")}
    for file in made.values():
        kinds = [node.op_type for node in onnx.load(file).graph.node]
        assert "MatMulInteger" in kinds
        assert file.stat().st_size < exported.stat().st_size
    assert made["optimum default"].read_bytes() != made["optimum per channel"].read_bytes()


def test_a_peer_that_cannot_be_had_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> Path:
        raise peer_venv.NoPeer("no network")

    monkeypatch.setattr("benchmarks.quantizing_peers.peer_python", nothing)
    with pytest.raises(CannotQuantize, match="no network"):
        olive_default(tmp_path, tmp_path)
