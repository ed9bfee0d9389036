"""int8 forms of a Whisper: a scheme for the part that hears, one for the part that writes, and the table once.

A decoder's embedding and its last product are the same matrix, half of a small Whisper. It stays one in the file: the
codes are gathered for the embedding and, turned or reshaped when the graph is loaded, multiplied for the logits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UsageError
from edgert_tools.graph import MS_DOMAIN, load_graph, needs_opset, save_graph
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.int8_graph import drop_unused
from edgert_tools.quantization.products import quantize_columns
from edgert_tools.quantization.scheme import SchemeFacts, facts_of, parse_scheme
from edgert_tools.quantization.tables import BLOCK, block_codes
from edgert_tools.speech.export import DECODER, ENCODER, HEAD_TURN, Graphs

_KEPT = ("Conv", "Gather", "Transpose")  # what dynamic int8 would take too: slower, or done better below
_PLAIN = ("dynamic-s8", "nbits8-b32")
_INT8_COMPUTE = 4  # MatMulNBits accuracy level
_LARGE = 50_000  # values of a constant that is worth a node


@dataclass(frozen=True)
class SpeechScheme:
    """What the two parts become."""

    encoder: str
    decoder: str

    @property
    def name(self) -> str:
        """One name if both are the same, else `ENCODER+DECODER`."""
        return self.encoder if self.encoder == self.decoder else f"{self.encoder}+{self.decoder}"

    @property
    def facts(self) -> SchemeFacts:
        """What a board has to know.

        The encoder's rows are 1500 at once: where a core has no kernel for blocks, they are unpacked once for all of
        them. The decoder has one row at a time, so its form alone decides where the model is quick.
        """
        return facts_of(self.decoder)


def parse_speech_scheme(name: str) -> SpeechScheme:
    """A scheme by its name. UsageError: there is none."""
    encoder, _, decoder = name.partition("+")
    scheme = SpeechScheme(encoder, decoder or encoder)
    for one in (scheme.encoder, scheme.decoder):
        if one not in _PLAIN:
            raise UsageError(f"{name!r} is no scheme for speech, there are {', '.join(_PLAIN)} and pairs with a +")
    return scheme


def quantize_whisper(graphs: Graphs, scheme: SpeechScheme, folder: Path) -> Graphs:
    """Write both parts in their int8 form into a folder; the same graphs give the same bytes."""
    made = Graphs(folder / ENCODER, folder / DECODER)
    for source, form, target in (
        (graphs.encoder, scheme.encoder, made.encoder),
        (graphs.decoder, scheme.decoder, made.decoder),
    ):
        kept = [node.name for node in load_graph(source).graph.node if node.op_type in _KEPT or node.name == HEAD_TURN]
        quantize(source, form, target, kept)
    decoder = load_graph(made.decoder)
    parsed = parse_scheme(scheme.decoder)
    _share_table(decoder, in_blocks=parsed is not None and parsed.family == "nbits")
    save_graph(halve_constants(decoder), made.decoder)
    save_graph(halve_constants(load_graph(made.encoder)), made.encoder)
    return made


def halve_constants(model: Any) -> Any:
    """Store what is left of large float constants as float16 where that loses nothing: Whisper's weights are such.

    They become float32 again when the graph is loaded.
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    for tensor in list(graph.initializer):
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims, dtype=np.int64) < _LARGE:
            continue
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        graph.initializer.remove(tensor)
        graph.initializer.append(numpy_helper.from_array(half, tensor.name + "_half"))
        cast = helper.make_node(
            "Cast", [tensor.name + "_half"], [tensor.name], name=tensor.name + "_whole", to=TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
    return model


def _share_table(model: Any, *, in_blocks: bool) -> None:
    """Make the embedding and the last product int8 with one set of codes; without a shared table nothing changes."""
    graph = model.graph
    turn = next((node for node in graph.node if node.name == HEAD_TURN), None)
    if turn is None:
        return
    from onnx import numpy_helper

    table = next(tensor for tensor in graph.initializer if tensor.name == turn.input[0])
    values = numpy_helper.to_array(table)
    gather = next(node for node in graph.node if node.op_type == "Gather" and node.input[0] == table.name)
    head = next(node for node in graph.node if node.op_type == "MatMul" and turn.output[0] in node.input)
    make = _blocks if in_blocks and values.shape[1] % BLOCK == 0 else _rows
    embedding, product, tensors = make(values, gather, head)
    nodes: list[Any] = []
    for node in graph.node:
        nodes += embedding if node.name == gather.name else product if node.name == head.name else [node]
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes if node.name != HEAD_TURN]
    del graph.node[:]
    graph.node.extend(kept)
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in tensors.items())
    drop_unused(model)
    needs_opset(model, MS_DOMAIN)


