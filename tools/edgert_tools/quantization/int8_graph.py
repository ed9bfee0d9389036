"""MatMul nodes as int8 products: integer codes in, float out, with the activations' scale as the scheme has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.graph import MS_DOMAIN, needs_opset, opset_of
from edgert_tools.quantization.products import Product, quantize_columns
from edgert_tools.quantization.rounding import Range, scale_and_zero
from edgert_tools.quantization.scheme import Activations

FloatArray = npt.NDArray[np.float32]

_AXES_ARE_AN_INPUT = 18  # opset from which ReduceMax takes its axes so
_ROW_SCALE, _ROW_ZERO = "int8_row_scale", "int8_row_zero"
_LAST_AXIS, _TINY = "int8_last_axis", "int8_tiny"


class Int8Graph:
    """Rewrites a model in place; inputs that several products share are quantized once.

    Args:
        model: the float graph, which is changed.
        activations: one scale a tensor taken at each run, one from `spans`, or one a token.
        factors: by tensor, what to divide its channels by before (and to multiply the weights by), or None.
        spans: by tensor, its range after that.
    """

    def __init__(
        self,
        model: Any,
        activations: Activations,
        factors: Mapping[str, FloatArray | None],
        spans: Mapping[str, Range],
    ) -> None:
        self._model, self._activations, self._factors, self._spans = model, activations, factors, spans
        self._quantized: dict[str, str] = {}
        self._nodes: list[Any] = []
        self._tensors: dict[str, npt.NDArray[np.generic]] = {}

    def replace(self, products: Sequence[Product]) -> None:
        """Make these products int8; constants that nothing reads any more are dropped."""
        from onnx import numpy_helper

        graph, by_name = self._model.graph, {item.name: item for item in products}
        for node in graph.node:
            if node.name in by_name:
                self._product(by_name[node.name])
            else:
                self._nodes.append(type(node).FromString(node.SerializeToString()))
        del graph.node[:]
        graph.node.extend(self._nodes)
        graph.initializer.extend(numpy_helper.from_array(values, name) for name, values in self._tensors.items())
        drop_unused(self._model)
        needs_opset(self._model, MS_DOMAIN)

    def _product(self, item: Product) -> None:
        codes = self._codes_of(item.source)
        factors = self._factors[item.source]
        weights = item.weights if factors is None else item.weights * factors[:, None]
        name = item.name + "_s8"
        self._tensors[name], self._tensors[name + "_scales"] = quantize_columns(weights)
        scale, zero = self._scale_names(item.source)
        result = item.result if self._activations != "rows" else item.result + "_of_unit_rows"
        inputs = [codes, name, scale, name + "_scales", zero]
        self._node("MatMulIntegerToFloat", inputs, [result], item.name, domain=MS_DOMAIN)
        if self._activations == "rows":
            self._node("Mul", [result, item.source + "_largest"], [item.result])

    def _codes_of(self, source: str) -> str:
        """The tensor's codes, quantized where it is first needed."""
        if source not in self._quantized:
            quantize = {"dynamic": self._dynamic, "static": self._static, "rows": self._rows}[self._activations]
            self._quantized[source] = quantize(source, self._smoothed(source))
        return self._quantized[source]

    def _scale_names(self, source: str) -> tuple[str, str]:
        if self._activations == "rows":
            return _ROW_SCALE, _ROW_ZERO
        return source + "_scale", source + "_zero"

    def _smoothed(self, source: str) -> str:
        factors = self._factors[source]
        if factors is None:
            return source
        self._tensors[source + "_inverse"] = (np.float32(1) / factors).astype(np.float32)
        return self._node("Mul", [source, source + "_inverse"], [source + "_smooth"])

    def _dynamic(self, source: str, smoothed: str) -> str:
        outputs = [source + "_codes", *self._scale_names(source)]
        return self._node("DynamicQuantizeLinear", [smoothed], outputs)

    def _static(self, source: str, smoothed: str) -> str:
        scale, zero = self._scale_names(source)
        self._tensors[scale], self._tensors[zero] = map(np.array, scale_and_zero(self._spans[source]))
        return self._node("QuantizeLinear", [smoothed, scale, zero], [source + "_codes"])

    def _rows(self, source: str, smoothed: str) -> str:
        """Each row over its largest value, so that one constant scale fits all rows."""
        self._tensors[_ROW_SCALE] = np.array(1 / 127, np.float32)
        self._tensors[_ROW_ZERO] = np.array(128, np.uint8)
        self._tensors[_TINY] = np.array(1e-9, np.float32)  # a row of zeros must not become NaN
        sizes = self._node("Abs", [smoothed], [source + "_sizes"])
        if opset_of(self._model) >= _AXES_ARE_AN_INPUT:
            self._tensors[_LAST_AXIS] = np.array([-1], np.int64)
            most = self._node("ReduceMax", [sizes, _LAST_AXIS], [source + "_most"], keepdims=1)
        else:
            most = self._node("ReduceMax", [sizes], [source + "_most"], axes=[-1], keepdims=1)
        largest = self._node("Max", [most, _TINY], [source + "_largest"])
        units = self._node("Div", [smoothed, largest], [source + "_units"])
        return self._node("QuantizeLinear", [units, _ROW_SCALE, _ROW_ZERO], [source + "_codes"])

    def _node(self, kind: str, inputs: list[str], outputs: list[str], name: str = "", **attributes: object) -> str:
        from onnx import helper

        self._nodes.append(helper.make_node(kind, inputs, outputs, name=name or outputs[0], **attributes))
        return outputs[0]


def drop_unused(model: Any) -> None:
    """Drop the constants that no node reads."""
    used = {name for node in model.graph.node for name in node.input} | {output.name for output in model.graph.output}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
