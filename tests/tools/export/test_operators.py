"""A graph that boards cannot run is found before anything is quantized: which node, why, what to try."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import TensorProto, helper

from edge_runtime.errors import UnsupportedModel
from edgert_tools.export.operators import check_operators


def graph(*nodes: Any, opset: int = 17, domains: tuple[str, ...] = ()) -> Any:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(helper.make_graph(list(nodes), "g", values[:1], values[1:]), opset_imports=imports)


def test_operators_of_a_good_graph_are_counted() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Relu", ["r"], ["y"])]
    assert check_operators(graph(*nodes), "the graph") == {"Relu": 2}


def test_an_operator_of_an_add_on_is_named_with_its_node() -> None:
    node = helper.make_node("Mystery", ["x"], ["y"], name="/layers.3/magic", domain="com.acme")
    with pytest.raises(UnsupportedModel, match=r"the graph: node '/layers.3/magic' is com.acme.Mystery.*take a model"):
        check_operators(graph(node, domains=("com.acme",)), "the graph")


def test_an_operator_that_onnxruntime_has_not_is_named_with_its_node() -> None:
    node = helper.make_node("NotThere", ["x"], ["y"], name="/layers.3/odd", domain="com.microsoft")
    with pytest.raises(UnsupportedModel, match=r"no CPU kernel for .*NotThere.*'/layers.3/odd'"):
        check_operators(graph(node, domains=("com.microsoft",)), "the graph")


def test_an_operator_set_that_is_too_new_for_old_boards_is_refused() -> None:
    told = r"operator set 24 of ai\.onnx, boards run up to 23: export it with opset 23"
    with pytest.raises(UnsupportedModel, match=told):
        check_operators(graph(helper.make_node("Relu", ["x"], ["y"]), opset=24), "the graph")