_Made = tuple[list[Any], list[Any], dict[str, npt.NDArray[Any]]]


def _blocks(values: npt.NDArray[np.float32], gather: Any, head: Any) -> _Made:
    """Blocks of `BLOCK` weights with a scale each: GatherBlockQuantized and MatMulNBits."""
    from onnx import helper

    codes, scales = block_codes(values)
    rows, width = values.shape
    tensors: dict[str, npt.NDArray[Any]] = {
        "table_codes": codes,
        "table_scales": scales,
        "head_shape": np.array([rows, width // BLOCK, BLOCK], np.int64),
        "head_scales_shape": np.array([-1], np.int64),
    }
    embedding = helper.make_node(
        "GatherBlockQuantized", ["table_codes", gather.input[1], "table_scales"], list(gather.output),
        name=gather.name, domain=MS_DOMAIN, bits=8, block_size=BLOCK, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    product = helper.make_node(
        "MatMulNBits", [head.input[0], "head_codes", "head_scales"], list(head.output),
        name=head.name, domain=MS_DOMAIN, K=width, N=rows, bits=8, block_size=BLOCK, accuracy_level=_INT8_COMPUTE,
    )  # fmt: skip
    shaped = [
        helper.make_node("Reshape", ["table_codes", "head_shape"], ["head_codes"], name="head_codes"),
        helper.make_node("Reshape", ["table_scales", "head_scales_shape"], ["head_scales"], name="head_scales"),
    ]
    return [embedding], [*shaped, product], tensors


def _rows(values: npt.NDArray[np.float32], gather: Any, head: Any) -> _Made:
    """A scale a token: codes are gathered and scaled; the product is one of integers, its input scaled at run."""
    from onnx import TensorProto, helper

    codes, scales = quantize_columns(np.ascontiguousarray(values.T))
    tensors: dict[str, npt.NDArray[Any]] = {
        "table_codes": np.ascontiguousarray(codes.T),
        "table_scales": scales,
        "table_scales_axis": np.array([-1], np.int64),
    }
    ids = gather.input[1]
    embedding = [
        helper.make_node("Gather", ["table_codes", ids], ["embedding_codes"], name=gather.name, axis=0),
        helper.make_node(
            "Cast", ["embedding_codes"], ["embedding_units"], name="embedding_units", to=TensorProto.FLOAT
        ),
        helper.make_node("Gather", ["table_scales", ids], ["embedding_scale"], name="embedding_scale", axis=0),
        helper.make_node(
            "Unsqueeze", ["embedding_scale", "table_scales_axis"], ["embedding_scales"], name="embedding_scales"
        ),
        helper.make_node("Mul", ["embedding_units", "embedding_scales"], list(gather.output), name="embedding"),
    ]
    state = ["head_state", "head_state_scale", "head_state_zero"]
    product = [
        helper.make_node("Transpose", ["table_codes"], ["head_codes"], name="head_codes", perm=[1, 0]),
        helper.make_node("DynamicQuantizeLinear", [head.input[0]], state, name="head_state"),
        helper.make_node(
            "MatMulIntegerToFloat",
            [state[0], "head_codes", state[1], "table_scales", state[2]],
            list(head.output),
            name=head.name,
            domain=MS_DOMAIN,
        ),
    ]
    return embedding, product, tensors
