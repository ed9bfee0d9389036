"""Static int8: masks that would spoil the ranges, types that the quantizer must know, rows of one length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgert_tools.graph import save_graph
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.qdq import MASKED, padded, soften_mask
from tests.tools.quantization import outliers

LOWEST = float(np.finfo(np.float32).min)


def attention(mask: float) -> onnx.ModelProto:
    """softmax(scores + (1 - attention_mask) * mask) times values: attention as exporters write it, with its mask."""
    rng = np.random.default_rng(1)
    names = ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["b", "t"]) for name in names]
    out = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["b", "t", 32])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], name="look_up"),
        helper.make_node("MatMul", ["vectors", "weights"], ["queries"], name="product"),
        helper.make_node("Transpose", ["vectors"], ["keys"], name="turn", perm=[0, 2, 1]),
        helper.make_node("MatMul", ["queries", "keys"], ["scores"], name="scores"),
        helper.make_node("Cast", ["attention_mask"], ["kept"], name="cast", to=TensorProto.FLOAT),
        helper.make_node("Sub", ["one", "kept"], ["dropped"], name="invert"),
        helper.make_node("Mul", ["dropped", "mask"], ["penalty"], name="penalty"),
        helper.make_node("Unsqueeze", ["penalty", "axis"], ["wide"], name="widen"),
        helper.make_node("Add", ["scores", "wide"], ["masked"], name="mask_scores"),
        helper.make_node("Softmax", ["masked"], ["weights_of_tokens"], name="softmax", axis=-1),
        helper.make_node("MatMul", ["weights_of_tokens", "vectors"], ["hidden"], name="mix"),
    ]
    tensors: dict[str, np.ndarray] = {
        "table": rng.normal(size=(50, 32)).astype(np.float32) / 3,
        "weights": rng.normal(size=(32, 32)).astype(np.float32) / 6,
        "one": np.array(1, np.float32),
        "mask": np.array(mask, np.float32),
        "axis": np.array([1], np.int64),
    }
    constants = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    body = helper.make_graph(nodes, "attention", inputs, [out], constants)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def masked_rows() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(2)
    made = []
    for kept in (3, 5, 8) * 4:
        mask = np.array([[1] * kept + [0] * (8 - kept)], np.int64)
        made.append({"input_ids": rng.integers(0, 50, size=(1, 8), dtype=np.int64), "attention_mask": mask})
    return made


def test_a_softer_mask_changes_nothing_in_float() -> None:
    model, soft = attention(LOWEST), attention(LOWEST)
    assert soften_mask(soft) == 1
    assert soften_mask(soft) == 0
    for row in masked_rows():
        assert np.abs(outliers.run(model, row) - outliers.run(soft, row)).max() < 1e-6


def test_masks_in_constant_nodes_are_softened_too() -> None:
    value = numpy_helper.from_array(np.full((1, 2), LOWEST, np.float32), "v")
    model = attention(-1.0)
    model.graph.node.insert(0, helper.make_node("Constant", [], ["unused"], name="constant", value=value))
    assert soften_mask(model) == 1
    changed = next(node for node in model.graph.node if node.name == "constant")
    assert (numpy_helper.to_array(changed.attribute[0].t) == MASKED).all()


def test_all_operators_survive_the_mask_of_an_exporter(tmp_path: Path) -> None:
    rows = masked_rows()
    file = save_graph(attention(LOWEST), tmp_path / "float.onnx")
    int8 = quantize(file, "qdq-u8s8-minmax-all", tmp_path / "int8.onnx", rows=rows)
    kinds = [node.op_type for node in onnx.load(int8).graph.node]
    assert kinds.count("QuantizeLinear") > 5
    assert np.mean([outliers.relative_error(int8, file, row) for row in rows]) < 0.15


def test_activations_after_operators_of_onnxruntime_are_quantized_too(tmp_path: Path) -> None:
    model = outliers.graph()
    bound = next(node for node in model.graph.node if node.name == "bound")
    bound.op_type, bound.domain = "QuickGelu", "com.microsoft"  # ONNX's shape inference does not know it
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    file = save_graph(model, tmp_path / "float.onnx")
    int8 = onnx.load(quantize(file, "qdq-u8s8-minmax", tmp_path / "int8.onnx", rows=outliers.rows()))
    makers = {output: node.op_type for node in int8.graph.node for output in node.output}
    products = [node for node in int8.graph.node if node.op_type == "MatMul"]
    assert [[makers[name] for name in node.input] for node in products] == [["DequantizeLinear"] * 2] * 2


def test_activations_of_16_bits_leave_the_error_of_the_weights(tmp_path: Path) -> None:
    file = outliers.write(tmp_path / "float.onnx")
    bytes_8, bytes_16 = (
        quantize(file, f"qdq-{form}-minmax-all", tmp_path / f"{form}.onnx", rows=outliers.rows())
        for form in ("u8s8", "u16s8")
    )
    coarse, fine = (outliers.relative_error(made, file, outliers.rows()[0]) for made in (bytes_8, bytes_16))
    assert fine < coarse / 2  # what is left is the error of 8-bit weights
    made = onnx.load(bytes_16)
    zeros = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    kinds = {zeros[node.input[2]] for node in made.graph.node if node.op_type == "QuantizeLinear"}
    assert kinds == {TensorProto.UINT16}


@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_histograms_take_rows_of_different_lengths(tmp_path: Path, method: str) -> None:
    file = outliers.write(tmp_path / "float.onnx", outlier=1.0)
    int8 = quantize(file, f"qdq-u8s8-{method}", tmp_path / "int8.onnx", rows=outliers.rows())
    assert outliers.relative_error(int8, file, outliers.rows()[0]) < 0.3


def test_padding_is_zeros_at_the_end() -> None:
    rows = padded([{"input_ids": np.array([[5, 6]])}, {"input_ids": np.array([[7, 8, 9]])}])
    assert [row["input_ids"].tolist() for row in rows] == [[[5, 6, 0]], [[7, 8, 9]]]


def test_pictures_are_not_padded() -> None:
    pictures = [{"pixels": np.zeros((1, 3, 8, 8), np.float32)}, {"pixels": np.ones((1, 3, 8, 8), np.float32)}]
    assert [row["pixels"].sum() for row in padded(pictures)] == [0, 3 * 8 * 8]  # type: ignore[arg-type]
