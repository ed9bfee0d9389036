"""float32 graph -> smaller graph, by the scheme's name.

Measured on MiniLM (float 90.3 MB): `dynamic-s8` 22.8 MB, cosine 0.993, up to 2.2 times as fast; `nbits8-b32` 26.1 MB,
cosine 0.9997, about as fast as float on x86. docs/quantization.md has the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError
from edgert_tools.graph import load_graph, save_graph
from edgert_tools.quantization.biases import biases_into_products, biases_to_products
from edgert_tools.quantization.blockwise import blocks_only, quantize_blocks
from edgert_tools.quantization.calibration import Feeds, observe
from edgert_tools.quantization.dynamic import quantize_dynamically
from edgert_tools.quantization.int8_graph import Int8Graph
from edgert_tools.quantization.products import products_of
from edgert_tools.quantization.qdq import quantize_statically
from edgert_tools.quantization.scheme import Scheme, parse_scheme
from edgert_tools.quantization.sensitivity import errors_of, most_sensitive
from edgert_tools.quantization.smoothing import smooth, span_of
from edgert_tools.quantization.tables import quantize_tables
from edgert_tools.quiet import quiet

_PROMOTED_BLOCK = 32


def quantize(
    file: Path, scheme: str, quantized: Path, keep_float: Collection[str] = (), rows: Sequence[Feeds] = ()
) -> Path:
    """Write the small form of a float32 graph; the same arguments give the same bytes.

    Args:
        file: the float graph.
        scheme: which form, `parse_scheme` knows the names.
        quantized: where to write it.
        keep_float: names of nodes that stay as they are.
        rows: model inputs to calibrate on, for the schemes that are.

    Raises:
        UsageError: no such scheme, or one that needs rows and got none.
    """
    parsed = parse_scheme(scheme)
    if parsed is None or parsed.family == "float32":
        raise UsageError(f"{scheme!r} is no int8 scheme")
    if parsed.calibrated and not rows:
        raise UsageError(f"{scheme} is calibrated on texts, and there are none: give some with --data")
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

    # One BLAS thread: with two on a busy machine they wait for each other, measured 51 s instead of 1 s.
    with quiet(), threadpool_limits(1, user_api="blas"):
        return save_graph(_build(load_graph(file), parsed, quantized, rows, tuple(keep_float)), quantized)


def _build(model: Any, scheme: Scheme, scratch: Path, rows: Sequence[Feeds], keep_float: tuple[str, ...]) -> Any:
    if scheme.family in ("dynamic", "int8") and scheme.activations != "rows":  # whose products are scaled once more
        biases_to_products(model, keep_float)
    if scheme.family == "dynamic":
        return quantize_dynamically(model, scratch, keep_float)
    if scheme.family == "nbits":
        return quantize_blocks(model, scheme.bits, scheme.block, keep_float)
    if scheme.family == "qdq":
        return quantize_statically(model, scheme, scratch, rows, keep_float)
    return _int8(model, scheme, rows, keep_float)


def _int8(model: Any, scheme: Scheme, rows: Sequence[Feeds], keep_float: tuple[str, ...]) -> Any:
    """Smoothed int8 products, the most sensitive ones kept in a finer form."""
    products = products_of(model, keep_float)
    if not products:
        raise UsageError(f"the graph has no product with constant weights that {scheme.name} could make int8")
    seen = observe(model, [item.source for item in products], rows)
    together = {name: [item for item in products if item.source == name] for name in seen}
    factors = {name: smooth(items, seen[name], scheme.activations) for name, items in together.items()}
    kept: tuple[str, ...] = ()
    if scheme.share:
        errors = errors_of(model, products, rows, scheme.activations, seen, factors)
        kept = most_sensitive(errors, scheme.share)
    spans = {name: span_of(seen[name], factors[name]) for name in seen}
    graph = Int8Graph(model, scheme.activations, factors, spans)
    graph.replace([item for item in products if item.name not in kept])
    biases_into_products(model)
    if kept and scheme.kept == "nbits":
        model = blocks_only(model, scheme.bits, _PROMOTED_BLOCK, keep_float)
    quantize_tables(model, keep_float)
    return model
