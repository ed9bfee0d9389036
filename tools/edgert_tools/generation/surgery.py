"""Edits of a graph that the model builder made: one table for embedding and head, logits of every token to judge by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import UnsupportedModel
from edgert_tools.export.genai import GRAPH, WEIGHTS_FILE
from edgert_tools.graph import MS_DOMAIN, needs_opset, save_graph

_INLINE_BYTES = 1024  # tensors up to this size stay in the graph's own file


def share_embedding(folder: Path) -> bool:
    """Let the embedding read the head's quantized matrix, if the float ones are the same; whether it does now.

    The builder leaves the table of a tied model in float32 beside its int8 head: in a model of 135 million parameters
    that is 113 of 267 MB. The head's int8 matrix with a scale for each block of a row is just what
    `GatherBlockQuantized` reads.

    Args:
        folder: with `model.onnx` and `model.onnx.data`, which are written anew.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(folder / GRAPH))
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    head = _head(graph)
    gather = next((n for n in graph.node if n.op_type == "Gather" and list(n.input[1:]) == ["input_ids"]), None)
    if head.op_type != "MatMulNBits" or gather is None or gather.input[0] not in tensors:
        return False
    facts = {attribute.name: attribute.i for attribute in head.attribute}
    words, width = tensors[gather.input[0]].dims
    if (facts["N"], facts["K"]) != (words, width) or width % facts["block_size"] or facts["bits"] != 8:
        return False
    table = numpy_helper.to_array(tensors[gather.input[0]])
    weights, scales = (numpy_helper.to_array(tensors[name]) for name in head.input[1:3])
    if len(head.input) > 3 or not _same(table, weights, scales.reshape(words, -1), facts["block_size"]):
        return False
    shapes = {head.input[1]: (words, width), head.input[2]: (words, width // facts["block_size"])}
    nodes = []
    for name, shape in shapes.items():
        graph.initializer.append(numpy_helper.from_array(np.array(shape, np.int64), f"{name}.rows_shape"))
        nodes.append(helper.make_node("Reshape", [name, f"{name}.rows_shape"], [f"{name}.rows"], f"{name}.as_rows"))
    rows, row_scales = (f"{name}.rows" for name in shapes)
    nodes.append(
        helper.make_node(
            "GatherBlockQuantized",
            [rows, "input_ids", row_scales],
            list(gather.output),
            "/model/embed_tokens/shared",
            domain=MS_DOMAIN,
            bits=8,
            block_size=facts["block_size"],
            gather_axis=0,
            quantize_axis=1,
        )
    )
    place = list(graph.node).index(gather)
    graph.initializer.remove(tensors[gather.input[0]])
    graph.node.remove(gather)
    for number, node in enumerate(nodes):
        graph.node.insert(place + number, node)
    needs_opset(model, MS_DOMAIN)
    save_with_weights(model, folder)
    return True


def save_with_weights(model: Any, folder: Path) -> None:
    """Write graph and weights into a folder, the same bytes for the same model; what was there is replaced."""
    from onnx.external_data_helper import convert_model_to_external_data, write_external_data_tensors

    file = folder / WEIGHTS_FILE
    file.unlink(missing_ok=True)
    convert_model_to_external_data(model, location=WEIGHTS_FILE, size_threshold=_INLINE_BYTES)
    write_external_data_tensors(model, str(folder))
    graph = save_graph(model, folder / GRAPH)
    file.chmod(graph.stat().st_mode)  # onnx makes it for its owner alone


def with_all_logits(folder: Path, name: str) -> Path:
    """A second graph `name` beside the first, on the same weights, that gives every token's logits: to judge by."""
    import onnx

    model = onnx.load(str(folder / GRAPH), load_external_data=False)
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    head = _head(graph)
    cut = makers.get(head.input[0])
    picked = makers.get(cut.input[0]) if cut is not None and cut.op_type == "Unsqueeze" else None
    if picked is None or picked.op_type != "Gather":
        raise UnsupportedModel(f"the built graph's {head.name} does not read the last token alone: another builder?")
    head.input[0] = picked.input[0]
    graph.node.remove(cut)
    graph.node.remove(picked)
    logits = next(output for output in graph.output if output.name == "logits")
    logits.type.tensor_type.shape.dim[1].Clear()
    logits.type.tensor_type.shape.dim[1].dim_param = "sequence_length"
    return save_graph(model, folder / name)


def _head(graph: Any) -> Any:
    found = next((node for node in graph.node if "logits" in node.output), None)
    if found is None:
        raise UnsupportedModel("the built graph has no output named logits: another builder?")
    return found


def _same(table: Any, weights: Any, scales: Any, block: int) -> bool:
    """Whether int8 rows with a scale a block are this table: on rows spread over it.

    Within one step, and half of one but for the largest of a block: the builder's 255 steps end at +127.
    """
    for row in np.linspace(0, len(table) - 1, 64).astype(int):
        steps = weights[row].reshape(-1, block).astype(np.float32) - 128
        apart = np.abs(steps * scales[row][:, None] - table[row].reshape(-1, block))
        steps_apart = apart / np.maximum(np.abs(scales[row][:, None]), 1e-12)
        if steps_apart.max() > 1.01 or steps_apart.mean() > 0.3:
            return False
    return True
