"""Sizes from headers against files that a conversion made."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.bundle.manifest import read_bundle
from edgert_tools.planning.model import Dimensions, Model, TokenizerFacts
from edgert_tools.planning.sizes import SchemeName, size_in, sizes_of
from edgert_tools.planning.source import read_model
from edgert_tools.planning.weights import Weight

MODEL = "model.onnx"


def made_of(*weights: Weight, tied: bool = False, quantized: bool = False) -> Model:
    return Model(
        source="x",
        origin="test",
        architecture="x",
        task="embed",
        family="encoder",
        weights=weights,
        stored_bytes=1000,
        max_tokens=16,
        dimensions=Dimensions(),
        tokenizer=TokenizerFacts(""),
        license="MIT",
        blockers=(),
        tied_head=tied,
        quantized=quantized,
    )


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("float32", 4 * 100 * 64),
        ("dynamic-s8", 100 * 64 + 100 * 5),
        ("nbits8-b32", 100 * 64 + 100 * 2 * 4),
        ("nbits4-b32", 100 * 32 + 100 * 2 * 4),
    ],
)
def test_a_matrix_has_its_codes_and_its_scales(scheme: SchemeName, expected: int) -> None:
    assert size_in(made_of(Weight("w", "matrix", 100, 64)), scheme).size_bytes == expected


def test_a_row_that_is_no_multiple_of_the_block_is_padded() -> None:
    assert size_in(made_of(Weight("w", "matrix", 10, 33)), "nbits8-b32").size_bytes == 10 * 2 * (32 + 4)


def test_a_small_or_odd_table_stays_float_in_the_block_schemes() -> None:
    small, odd = Weight("t", "table", 100, 64), Weight("t", "table", 100_000, 33)
    for table in (small, odd):
        assert size_in(made_of(table), "nbits8-b32").size_bytes == 4 * table.values
    large = Weight("t", "table", 10_000, 64)
    assert size_in(made_of(large), "nbits4-b32").size_bytes == large.values + large.values // 32 * 4


def test_a_tied_head_is_a_second_matrix_in_columns_and_shares_its_codes_in_blocks() -> None:
    model = made_of(Weight("t", "table", 10_000, 64), tied=True)
    assert size_in(model, "float32").size_bytes == 4 * 640_000
    assert size_in(model, "dynamic-s8").size_bytes == 2 * 640_000 + 5 + 50_000
    assert size_in(model, "nbits4-b32").size_bytes == 320_000 + 20_000 * 4


def test_what_is_int8_already_keeps_its_size() -> None:
    (size,) = sizes_of(made_of(Weight("w", "codes", 1, 1000), quantized=True))
    assert (size.scheme, size.size_bytes) == ("as stored", 1000)


def test_the_parts_are_the_sum() -> None:
    model = made_of(Weight("w", "matrix", 100, 64), Weight("t", "table", 10_000, 64), Weight("b", "float", 1, 7))
    for size in sizes_of(model):
        assert sum(part.size_bytes for part in size.parts) == size.size_bytes


# Names and operators of the graph are not in the sum: 32 kB of MiniLM's 26 MB.
@pytest.mark.parametrize(("recipe", "scheme"), [("embed", "nbits8-b32"), ("home", "dynamic-s8")])
def test_sizes_of_the_real_minilm_are_within_one_percent_of_the_converted_file(
    minilm_folder: Path, embed_bundle: Path, home_bundle: Path, recipe: str, scheme: SchemeName
) -> None:
    bundle = {"embed": embed_bundle, "home": home_bundle}[recipe]
    assert read_bundle(bundle).model.scheme == scheme
    planned = size_in(read_model(str(minilm_folder)), scheme).size_bytes
    assert planned == pytest.approx((bundle / MODEL).stat().st_size, rel=0.01)
    measured = read_bundle(bundle).measured["size"]
    assert isinstance(measured, dict)
    float_bytes = size_in(read_model(str(minilm_folder)), "float32").size_bytes
    assert float_bytes == pytest.approx(measured["float_bytes"], rel=0.01)


def test_a_converted_graph_read_as_onnx_is_as_large_as_its_file(embed_bundle: Path) -> None:
    model = read_model(str(embed_bundle / MODEL))
    assert model.quantized
    assert model.stored_bytes == pytest.approx((embed_bundle / MODEL).stat().st_size, rel=0.01)
    assert model.parameters == pytest.approx(22.6e6 + 1.8e6 / 4 * 1.55, rel=0.05)  # scales count as numbers
