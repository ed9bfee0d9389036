"""Which products a model bears as int8 and which not, measured: each one alone is replaced, and the answers compared.

The error of one product's int8 form is computed beside the graph and added to its result while the rest stays float. So
one session serves all products: MiniLM's 36 take seconds, where building and loading 36 graphs takes minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.quantization.calibration import Feeds, Seen, feeds_for, open_graph, with_outputs
from edgert_tools.quantization.products import Product
from edgert_tools.quantization.rounding import Int8Weights, Range
from edgert_tools.quantization.scheme import Activations
from edgert_tools.quantization.smoothing import span_of

FloatArray = npt.NDArray[np.float32]

ROWS = 8  # of the calibration rows, evenly
_FIGURES = 3  # of an error: products that differ by less are ordered by name
_SUFFIX = "_before_error"


def errors_of(
    model: Any,
    products: Sequence[Product],
    rows: Sequence[Feeds],
    activations: Activations,
    seen: Mapping[str, Seen],
    factors: Mapping[str, FloatArray | None],
) -> dict[str, float]:
    """By product: the squared error of the model's answer relative to the answer, the mean over some rows."""
    session = open_graph(_with_errors(model, products))
    answer, sources = model.graph.output[0].name, list(dict.fromkeys(item.source for item in products))
    spans = {name: span_of(seen[name], factors[name]) for name in sources}
    chosen = [rows[number * len(rows) // ROWS] for number in range(ROWS)] if len(rows) > ROWS else rows
    weights = {item.name: Int8Weights(item.weights, factors[item.source]) for item in products}
    errors = dict.fromkeys(weights, 0.0)
    for row in chosen:
        feeds = feeds_for(session, row)
        exact, *tensors = session.run([answer, *sources], feeds)
        inputs = dict(zip(sources, tensors, strict=True))
        for item in products:
            off = _error(item, weights[item.name], inputs[item.source], activations, spans[item.source])
            found = session.run([answer], {**feeds, _input(item): off})[0]
            errors[item.name] += _relative(found, exact) / len(chosen)
    return errors


def most_sensitive(errors: Mapping[str, float], share: int) -> tuple[str, ...]:
    """The fewest products that make up `share` percent of the summed error, worst first; equals by name."""
    ordered = sorted(errors, key=lambda name: (-float(f"{errors[name]:.{_FIGURES - 1}e}"), name))
    wanted, held, taken = share / 100 * sum(errors.values()), 0.0, []
    for name in ordered:
        if held >= wanted:
            break
        taken.append(name)
        held += errors[name]
    return tuple(taken)


def _error(
    item: Product, weights: Int8Weights, values: FloatArray, activations: Activations, span: Range
) -> FloatArray:
    """int8 result less exact result, in the shape of the product's result."""
    flat = values.reshape(-1, values.shape[-1])
    off: FloatArray = weights.product(flat, activations, span) - flat @ item.weights
    return off.reshape(*values.shape[:-1], -1)


def _with_errors(model: Any, products: Sequence[Product]) -> Any:
    """The model with an input for each product that is added to its result, 0 unless it is given."""
    from onnx import TensorProto, helper, numpy_helper

    copy = with_outputs(model, [item.source for item in products])
    by_name = {item.name: item for item in products}
    nodes = []
    for node in copy.graph.node:
        nodes.append(node)
        item = by_name.get(node.name)
        if item is None:
            continue
        node.output[0] = item.result + _SUFFIX
        nodes.append(helper.make_node("Add", [item.result + _SUFFIX, _input(item)], [item.result]))
        copy.graph.input.append(helper.make_tensor_value_info(_input(item), TensorProto.FLOAT, None))
        copy.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), _input(item)))
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]  # else they are gone with the old list
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    return copy


def _input(item: Product) -> str:
    return item.result + "_error"


def _relative(found: FloatArray, exact: FloatArray) -> float:
    whole = float(np.square(exact, dtype=np.float64).sum())
    return float(np.square(found - exact, dtype=np.float64).sum()) / max(whole, 1e-30)
