"""The character tables: what is packaged, and that canonical decomposition is Unicode's own."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.unicode import CharacterMap, CodePoints, load_tables, read_tables, write_tables

UNICODE_DATA = Path("/usr/share/unicode")  # Debian package unicode-data
OLDEST_TABLE = (9, 0)  # the Unicode version of the peer's decomposition


def packaged_text() -> str:
    return resources.files("edge_runtime.tokenizer").joinpath("unicode_tables.json").read_text(encoding="ascii")


def unicode_lines(name: str) -> Iterator[str]:
    path = UNICODE_DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is missing: install the Debian package unicode-data")
    content = path.read_bytes()
    for line in (bz2.decompress(content) if name.endswith(".bz2") else content).decode().splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("@"):
            yield line


def test_packaged_tables_survive_reading_and_writing_byte_for_byte() -> None:
    assert write_tables(read_tables(packaged_text())) == packaged_text()


def test_packaged_tables_are_small_and_name_the_oracle_they_come_from() -> None:
    assert len(packaged_text()) < 64 * 1024
    assert load_tables().oracle.startswith("tokenizers 0.")


def test_decomposition_is_the_one_of_the_unicode_normalization_test() -> None:
    tables = load_tables()
    ages: dict[int, tuple[int, ...]] = {}
    for line in unicode_lines("DerivedAge.txt"):
        span, age = (field.strip() for field in line.split(";"))
        first, _, last = span.partition("..")
        version = tuple(map(int, age.split(".")))
        ages.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), version))
    compared = 0
    for line in unicode_lines("NormalizationTest.txt.bz2"):
        source, _, nfd = ("".join(chr(int(code, 16)) for code in field.split()) for field in line.split(";")[:3])
        if all(ages[ord(char)] <= OLDEST_TABLE for char in source):
            assert tables.canonical_order("".join(tables.decompose(ord(char)) for char in source)) == nfd
            compared += 1
    assert compared > 15_000


@pytest.mark.parametrize(
    ("text", "ordered"),
    [
        ("a\u0301\u0316", "a\u0316\u0301"),  # class 230 goes behind 220
        ("a\u0301\u0300", "a\u0301\u0300"),  # equals keep their order
        ("\u0301a\u0316", "\u0301a\u0316"),  # a letter parts two runs
        ("a\u0301\u0941\u0316", "a\u0301\u0941\u0316"),  # so does a mark of class 0
        ("\U0001d165\u0316\U0001d16d", "\U0001d165\u0316\U0001d16d"),  # 216, 220, 226 stand in order
        ("\U0001d16d\u0316\U0001d165", "\U0001d165\u0316\U0001d16d"),
    ],
)
def test_combining_characters_are_sorted_by_class_within_their_run(text: str, ordered: str) -> None:
    assert load_tables().canonical_order(text) == ordered


@given(st.sets(st.integers(0, 300)))
def test_a_set_of_code_points_holds_exactly_its_members(members: set[int]) -> None:
    code_points = CodePoints.of(members)
    assert {code for code in range(-1, 303) if code in code_points} == members


def test_a_character_map_gives_the_same_after_forgetting_and_never_grows_beyond_its_limit() -> None:
    upper = CharacterMap(lambda code: chr(code).upper())
    text = "".join(map(chr, range(0x20, 0xD000)))
    for _ in range(2):
        assert text.translate(upper) == "".join(char.upper() for char in text)
        assert len(upper) <= CharacterMap.LIMIT
