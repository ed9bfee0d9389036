"""Static int8 in ONNX Runtime's QDQ form: ranges of all activations are taken once, on rows of text.

Right for convolutional networks; for transformers it is in the search to be seen failing: MiniLM keeps 0.93 of the
cosine with MatMul alone and 0.3 with all operators.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.graph import load_graph
from edgert_tools.quantization.calibration import Feeds, open_graph, with_outputs
from edgert_tools.quantization.scheme import Scheme
from edgert_tools.quantization.tables import quantize_tables

MASKED = -30.0  # e**-30 is nothing in a softmax, and a range down to -30 leaves 8 bits some levels
_NO_NUMBER = -1e30  # what exporters add to masked scores: the lowest float, the range of the whole tensor
_HISTOGRAM_ROWS = 32  # the quantizer holds every tensor of every row in memory for a histogram
_TYPES = {"u8": "QUInt8", "s8": "QInt8", "u16": "QUInt16"}
_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}


def quantize_statically(
    model: Any, scheme: Scheme, scratch: Path, rows: Sequence[Feeds], keep_float: Collection[str]
) -> Any:
    """The model with QuantizeLinear and DequantizeLinear around its products, or around all operators."""
    from onnx import TensorProto
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    soften_mask(model)
    declare_floats(model)
    quantize_static(
        model,
        str(scratch),
        _reader(model, rows if scheme.method == "minmax" else padded(rows[:_HISTOGRAM_ROWS])),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=None if scheme.all_operators else ["MatMul", "Gemm"],
        per_channel=True,
        activation_type=getattr(QuantType, _TYPES[scheme.form]),
        weight_type=QuantType.QInt8,
        nodes_to_exclude=list(keep_float),
        calibrate_method=getattr(CalibrationMethod, _METHODS[scheme.method]),
        extra_options={
            "MatMulConstBOnly": True,
            "ActivationSymmetric": scheme.form == "s8",
            "DefaultTensorType": TensorProto.FLOAT,
        },
    )
    quantized = load_graph(scratch)
    quantize_tables(quantized, keep_float)
    return quantized


def soften_mask(model: Any) -> int:
    """Replace constants near the lowest float, which stand for "masked", by `MASKED`; how many there were."""
    from onnx import numpy_helper

    constants = [attribute.t for node in model.graph.node for attribute in node.attribute if attribute.name == "value"]
    changed = 0
    for tensor in [*model.graph.initializer, *constants]:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size and values.min() < _NO_NUMBER:
            tensor.CopyFrom(numpy_helper.from_array(np.maximum(values, np.float32(MASKED)), tensor.name))
            changed += 1
    return changed


def declare_floats(model: Any) -> None:
    """Write down which tensors are float: the quantizer silently leaves alone what it knows no type of.

    ONNX's own inference stops at fused operators; onnxruntime knows them.
    """
    from onnx import TensorProto, helper

    known = {value.name for value in model.graph.value_info}
    names = [name for node in model.graph.node for name in node.output if name and name not in known]
    types = {output.name: output.type for output in open_graph(with_outputs(model, names)).get_outputs()}
    model.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in names
        if types.get(name) == "tensor(float)"
    )


def padded(rows: Sequence[Feeds]) -> tuple[Feeds, ...]:
    """The rows with zeros at the end, all as long as the longest: a histogram wants tensors of one shape.

    Rows of pictures and sound are left as they are.
    """
    longest = max((values.shape[1] for row in rows for values in row.values() if values.ndim == 2), default=0)
    return tuple({name: _pad(values, longest) for name, values in row.items()} for row in rows)


def _pad(values: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    return np.pad(values, ((0, 0), (0, length - values.shape[1]))) if values.ndim == 2 else values


def _reader(model: Any, rows: Sequence[Feeds]) -> Any:
    """The rows as ONNX Runtime's quantizer wants them."""
    from onnxruntime.quantization import CalibrationDataReader

    wanted = {value.name for value in model.graph.input}

    class Rows(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
        def __init__(self) -> None:
            self.rewind()

        def rewind(self) -> None:
            """Begin again."""
            self._rest = iter(rows)

        def get_next(self) -> Any:
            """The next row, or None."""
            row = next(self._rest, None)
            return row and {name: values for name, values in row.items() if name in wanted}

    return Rows()
