"""The file of tables: what is written is what is read, and what is packaged is small."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.code_points import ALL
from edge_runtime.tokenizer.unicode.tables import TABLES_PATH, Table, TableFile, packaged, write_file

LIMIT_BYTES = 150_000
CATEGORIES = [("Lu", 600), ("Nd", 600), ("Cn", ALL - 1200)]
CODES = st.integers(0, 90) | st.integers(0x10F000, 0x10FFFF)


def words(file: TableFile, name: str) -> list[str]:
    section = file.section(name)
    assert section is not None
    return section.split()


def read_back(**tables: Table) -> TableFile:
    return TableFile(write_file("tokenizers 1.2.3", {"category": CATEGORIES, **tables}))


@given(st.sets(CODES))
def test_a_set_survives(members: set[int]) -> None:
    assert read_back(some=CodePoints.of(members)).code_points("some") == CodePoints.of(members)


def test_a_long_set_is_written_as_what_differs_from_categories() -> None:
    half = CodePoints.of([*range(0, 600, 3), 5, *range(600, 1200, 3), *range(601, 1200, 3), 0x10FFFF])
    file = read_back(some=half)
    assert words(file, "some")[:6] == ["@Nd", "0", "3", "5-6", "9", "C"]
    assert words(file, "some")[-1] == "!4AF"
    assert file.code_points("some") == half
    whole = CodePoints.of({*range(600), *range(1000, 0x4000, 9)} - {17, 19})
    file = read_back(some=whole)
    assert words(file, "some")[:3] == ["@Lu", "3E8", "3F1"]
    assert words(file, "some")[-2:] == ["!11", "!13"]
    assert file.code_points("some") == whole


@given(st.dictionaries(CODES, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)))
def test_a_mapping_survives(mapping: Mapping[int, str]) -> None:
    assert read_back(some=mapping).mapping("some") == mapping


def test_a_mapping_that_advances_with_its_source_is_one_word() -> None:
    steps: Mapping[int, str] = {code: "x" + chr(code + 32) for code in range(0x41, 0x5B)}
    pairs: Mapping[int, str] = {code: chr(code + 1) for code in range(0x100, 0x130, 2)}
    file = read_back(steps=steps, pairs=pairs)
    assert words(file, "steps") == ["41-5A=78,61"]
    assert words(file, "pairs") == ["100-12E/2=101"]
    assert (file.mapping("steps"), file.mapping("pairs")) == (steps, pairs)


def test_a_partition_survives_and_can_be_read_as_sets() -> None:
    file = read_back()
    assert file.partition("category") == CATEGORIES
    assert file.by_value("category")["Nd"].ranges == ((600, 1199),)
    assert file.oracle == "tokenizers 1.2.3"


def test_the_packaged_file_is_small_ascii_text_and_names_the_oracle_it_comes_from() -> None:
    content = TABLES_PATH.read_bytes()
    assert content.isascii()
    assert len(content) < LIMIT_BYTES
    assert packaged().oracle.startswith("tokenizers 0.")
