"""ONNX files: what their operators do with which tensor, and what onnxruntime has no kernel for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgert_tools.planning.folder_model import Asked
from edgert_tools.planning.onnx_model import model_of_onnx
from edgert_tools.planning.refusal import BadSource
from tests import tiny


def save(file: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], opset: int = 17, **more: int) -> Path:
    """A graph from `x` to `y`."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    tensors = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, v) for domain, v in more.items())]
    onnx.save(helper.make_model(graph, opset_imports=opsets), file)
    return file


def floats(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_weights_are_told_by_what_is_done_with_them(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["1"]),
        helper.make_node("Gemm", ["1", "b"], ["2"], transB=1),
        helper.make_node("Conv", ["2", "c"], ["3"]),
        helper.make_node("Add", ["3", "d"], ["y"]),
    ]
    weights = {"a": floats(8, 40), "b": floats(30, 40), "c": floats(4, 4, 3, 3), "d": floats(2, 2)}
    model = model_of_onnx(save(tmp_path / "m.onnx", nodes, weights), "m", Asked())
    found = {weight.name: (weight.role, weight.rows, weight.columns) for weight in model.weights}
    assert found == {
        "a": ("matrix", 40, 8),
        "b": ("matrix", 30, 40),
        "c": ("convolution", 1, 144),
        "d": ("float", 1, 4),
    }
    assert model.stored_bytes == 4 * (320 + 1200 + 144 + 4)
    assert any("convolutions" in note for note in model.notes)


def test_a_text_model_is_told_by_its_inputs(tmp_path: Path) -> None:
    onnx.save(tiny.graph("classify"), tmp_path / "m.onnx")
    model = model_of_onnx(tmp_path / "m.onnx", "m", Asked(max_tokens=50))
    assert (model.family, model.max_tokens, model.opset) == ("encoder", 50, 17)
    assert model.operators == {"Gather": 1, "ReduceMean": 1, "MatMul": 1}
    assert model.values_of("table") > 0
    assert (model.task, model.blockers) == ("tensors", ())
    assert "float32" in model.made_for  # packed as it is where int8 is no gain


@pytest.mark.parametrize(
    ("node", "more", "complaint"),
    [
        (helper.make_node("Wonder", ["x"], ["y"]), {}, r"no CPU kernel for Wonder \(opset 17\), as at node 'y'"),
        (helper.make_node("Relu", ["x"], ["y"], domain="my.own"), {"my.own": 1}, r"my\.own\.Relu"),
    ],
)
def test_an_operator_without_a_kernel_is_named_with_its_node(
    tmp_path: Path, node: onnx.NodeProto, more: dict[str, int], complaint: str
) -> None:
    import re

    model = model_of_onnx(save(tmp_path / "m.onnx", [node], {}, **more), "m", Asked())
    assert any(re.search(complaint, blocker) for blocker in model.blockers)


@pytest.mark.parametrize(
    "name", ["Relu", "Gelu", "HardSwish", "LayerNormalization", "If", "Celu", "GroupNormalization"]
)
def test_what_onnxruntime_runs_is_no_obstacle(tmp_path: Path, name: str) -> None:
    model = model_of_onnx(save(tmp_path / "m.onnx", [helper.make_node(name, ["x"], ["y"])], {}, 21), "m", Asked())
    assert model.blockers == ()


def test_a_quantized_graph_is_taken_as_it_is(tmp_path: Path) -> None:
    weights = {"a": np.zeros((64, 64), np.int8)}
    nodes = [helper.make_node("MatMulInteger", ["x", "a"], ["y"])]
    model = model_of_onnx(save(tmp_path / "m.onnx", nodes, weights), "m", Asked())
    assert (model.quantized, model.parameters, model.stored_bytes) == (True, 4096, 4096)


def test_weights_beside_the_file_are_counted_and_need_not_be_there(tmp_path: Path) -> None:
    file = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "a"], ["y"])], {"a": floats(640, 640)})
    model = onnx.load(str(file))
    onnx.save(model, str(file), save_as_external_data=True, location="m.data")
    (tmp_path / "m.data").unlink()
    assert model_of_onnx(file, "m", Asked()).stored_bytes == 4 * 640 * 640


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "a"], ["y"])], {"a": floats(2, 2)})
    content = file.read_bytes()
    assert b"MatMul" in content
    file.write_bytes(content.replace(b"MatMul", b"Mat\xfful"))  # protobuf takes it, and gives bytes for it
    with pytest.raises(BadSource, match="UTF-8"):
        model_of_onnx(file, "m", Asked())


def test_a_graph_whose_inputs_are_not_known_is_planned_for_without_activations(tmp_path: Path) -> None:
    model = model_of_onnx(save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}), "m", Asked())
    assert model.max_tokens == 0
    assert any("without activations" in note for note in model.notes)


def test_a_shape_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "m.onnx", [helper.make_node("MatMul", ["x", "a"], ["y"])], {"a": floats(2, 2)})
    model = onnx.load(str(file))
    model.graph.initializer[0].dims[0] = -5
    file.write_bytes(model.SerializeToString())
    with pytest.raises(BadSource, match="shape"):
        model_of_onnx(file, "m", Asked())
