"""A linear classifier on top of an encoder: trained on its embeddings, then put into its graph.

The board then runs one model whose output is `logits`; mean pooling, scaling to length 1 and the linear layer are
nodes of the graph. They stay float32 when the rest becomes int8: a head of 40 labels is 60 kB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.graph import load_graph, save_graph

FloatArray = npt.NDArray[np.float32]

PREFIX = "/edgert_head/"
_MOST_STEPS = 2000  # of the solver; MiniLM's head takes about 100


@dataclass(frozen=True)
class Head:
    """`logits = embedding @ weights.T + bias`: weights (labels, width), bias (labels), float32."""

    labels: tuple[str, ...]
    weights: FloatArray
    bias: FloatArray


def train_head(embeddings: FloatArray, labels: Sequence[str], regularization: float) -> Head:
    """Fit a multinomial logistic regression.

    Args:
        embeddings: (texts, width), of length 1.
        labels: one a text.
        regularization: scikit-learn's C.

    Returns:
        The head, its labels sorted by name. The same input gives the same head on the same machine.
    """
    from sklearn.linear_model import LogisticRegression

    names = tuple(sorted(set(labels)))
    if len(names) < 2:
        raise ValueError(f"a classifier needs at least 2 labels, found {names}")
    targets = np.searchsorted(names, labels)
    model = LogisticRegression(C=regularization, max_iter=_MOST_STEPS).fit(embeddings, targets)
    weights, bias = model.coef_, model.intercept_
    if len(names) == 2:  # scikit-learn keeps one row then: the second label's logit over the first's
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return Head(names, weights.astype(np.float32), bias.astype(np.float32))


def attach_head(file: Path, head: Head, pooling: str, normalize: bool, attached: Path) -> tuple[str, ...]:
    """Write the encoder with the head at its end; the only output is `logits` (batch, labels).

    Args:
        file: encoder; its first output is the last hidden state (batch, tokens, width).
        head: what `train_head` gave.
        pooling: "mean" over the tokens that are not padding, or "cls" for the first token.
        normalize: scale the pooled vector to length 1 before the linear layer.
        attached: where to write.

    Returns:
        The names of the new nodes, for the quantizer to leave alone.
    """
    from onnx import TensorProto, helper

    model = load_graph(file)
    hidden = model.graph.output[0]
    batch = hidden.type.tensor_type.shape.dim[0].dim_param or "batch_size"
    nodes, tensors = _pool(hidden.name, pooling)
    vector = _own("pooled")
    if normalize:
        nodes.append(_node("LpNormalization", [vector], "embedding", axis=1, p=2))
        vector = _own("embedding")
    # Not one Gemm: the int8 tools turn that into MatMul and Add under names of their own, which nobody can exclude.
    nodes.append(_node("MatMul", [vector, _own("weights")], "product"))
    nodes.append(_node("Add", [_own("product"), _own("bias")], "logits"))
    nodes[-1].output[0] = "logits"
    tensors |= {"weights": np.ascontiguousarray(head.weights.T), "bias": head.bias}
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(_tensor(name, values) for name, values in tensors.items())
    del model.graph.output[:]
    shape = [batch, len(head.labels)]
    model.graph.output.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape))
    save_graph(model, attached)
    return tuple(node.name for node in nodes)


def _pool(hidden: str, pooling: str) -> tuple[list[Any], dict[str, npt.NDArray[np.generic]]]:
    """Nodes and constants from the hidden state to `pooled` (batch, width)."""
    from onnx import TensorProto

    if pooling == "cls":
        return [_node("Gather", [hidden, _own("first")], "pooled", axis=1)], {"first": np.array(0, np.int64)}
    nodes = [
        _node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT),
        _node("Unsqueeze", [_own("mask"), _own("last_axis")], "column"),
        _node("Mul", [hidden, _own("column")], "masked"),
        _node("ReduceSum", [_own("masked"), _own("token_axis")], "total", keepdims=0),
        _node("ReduceSum", [_own("mask"), _own("token_axis")], "count", keepdims=1),
        _node("Div", [_own("total"), _own("count")], "pooled"),
    ]
    return nodes, {"last_axis": np.array([-1], np.int64), "token_axis": np.array([1], np.int64)}


def _own(name: str) -> str:
    return PREFIX + name


def _node(kind: str, inputs: Sequence[str], output: str, **attributes: object) -> Any:
    from onnx import helper

    return helper.make_node(kind, list(inputs), [_own(output)], name=_own(output), **attributes)


def _tensor(name: str, values: npt.NDArray[np.generic]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values, _own(name))
