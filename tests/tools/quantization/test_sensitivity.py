"""Measured sensitivity: the oracle is a graph in which that one product really is int8."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgert_tools.graph import load_graph, save_graph
from edgert_tools.quantization.calibration import observe
from edgert_tools.quantization.int8_graph import Int8Graph
from edgert_tools.quantization.products import products_of
from edgert_tools.quantization.sensitivity import errors_of, most_sensitive
from edgert_tools.quantization.smoothing import span_of
from tests.tools.quantization import outliers


@pytest.mark.parametrize("activations", ["dynamic", "static", "rows"])
def test_the_error_beside_the_graph_is_the_error_of_the_int8_graph(tmp_path: Path, activations: str) -> None:
    file, rows = outliers.write(tmp_path / "float.onnx"), outliers.rows(6)
    model = load_graph(file)
    products = products_of(model)
    seen = observe(model, [item.source for item in products], rows)
    factors = dict.fromkeys(seen)
    found = errors_of(model, products, rows, activations, seen, factors)  # type: ignore[arg-type]
    for item in products:
        alone = load_graph(file)
        spans = {name: span_of(one, None) for name, one in seen.items()}
        Int8Graph(alone, activations, factors, spans).replace([item])  # type: ignore[arg-type]
        int8 = save_graph(alone, tmp_path / "int8.onnx")
        oracle = np.mean([outliers.relative_error(int8, file, row) ** 2 for row in rows])
        # Half of a step may be rounded the other way in another order of operations.
        assert found[item.name] == pytest.approx(oracle, rel=0.05), item.name
    assert found[outliers.FIRST] > 3 * found[outliers.SECOND]


def test_the_fewest_products_that_make_up_the_share_are_taken_worst_first() -> None:
    errors = {"a": 0.1, "b": 0.4, "c": 0.3, "d": 0.2}
    assert most_sensitive(errors, 30) == ("b",)
    assert most_sensitive(errors, 50) == ("b", "c")
    assert most_sensitive(errors, 99) == ("b", "c", "d", "a")


def test_products_that_differ_by_noise_only_are_ordered_by_name() -> None:
    assert most_sensitive({"z": 0.20001, "a": 0.2, "m": 0.20002}, 60) == ("a", "m")
