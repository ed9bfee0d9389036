"""ONNX without weights: the same graph, and one error for everything that is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgert_tools.planning.onnx_model import parse_onnx
from edgert_tools.planning.onnx_skeleton import read_skeleton
from edgert_tools.planning.refusal import BadSource
from tests import tiny
from tests.tools.planning.headers import MIB, bytes_read

SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


def branching() -> onnx.ModelProto:
    """A graph with an `If` whose branches hold a weight each, one in a Constant node."""
    wide = numpy_helper.from_array(np.ones((64, 64), np.float32), "inner")
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 64])
    constant = helper.make_node("Constant", [], ["y"], value=wide)
    branch = helper.make_graph([helper.make_node("Identity", ["inner"], ["y"])], "b", [], [output], [wide])
    other = helper.make_graph([constant], "c", [], [output])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=other)
    graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("c", TensorProto.BOOL, [])], [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_a_skeleton_is_the_model_without_its_large_values(tmp_path: Path) -> None:
    for model in (tiny.graph("classify"), branching()):
        onnx.save(model, tmp_path / "m.onnx")
        skeleton = onnx.load_model_from_string(read_skeleton(tmp_path / "m.onnx"))
        tensors = [*model.graph.initializer]
        for node in model.graph.node:
            for attribute in node.attribute:
                tensors += [*attribute.g.initializer, *(inner.t for n in attribute.g.node for inner in n.attribute)]
        for tensor in tensors:
            if len(tensor.raw_data) > 64:
                tensor.ClearField("raw_data")
        assert skeleton == model


def test_of_a_large_file_only_the_graph_is_read(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.zeros((4096, 2048), np.float32), "w")  # 32 MiB
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "m.onnx")
    before = bytes_read()
    assert list(parse_onnx(tmp_path / "m.onnx").graph.initializer[0].dims) == [4096, 2048]
    assert bytes_read() - before < MIB


@SAME_FOLDER
@given(st.binary(max_size=200))
def test_any_bytes_give_a_graph_or_the_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(BadSource):
        parse_onnx(tmp_path / "m.onnx")


@SAME_FOLDER
@given(st.data())
def test_a_file_with_damaged_bytes_gives_a_graph_or_the_one_error(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(branching().SerializeToString())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    (tmp_path / "m.onnx").write_bytes(bytes(content))
    try:
        assert parse_onnx(tmp_path / "m.onnx").graph.node
    except BadSource:
        return


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = tiny.graph("classify").SerializeToString()
    for length in range(0, len(whole), 37):
        (tmp_path / "m.onnx").write_bytes(whole[:length])
        with pytest.raises(BadSource):
            parse_onnx(tmp_path / "m.onnx")


def test_graphs_nested_without_end_are_refused(tmp_path: Path) -> None:
    content = b""
    for _ in range(60):  # a graph in an attribute of a node of a graph
        for key in (b"\x32", b"\x2a", b"\x0a"):
            content = key + onnx_length(len(content)) + content
    (tmp_path / "m.onnx").write_bytes(b"\x3a" + onnx_length(len(content)) + content)
    with pytest.raises(BadSource, match="nested"):
        read_skeleton(tmp_path / "m.onnx")


def onnx_length(length: int) -> bytes:
    parts = bytearray()
    while length >= 0x80:
        parts.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes([*parts, length])
