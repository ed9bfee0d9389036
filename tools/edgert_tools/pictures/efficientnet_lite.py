"""EfficientNet-Lite0 as an ONNX graph, out of the weights alone: no squeeze and excitation, ReLU6, made for int8.

Tan & Le 2019, arXiv:1905.11946, table 1, with the changes of TensorFlow's "lite" forms. Normalisations are folded into
the convolutions before them. Padding is TensorFlow's: where a stride leaves one too few, it is put at right and below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UnsupportedModel
from edgert_tools.graph import save_graph

SIDE, CLASSES = 224, 1000
# Of each block: the depthwise convolution's side and stride, and whether its input is added to what it gives.
_BLOCKS = (
    (3, 1, False),
    (3, 2, False), (3, 1, True),
    (5, 2, False), (5, 1, True),
    (3, 2, False), (3, 1, True), (3, 1, True),
    (5, 1, False), (5, 1, True), (5, 1, True),
    (5, 2, False), (5, 1, True), (5, 1, True), (5, 1, True),
    (3, 1, False),
)  # fmt: skip
_EPSILON = 1e-3  # of the normalisations, as in TensorFlow
_OPSET, _IR = 17, 9

FloatArray = npt.NDArray[np.float32]


def to_onnx(weights: Path, file: Path) -> Path:
    """Write the graph: `picture` (1, 3, 224, 224) -> `logits` (1, 1000).

    Args:
        weights: a PyTorch state dict with the names of lukemelas' EfficientNet; only tensors are read of it.

    Raises:
        UnsupportedModel: it holds something else.
    """
    import torch
    from onnx import TensorProto, helper

    state = torch.load(weights, map_location="cpu", weights_only=True)
    graph = _Graph({name: tensor.numpy() for name, tensor in state.items()})
    try:
        found = _network(graph)
    except KeyError as error:
        raise UnsupportedModel(f"{weights.name} has no {error}: it is no EfficientNet-Lite0") from error
    assert found == "logits"
    sides = (("picture", [1, 3, SIDE, SIDE]), ("logits", [1, CLASSES]))
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in sides]
    made = helper.make_graph(graph.nodes, "efficientnet_lite0", values[:1], values[1:], graph.initializers)
    return save_graph(helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR), file)


@dataclass
class _Graph:
    """Nodes that are added one behind the other; each method gives the name of what it adds."""

    state: Mapping[str, FloatArray]
    nodes: list[Any] = field(default_factory=list)
    initializers: list[Any] = field(default_factory=list)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def tensor(self, values: npt.NDArray[np.generic], name: str) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def conv(self, source: str, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False) -> str:
        """A convolution with the normalisation behind it."""
        weights = self.state[f"{conv}.weight"]
        scale = self.state[f"{norm}.weight"] / np.sqrt(self.state[f"{norm}.running_var"] + _EPSILON)
        bias = self.state[f"{norm}.bias"] - self.state[f"{norm}.running_mean"] * scale
        side = weights.shape[-1]
        before, after = (side - stride) // 2, side - stride - (side - stride) // 2
        names = [
            self.tensor((weights * scale[:, None, None, None]).astype(np.float32), f"{conv}.weight"),
            self.tensor(bias.astype(np.float32), f"{conv}.bias"),
        ]
        return self.node(
            "Conv",
            [source, *names],
            conv,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[before, before, after, after] if side > 1 else [0, 0, 0, 0],
            group=len(weights) if depthwise else 1,
        )

    def relu6(self, source: str) -> str:
        return self.node("Clip", [source, "zero", "six"], f"{source}/relu6")


def _network(graph: _Graph) -> str:
    graph.tensor(np.array(0, np.float32), "zero")
    graph.tensor(np.array(6, np.float32), "six")
    found = graph.relu6(graph.conv("picture", "_conv_stem", "_bn0", stride=2))
    for number, (side, stride, added) in enumerate(_BLOCKS):
        found = _block(graph, found, f"_blocks.{number}", side, stride, added=added)
    found = graph.relu6(graph.conv(found, "_conv_head", "_bn1"))
    found = graph.node("Flatten", [graph.node("GlobalAveragePool", [found], "pooled")], "flat")
    weights = graph.tensor(graph.state["_fc.weight"], "_fc.weight")
    bias = graph.tensor(graph.state["_fc.bias"], "_fc.bias")
    return graph.node("Gemm", [found, weights, bias], "logits", transB=1)


def _block(graph: _Graph, source: str, name: str, side: int, stride: int, *, added: bool) -> str:
    """Widen (but in the first block), filter each channel, narrow; and perhaps add what came in."""
    found = source
    if f"{name}._expand_conv.weight" in graph.state:
        found = graph.relu6(graph.conv(found, f"{name}._expand_conv", f"{name}._bn0"))
    if graph.state[f"{name}._depthwise_conv.weight"].shape[-1] != side:
        raise KeyError(f"depthwise convolution of side {side} in {name}")
    found = graph.conv(found, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, depthwise=True)
    found = graph.conv(graph.relu6(found), f"{name}._project_conv", f"{name}._bn2")
    return graph.node("Add", [found, source], f"{name}/sum") if added else found
