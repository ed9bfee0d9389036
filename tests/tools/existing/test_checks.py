"""Graphs that no board could run are refused before any work, with the node and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import UnsupportedModel
from edgert_tools.existing.checks import check_graph, schemes_for
from tests import tiny_graphs

X, Y = ("x", "float32", ["rows", 4]), ("y", "float32", ["rows", 4])


def saved(folder: Path, model: onnx.ModelProto) -> Path:
    file = folder / "model.onnx"
    file.write_bytes(model.SerializeToString())
    return file


def relu(**options: Any) -> onnx.ModelProto:
    return tiny_graphs.model([helper.make_node("Relu", ["x"], ["y"], name="the_relu")], [X], [Y], **options)


def refusal(tmp_path: Path, model: onnx.ModelProto) -> str:
    with pytest.raises(UnsupportedModel) as refused:
        check_graph(saved(tmp_path, model), tmp_path)
    return str(refused.value)


def test_a_good_graph_is_described(tmp_path: Path) -> None:
    file = saved(tmp_path, relu())
    facts = check_graph(file, tmp_path)
    assert (facts.file, facts.opset, facts.kind, facts.notes) == (file, 17, "other", ())
    assert [(spec.name, spec.dtype, spec.shape) for spec in facts.inputs] == [("x", "float32", ("rows", 4))]


def test_a_free_dimension_without_a_name_gets_one_and_weights_are_no_inputs(tmp_path: Path) -> None:
    model = relu()
    model.graph.input[0].type.tensor_type.shape.dim[0].Clear()
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [1]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "w"))
    facts = check_graph(saved(tmp_path, model), tmp_path)
    assert [spec.shape for spec in facts.inputs] == [("x_0", 4)]


def test_an_operator_of_a_foreign_domain_is_refused_with_its_node(tmp_path: Path) -> None:
    node = helper.make_node("Sparkle", ["x"], ["y"], name="layer/7", domain="org.example")
    said = refusal(tmp_path, tiny_graphs.model([node], [X], [Y], domains=["org.example"]))
    assert "node 'layer/7' is org.example.Sparkle" in said
    assert "export it with standard operators" in said


def test_an_operator_that_onnxruntime_has_no_kernel_for_is_refused_with_its_node(tmp_path: Path) -> None:
    node = helper.make_node("Sparkle", ["x"], ["y"], name="layer/8", domain="com.microsoft")
    said = refusal(tmp_path, tiny_graphs.model([node], [X], [Y], domains=["com.microsoft"]))
    assert "com.microsoft.Sparkle" in said
    assert "'layer/8'" in said


def test_an_opset_newer_than_any_boards_is_refused_with_the_newest_that_runs(tmp_path: Path) -> None:
    said = refusal(tmp_path, relu(opset=25, ir_version=11))
    assert "operator set 25" in said
    assert "export it with opset 23 or lower" in said


def test_a_newer_format_is_written_as_one_that_every_board_reads(tmp_path: Path) -> None:
    file = saved(tmp_path, relu(ir_version=13))
    facts = check_graph(file, tmp_path)
    assert facts.file != file
    assert onnx.load(facts.file).ir_version == 11
    assert "format version 13 written as 11" in facts.notes[0]


def test_inputs_and_outputs_of_strings_are_refused_by_name(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["words"], ["same"])]
    model = tiny_graphs.model(nodes, [], [])
    model.graph.input.append(helper.make_tensor_value_info("words", TensorProto.STRING, ["n"]))
    model.graph.output.append(helper.make_tensor_value_info("same", TensorProto.STRING, ["n"]))
    assert "input 'words' is of strings" in refusal(tmp_path, model)


def test_an_input_that_is_no_tensor_is_refused(tmp_path: Path) -> None:
    model = tiny_graphs.model([helper.make_node("SequenceLength", ["list"], ["n"])], [], [("n", "int64", [])])
    model.graph.input.append(helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, None))
    assert "input 'list' is a sequence_type" in refusal(tmp_path, model)


@pytest.mark.parametrize("cut", [0, 1, 10, 60])
def test_a_file_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(relu().SerializeToString()[:cut])
    with pytest.raises(UnsupportedModel, match=r"model\.onnx"):
        check_graph(file, tmp_path)


def test_a_graph_that_is_not_connected_is_refused(tmp_path: Path) -> None:
    model = tiny_graphs.model([helper.make_node("Relu", ["nothing"], ["y"])], [X], [Y])
    assert "is no valid ONNX model" in refusal(tmp_path, model)


def big(folder: Path) -> Path:
    """A graph whose weights lie beside it in `weights.bin`."""
    weights = {"w": np.ones((4, 4), np.float32)}
    model = tiny_graphs.model([helper.make_node("MatMul", ["x", "w"], ["y"])], [X], [Y], weights)
    file = folder / "model.onnx"
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return file


def test_weights_beside_the_graph_become_part_of_it(tmp_path: Path) -> None:
    file = big(tmp_path)
    (tmp_path / "work").mkdir()
    facts = check_graph(file, tmp_path / "work")
    assert facts.kind == "matmul"
    (tmp_path / "weights.bin").unlink()
    assert onnx.load(facts.file).graph.initializer[0].raw_data == np.ones(16, "<f4").tobytes()


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/hostname", "deeper/../../weights.bin", ""])
def test_weights_outside_the_graphs_folder_are_never_read(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    file = big(folder)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    model = onnx.load(file, load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = place
    file.write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModel, match="only plain files in the graph's own folder"):
        check_graph(file, tmp_path)


def test_a_link_out_of_the_folder_is_no_way_around_that(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    file = big(folder)
    (folder / "weights.bin").rename(tmp_path / "weights.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(UnsupportedModel, match="only plain files"):
        check_graph(file, tmp_path)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    file = big(tmp_path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(UnsupportedModel, match=r"'weights\.bin', which is not there"):
        check_graph(file, tmp_path)


def test_the_kind_of_a_graph_decides_what_is_tried(tmp_path: Path) -> None:
    weights = {"w": np.ones((2, 3, 1, 1), np.float32)}
    image = ("x", "float32", [1, 3, 4, 4])
    conv = tiny_graphs.model(
        [helper.make_node("Conv", ["x", "w"], ["y"])], [image], [("y", "float32", [1, 2, 4, 4])], weights
    )
    assert check_graph(saved(tmp_path, conv), tmp_path).kind == "conv"
    scale = {"s": np.float32(0.1), "z": np.uint8(128)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    assert check_graph(saved(tmp_path, tiny_graphs.model(nodes, [X], [Y], scale)), tmp_path).kind == "quantized"
    assert all(scheme.startswith("qdq-") for scheme in schemes_for("conv"))
    assert schemes_for("matmul") == ("dynamic-s8", "nbits8-b32")
    assert schemes_for("quantized") == ()
