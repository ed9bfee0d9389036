"""Embedding tables: `Gather` of a large float table -> `GatherBlockQuantized` of 8 bits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.graph import MS_DOMAIN, needs_opset

BLOCK = 32  # values of a row that share one scale
_LARGE_TABLE = 200_000  # values; a smaller embedding table stays float32, it is not worth its error


def quantize_tables(model: Any, keep_float: Collection[str]) -> None:
    """Replace each large embedding table in place; a table that another operator reads too stays float."""
    from onnx import numpy_helper

    graph = model.graph
    tables: dict[str, Any] = {tensor.name: tensor for tensor in graph.initializer}
    for position, node in enumerate(list(graph.node)):
        if node.op_type != "Gather" or node.name in keep_float or node.input[0] not in tables:
            continue
        name = node.input[0]
        values = numpy_helper.to_array(tables[name])
        shared = sum(name in other.input for other in graph.node) > 1
        if shared or values.ndim != 2 or values.size < _LARGE_TABLE or values.shape[1] % BLOCK:
            continue
        replacement, codes, scales = _gather_blocks(node, values)
        graph.initializer.remove(tables[name])
        graph.initializer.extend([codes, scales])
        graph.node.remove(node)
        graph.node.insert(position, replacement)
        needs_opset(model, MS_DOMAIN)


def block_codes(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Codes (rows, width), zero at 128, and scales (rows, width / BLOCK) of a table whose width BLOCK divides."""
    rows, width = values.shape
    blocks = values.reshape(rows, width // BLOCK, BLOCK)
    scales = np.abs(blocks).max(axis=-1) / np.float32(127)
    scales[scales == 0] = 1
    codes = np.clip(np.rint(blocks / scales[..., None]) + 128, 0, 255).astype(np.uint8).reshape(rows, width)
    return codes, scales


def _gather_blocks(node: Any, values: npt.NDArray[np.float32]) -> tuple[Any, Any, Any]:
    """The new node with its codes (rows, width) uint8, zero at 128, and scales (rows, width / BLOCK) float32."""
    from onnx import helper, numpy_helper

    codes, scales = block_codes(values)
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
