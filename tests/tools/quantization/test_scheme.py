"""Names of schemes, and what is said of them."""

from __future__ import annotations

import pytest

from edgert_tools.quantization.scheme import PATTERNS, SEARCHED, Scheme, facts_of, parse_scheme


@pytest.mark.parametrize("name", SEARCHED)
def test_every_scheme_of_the_search_has_a_builder(name: str) -> None:
    scheme = parse_scheme(name)
    assert scheme is not None
    assert (scheme.name, scheme.family != "float32") == (name, True)


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("dynamic-s8", Scheme("dynamic-s8", "dynamic")),
        ("static-s8-smooth", Scheme("static-s8-smooth", "int8", activations="static")),
        ("rows-s8-smooth", Scheme("rows-s8-smooth", "int8", activations="rows")),
        ("mixed", Scheme("mixed", "int8", share=50)),
        ("mixed-30", Scheme("mixed-30", "int8", share=30)),
        ("mixed-rows-75-float", Scheme("mixed-rows-75-float", "int8", activations="rows", share=75, kept="float")),
        ("nbits4-b32", Scheme("nbits4-b32", "nbits", bits=4, block=32)),
        ("nbits8-b128", Scheme("nbits8-b128", "nbits", bits=8, block=128)),
        (
            "qdq-s8s8-entropy-all",
            Scheme("qdq-s8s8-entropy-all", "qdq", form="s8", method="entropy", all_operators=True),
        ),
    ],
)
def test_a_name_is_taken_apart(name: str, scheme: Scheme) -> None:
    assert parse_scheme(name) == scheme


@pytest.mark.parametrize(
    "name",
    [
        *("", "int4", "nbits8", "nbits8-b33", "nbits4-b128", "nbits2-b32", "mixed-0", "mixed-100", "mixed-dynamic-50"),
        *("qdq-u8u8-minmax", "qdq-u8s8", "dynamic-s8-smooth ", "DYNAMIC-S8", "mixed-50-float-rows"),
    ],
)
def test_any_other_name_is_no_scheme(name: str) -> None:
    assert parse_scheme(name) is None


def test_answers_depend_on_the_batch_only_where_a_scale_is_taken_over_a_whole_tensor_at_each_run() -> None:
    named = [*SEARCHED, "mixed-static-50", "qdq-s8s8-minmax-all", "float32"]
    dependent = {name for name in named if not facts_of(name).batch_invariant}
    assert dependent == {"dynamic-s8", "dynamic-s8-smooth", "mixed-50"}


def test_schemes_with_blocks_are_not_for_cores_without_dot_product() -> None:
    for name in (*SEARCHED, "mixed-50-float"):
        facts = facts_of(name)
        assert "NPU" not in facts.caution
        blocks = name.startswith("nbits") or (name.startswith("mixed") and not name.endswith("float"))
        assert ("cpu-aarch64" not in facts.targets) == blocks == bool(facts.caution), name


def test_only_what_looks_at_activations_beforehand_needs_rows() -> None:
    free = {name for name in SEARCHED if (scheme := parse_scheme(name)) and not scheme.calibrated}
    assert free == {"dynamic-s8", "nbits8-b32", "nbits8-b64", "nbits8-b128", "nbits4-b32"}


def test_the_message_for_a_wrong_name_lists_every_kind() -> None:
    for word in ("dynamic-s8-smooth", "mixed", "nbits4-b32", "minmax", "-all", "-float"):
        assert word in PATTERNS


def test_activations_of_16_bits_are_said_to_be_for_npus() -> None:
    scheme = parse_scheme("qdq-u16s8-minmax-all")
    assert scheme == Scheme("qdq-u16s8-minmax-all", "qdq", form="u16", method="minmax", all_operators=True)
    assert "NPU" in facts_of(scheme.name).caution
