"""Whisper -> two float graphs by optimum's exporter: one that hears, one that writes a token.

The encoder gives the keys and values that the decoder's cross attention has of the sound, which depend on nothing else:
so they are computed once, and the decoder's matrices for them are in the encoder's file. The decoder is the one with a
past; a past of length 0 works as well, so no second copy of it for the first token is needed, and no `If`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UnsupportedModel
from edgert_tools.export.optimum import export_by_optimum
from edgert_tools.graph import keep_outputs, load_graph, save_graph
from edgert_tools.quantization.int8_graph import drop_unused

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
HEAD_TURN = "head_transpose"  # the node that turns the embedding for the last product, if they share it
_TASK = "automatic-speech-recognition-with-past"
_HEARD, _HIDDEN = "last_hidden_state", "encoder_hidden_states"


@dataclass(frozen=True)
class Graphs:
    """Files of the two graphs."""

    encoder: Path
    decoder: Path

    @property
    def size_bytes(self) -> int:
        """Of both."""
        return self.encoder.stat().st_size + self.decoder.stat().st_size


def export_whisper(folder: Path, work: Path) -> Graphs:
    """Export a checkpoint in float32 on the CPU, running no code of it.

    Args:
        folder: the checkpoint.
        work: a folder, where the graphs are left.

    Raises:
        UnsupportedModel: the exporter cannot, with its reason.
    """
    exported = work / "exported"
    # Not after-treated: that would put both decoders into one file with an `If`.
    export_by_optimum(folder, exported, _TASK, what="this Whisper", separate=True)
    encoder = _with_cross(load_graph(exported / "encoder_model.onnx"), load_graph(exported / "decoder_model.onnx"))
    decoder = _one_table(load_graph(exported / "decoder_with_past_model.onnx"))
    shutil.rmtree(exported)
    return Graphs(save_graph(encoder, work / ENCODER), save_graph(decoder, work / DECODER))


def _with_cross(encoder: Any, first: Any) -> Any:
    """The encoder with the keys and values of each decoder layer's cross attention instead of its last state.

    Args:
        encoder: gives the last state.
        first: the decoder without a past, which computes them from it.
    """
    cross = _cross_of(first)
    wanted = {output.name for output in cross.output}

    def renamed(name: str) -> str:  # names of edges are numbers in both graphs
        return _HEARD if name == _HIDDEN else name if name in wanted or not name else "cross." + name

    for node in cross.node:
        node.name = "cross." + node.name
        node.input[:] = map(renamed, list(node.input))
        node.output[:] = map(renamed, list(node.output))
    for tensor in cross.initializer:
        tensor.name = renamed(tensor.name)
    graph = encoder.graph
    graph.node.extend(cross.node)
    graph.initializer.extend(cross.initializer)
    del graph.output[:]
    graph.output.extend(cross.output)
    return encoder


def _cross_of(first: Any) -> Any:
    """The part of a decoder's graph that reads nothing but the encoder's last state."""
    graph = first.graph
    outputs = [output for output in graph.output if ".encoder." in output.name]
    makers = {name: node for node in graph.node for name in node.output}
    for number, output in enumerate(outputs):
        # transformers takes the batch's size for this reshape from the tokens, which the encoder does not have.
        node = makers[output.name]
        while node.op_type in ("Transpose", "Identity"):
            node = makers[node.input[0]]
        heads, width = (output.type.tensor_type.shape.dim[axis].dim_value for axis in (1, 3))
        if node.op_type != "Reshape" or not heads or not width:
            raise UnsupportedModel(f"cannot export this Whisper: {output.name} is made by a {node.op_type}")
        graph.initializer.append(_tensor(f"heads_{number}", np.array([0, -1, heads, width], np.int64)))
        node.input[1] = f"heads_{number}"
    del graph.output[:]
    graph.output.extend(outputs)
    keep_outputs(first, len(outputs))
    made = {name for node in graph.node for name in node.output} | {tensor.name for tensor in graph.initializer}
    others = {name for node in graph.node for name in node.input if name} - made - {_HIDDEN}
    if others:
        raise UnsupportedModel(f"cannot export this Whisper: its cross attention reads {sorted(others)[0]!r}")
    return graph


def _tensor(name: str, values: npt.NDArray[np.int64]) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(values, name)


def _one_table(decoder: Any) -> Any:
    """The decoder with its embedding once: the last product reads it through a Transpose instead of from a copy."""
    from onnx import helper, numpy_helper

    graph = decoder.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    gather = next((n for n in graph.node if n.op_type == "Gather" and n.input[0].endswith("embed_tokens.weight")), None)
    last = next((n for n in graph.node if n.op_type == "MatMul" and "logits" in n.output), None)
    if gather is None or last is None or gather.input[0] not in tensors or last.input[1] not in tensors:
        return decoder
    table, head = (numpy_helper.to_array(tensors[name]) for name in (gather.input[0], last.input[1]))
    if table.T.shape != head.shape or not np.array_equal(table.T, head):
        return decoder  # not tied
    place = list(graph.node).index(last)
    turned = helper.make_node("Transpose", [gather.input[0]], ["head_weights"], name=HEAD_TURN, perm=[1, 0])
    last.input[1] = "head_weights"
    graph.node.insert(place, turned)
    drop_unused(decoder)
    return decoder
