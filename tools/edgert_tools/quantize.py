"""int8: float32 graph -> smaller graph, one function for each scheme.

Measured on MiniLM (float 90.3 MB): `dynamic-s8` 22.8 MB, cosine 0.993, up to 2.2 times as fast; `nbits8-b32` 26.1 MB,
cosine 0.9997, about as fast as float on x86.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.graph import MS_DOMAIN, load_graph, needs_opset, save_graph
from edgert_tools.quiet import quiet
from edgert_tools.recipe import Scheme

BLOCK = 32  # weights that share one scale
_LARGE_TABLE = 200_000  # values; a smaller embedding table stays float32, it is not worth its error
_INT8_COMPUTE = 4  # MatMulNBits accuracy level: multiply in int8, not in float


@dataclass(frozen=True)
class SchemeFacts:
    """What a person or a board has to know of a scheme.

    `batch_invariant`: whether an answer is the same alone and in a batch. `targets`: where it runs at its speed.
    `caution`: what to know before it is put on a board.
    """

    batch_invariant: bool
    targets: tuple[str, ...]
    caution: str = ""


# Counted under emulation, MiniLM, 16 tokens: 228 million instructions on a Cortex-A72, 60 for float; 42 on an A76.
_NO_DOT_PRODUCT = (
    "On ARM cores without dot product instructions (Cortex-A72 and A53: Raspberry Pi 4 and Zero 2) this scheme has no "
    "int8 kernel and is several times slower than float: make a dynamic-s8 bundle for those"
)


FACTS: dict[str, SchemeFacts] = {
    "float32": SchemeFacts(True, ("cpu-x86_64", "cpu-aarch64")),
    "dynamic-s8": SchemeFacts(False, ("cpu-x86_64", "cpu-aarch64")),
    "nbits8-b32": SchemeFacts(True, ("cpu-x86_64", "cpu-aarch64-dotprod"), _NO_DOT_PRODUCT),
}


def quantize(file: Path, scheme: Scheme, quantized: Path, keep_float: Collection[str] = ()) -> Path:
    """Write the int8 form of a float32 graph.

    Args:
        file: the float graph.
        scheme: which form.
        quantized: where to write it.
        keep_float: names of nodes that stay as they are.
    """
    functions = {"dynamic-s8": _dynamic_s8, "nbits8-b32": _nbits8_b32}
    with quiet():
        return save_graph(functions[scheme](file, quantized, list(keep_float)), quantized)


def _dynamic_s8(file: Path, quantized: Path, keep_float: list[str]) -> Any:
    """Weights int8 with one scale a column, activations int8 with one scale a tensor, taken at each run."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # MatMulConstBOnly: products of two activations stay float. DefaultTensorType: fused operators have no inferred
    # type, without it the quantizer stops with "Unable to find data type".
    options = {"MatMulConstBOnly": True, "DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(
        load_graph(file),  # given a path, it writes a second file beside it
        str(quantized),
        weight_type=QuantType.QInt8,
        per_channel=True,
        nodes_to_exclude=keep_float,
        extra_options=options,
    )
    return load_graph(quantized)


def _nbits8_b32(file: Path, _quantized: Path, keep_float: list[str]) -> Any:
    """Weights and large embedding tables int8 with one scale a block; activations int8 with one scale a row block."""
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=BLOCK, is_symmetric=True, accuracy_level=_INT8_COMPUTE, bits=8)
    quantizer = MatMulNBitsQuantizer(load_graph(file), algo_config=config, nodes_to_exclude=keep_float)
    quantizer.process()
    model = quantizer.model.model
    _quantize_tables(model, keep_float)
    needs_opset(model, MS_DOMAIN)
    return model


def _quantize_tables(model: Any, keep_float: list[str]) -> None:
    """Turn `Gather` of a large float table into `GatherBlockQuantized` of 8 bits."""
    from onnx import numpy_helper

    graph = model.graph
    tables: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    for position, node in enumerate(list(graph.node)):
        if node.op_type != "Gather" or node.name in keep_float or node.input[0] not in tables:
            continue
        name = node.input[0]
        values = numpy_helper.to_array(tables[name])
        shared = sum(name in other.input for other in graph.node) > 1  # another operator still needs it as float
        if shared or values.ndim != 2 or values.size < _LARGE_TABLE or values.shape[1] % BLOCK:
            continue
        replacement, codes, scales = _gather_blocks(node, values)
        graph.initializer.remove(tables[name])
        graph.initializer.extend([codes, scales])
        graph.node.remove(node)
        graph.node.insert(position, replacement)


def _gather_blocks(node: Any, values: npt.NDArray[np.float32]) -> tuple[Any, Any, Any]:
    """The new node with its codes (rows, width) uint8, zero at 128, and scales (rows, width / BLOCK) float32."""
    from onnx import helper, numpy_helper

    rows, width = values.shape
    blocks = values.reshape(rows, width // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=-1) / np.float32(127)
    scales[scales == 0] = 1
    codes = np.clip(np.rint(blocks / scales[..., None]) + 128, 0, 255).astype(np.uint8).reshape(rows, width)
    names = (node.input[0] + "_Q8", node.input[0] + "_scales")
    replacement = helper.make_node(
        "GatherBlockQuantized",
        [names[0], node.input[1], names[1]],
        list(node.output),
        name=node.name + "_Q8",
        domain=MS_DOMAIN,
        bits=8,
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )
    return replacement, numpy_helper.from_array(codes, names[0]), numpy_helper.from_array(scales, names[1])
