"""Real emulated boards: what the tables of docs/quantization.md rest on."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from edgert_tools.arm.boards import emulated_board
from edgert_tools.arm.instructions import Counted, Row, count, here, likeness
from edgert_tools.arm.programs import ArmUnavailable
from edgert_tools.arm.root import ArmRoot, arm_root
from edgert_tools.export.encoder import export_encoder
from edgert_tools.fuse import fuse
from edgert_tools.graph import keep_outputs, load_graph, save_graph
from edgert_tools.quantization.build import quantize
from edgert_tools.recipe import find_recipe
from edgert_tools.source import open_recipe_source
from tests.conftest import fetched
from tests.tiny_graphs import model

TOKENS = 16
BOARDS = ("pi4", "pi5")


@pytest.fixture(scope="module")
def minilm(root: ArmRoot, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """MiniLM's fused float graph and its smallest int8 form."""
    recipe, work = find_recipe("all-minilm-l6-v2"), tmp_path_factory.mktemp("minilm")
    assert recipe is not None
    source = recipe.source
    assert source is not None
    checkpoint = fetched(lambda: open_recipe_source(source, print))
    file, _ = fuse(export_encoder(checkpoint, "embed", work / "export"), checkpoint, work / "whole.onnx")
    made = load_graph(file)
    keep_outputs(made)
    fused = save_graph(made, work / "fused.onnx")
    return {"float32": fused, "dynamic-s8": quantize(fused, "dynamic-s8", work / "small.onnx")}


def counted(root: ArmRoot, graphs: Mapping[str, Path], rows: tuple[Row, ...]) -> dict[tuple[str, str], Counted]:
    """Each graph on each board, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        waiting = {
            (name, board): pool.submit(count, root, graph, rows, emulated_board(board))
            for name, graph in graphs.items()
            for board in BOARDS
        }
        return {key: future.result() for key, future in waiting.items()}


def test_int8_minilm_needs_the_instructions_that_the_documents_say(root: ArmRoot, minilm: Mapping[str, Path]) -> None:
    ids = np.arange(2000, 2000 + TOKENS, dtype=np.int64)[None]
    row = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    found = counted(root, minilm, (row,))
    for board, most in (("pi4", 0.85), ("pi5", 0.42)):
        ratio = found["dynamic-s8", board].instructions / found["float32", board].instructions
        assert ratio <= most, board
    for (name, board), one in found.items():
        alike = likeness(here(minilm[name], (row,)), one.outputs)
        assert alike.cosine > (0.999999 if name == "float32" else 0.99), (name, board)


@pytest.fixture(scope="module")
def convolution(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Two convolutions of random weights, as float and as static int8."""
    work, random = tmp_path_factory.mktemp("convolution"), np.random.default_rng(3)
    weights = {"w1": random.normal(size=(8, 3, 3, 3)), "w2": random.normal(size=(4, 8, 3, 3))}
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="first"),
        helper.make_node("Relu", ["a"], ["b"], name="cut"),
        helper.make_node("Conv", ["b", "w2"], ["y"], name="second"),
    ]
    made = model(
        nodes,
        [("x", "float32", [1, 3, 32, 32])],
        [("y", "float32", [1, 4, 28, 28])],
        {name: values.astype(np.float32) for name, values in weights.items()},
    )
    onnx.save(made, work / "float.onnx")
    quantize_static(
        work / "float.onnx", work / "int8.onnx", Rows(pictures(4)), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )  # fmt: skip
    return {"float32": work / "float.onnx", "static": work / "int8.onnx"}


class Rows(CalibrationDataReader):  # type: ignore[misc]
    """Rows to calibrate on."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = iter(rows)

    def get_next(self) -> Row | None:
        return next(self._rows, None)


def pictures(number: int) -> tuple[Row, ...]:
    random = np.random.default_rng(7)
    return tuple({"x": random.normal(size=(1, 3, 32, 32)).astype(np.float32)} for _ in range(number))


def test_static_int8_answers_the_same_bits_on_every_board_and_a_count_is_always_the_same_number(
    root: ArmRoot, convolution: Mapping[str, Path]
) -> None:
    rows = pictures(3)
    first = counted(root, convolution, rows)
    again = count(root, convolution["static"], rows, emulated_board("pi5")).instructions
    assert abs(again / first["static", "pi5"].instructions - 1) <= 0.001
    ours = here(convolution["static"], rows)
    for key, one in first.items():
        assert one.instructions > 100_000
        if key[0] == "static":
            assert likeness(ours, one.outputs).exact, key
    assert first["static", "pi5"].instructions < first["static", "pi4"].instructions  # dot product


def test_a_graph_that_stops_on_the_board_is_told_with_its_reason(root: ArmRoot, tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no graph")
    with pytest.raises(ArmUnavailable, match=r"the emulated pi4 stopped: .*graph\.onnx"):
        count(root, tmp_path / "bad.onnx", pictures(1), emulated_board("pi4"))


def test_the_root_is_made_once(root: ArmRoot) -> None:
    said: list[str] = []
    assert arm_root(said.append) == root
    assert said == []


def test_a_program_on_the_board_sees_the_board(root: ArmRoot) -> None:
    lines = "import os, platform; print(platform.machine(), os.cpu_count(), open('/proc/device-tree/model').read())"
    assert root.run(emulated_board("rk3588"), ["-c", lines]) == "aarch64 8 Radxa ROCK 5B\0\n"
