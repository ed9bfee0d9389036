"""Biases of fused operators move to their products; the graph's answers stay, and int8 products take them in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgert_tools.graph import MS_DOMAIN
from edgert_tools.quantization.biases import biases_into_products, biases_to_products
from edgert_tools.quantization.dynamic import quantize_dynamically
from tests.tools.quantization.outliers import run

WIDTH = 8
X = np.random.default_rng(1).normal(size=(1, 3, WIDTH)).astype(np.float32)


def layer() -> onnx.ModelProto:
    """Attention, sum and norm, and a Gelu, all fused with the biases of the five products before them."""
    rng = np.random.default_rng(2)
    tensors = {f"w{n}": rng.normal(size=(WIDTH, WIDTH)) for n in range(5)}
    tensors |= {"qkv": rng.normal(size=3 * WIDTH), "b3": rng.normal(size=WIDTH), "b4": rng.normal(size=WIDTH)}
    tensors |= {"gamma": rng.normal(size=WIDTH), "beta": rng.normal(size=WIDTH)}
    products = [helper.make_node("MatMul", ["x", f"w{n}"], [f"p{n}"], name=f"m{n}") for n in range(3)]
    fused: dict[str, Any] = {"domain": MS_DOMAIN}
    nodes = [
        *products,
        helper.make_node("MultiHeadAttention", ["p0", "p1", "p2", "qkv"], ["a"], name="mha", num_heads=2, **fused),
        helper.make_node("MatMul", ["a", "w3"], ["p3"], name="m3"),
        helper.make_node("SkipLayerNormalization", ["p3", "x", "gamma", "beta", "b3"], ["n"], name="norm", **fused),
        helper.make_node("MatMul", ["n", "w4"], ["p4"], name="m4"),
        helper.make_node("BiasGelu", ["p4", "b4"], ["y"], name="gelu", **fused),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "t", WIDTH]) for name in ("x", "y")]
    constants = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in tensors.items()]
    graph = helper.make_graph(nodes, "layer", values[:1], values[1:], constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS_DOMAIN, 1)], ir_version=9
    )


def test_every_bias_is_moved_and_the_answers_stay() -> None:
    moved = layer()
    biases_to_products(moved)
    kinds = Counter(node.op_type for node in moved.graph.node)
    assert kinds["Add"] == 5
    assert kinds["Gelu"] == 1
    assert kinds["BiasGelu"] == 0
    assert np.allclose(run(moved, {"x": X}), run(layer(), {"x": X}), atol=1e-5)


def test_a_product_that_stays_float_keeps_its_bias_where_it_was() -> None:
    moved = layer()
    biases_to_products(moved, keep_float=("m1", "m3", "m4"))
    assert moved == layer()


def test_an_int8_product_takes_in_the_add_behind_it_unless_somebody_else_reads_its_result() -> None:
    def graph(readers: int) -> onnx.ModelProto:
        codes = ["codes", "w", "scale", "scales", "zero"]
        nodes = [helper.make_node("MatMulIntegerToFloat", codes, ["p"], name="product", domain=MS_DOMAIN)]
        nodes += [helper.make_node("Add", ["p", "b"], [f"y{n}"], name=f"add{n}") for n in range(readers)]
        bias = numpy_helper.from_array(np.ones(WIDTH, np.float32), "b")
        return helper.make_model(helper.make_graph(nodes, "g", [], [], [bias]))

    one, two = graph(1), graph(2)
    biases_into_products(one)
    (product,) = one.graph.node
    assert (list(product.input), list(product.output)) == (["codes", "w", "scale", "scales", "zero", "", "b"], ["y0"])
    biases_into_products(two)
    assert two == graph(2)


def test_dynamic_int8_has_no_zero_points_of_weights_and_answers_nearly_the_same(tmp_path: Path) -> None:
    moved = layer()
    biases_to_products(moved)
    small = quantize_dynamically(moved, tmp_path / "small.onnx", ())
    products = [node for node in small.graph.node if node.op_type == "MatMulInteger"]
    assert [len(node.input) for node in products] == [3] * 5
    exact, found = run(layer(), {"x": X}), run(small, {"x": X})
    assert np.linalg.norm(found - exact) < 0.05 * np.linalg.norm(exact)
