"""A small graph with what makes int8 hard: a channel that is far larger than the others, and a product that suffers.

(batch, tokens) ids -> table -> two products one after the other, the first with an outlier channel in its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROWS, WIDTH, OUTLIER = 50, 32, 5
FIRST, SECOND = "first", "second"
Feeds = Mapping[str, np.ndarray]


def graph(opset: int = 18, outlier: float = 60.0) -> onnx.ModelProto:
    """`hidden` (batch, tokens, 32) of `input_ids`; one channel of the table is `outlier` times the others."""
    rng = np.random.default_rng(3)
    table = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    table[:, OUTLIER] *= outlier
    weights = [rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 6 for _ in range(2)]
    weights[0][OUTLIER] /= outlier
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    out = helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["batch", "tokens", WIDTH])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"], name="look_up"),
        helper.make_node("MatMul", ["vectors", "weights_0"], ["middle"], name=FIRST),
        helper.make_node("Tanh", ["middle"], ["bounded"], name="bound"),
        helper.make_node("MatMul", ["bounded", "weights_1"], ["hidden"], name=SECOND),
    ]
    tensors = {"table": table, "weights_0": weights[0], "weights_1": weights[1]}
    body = helper.make_graph(
        nodes, "outliers", [ids], [out], [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def write(file: Path, **how: Any) -> Path:
    """The graph as a file."""
    onnx.save(graph(**how), file)
    return file


def rows(count: int = 20) -> tuple[Feeds, ...]:
    """Texts of 3 to 9 tokens as the quantizer takes them, one at a time."""
    rng = np.random.default_rng(4)
    ids = (rng.integers(0, ROWS, size=(1, int(rng.integers(3, 10))), dtype=np.int64) for _ in range(count))
    return tuple({"input_ids": row, "attention_mask": np.ones_like(row)} for row in ids)


def run(model: Path | onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    """The first output."""
    data = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    wanted = {node.name: feeds[node.name] for node in session.get_inputs()}
    output: np.ndarray = session.run(None, wanted)[0]
    return output


def relative_error(model: Path, against: Path, feeds: Feeds) -> float:
    """Size of the difference over the size of the answer."""
    exact = run(against, feeds)
    return float(np.linalg.norm(run(model, feeds) - exact) / np.linalg.norm(exact))
