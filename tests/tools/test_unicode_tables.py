"""The generator of the character tables: what it says of the packaged file, and what it refuses to write."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")

import tokenizers

from edge_runtime.tokenizer.unicode import CodePoints, load_tables
from edge_runtime.tokenizer.unicode.tables import Table, packaged
from edgert_tools.unicode_tables import __main__ as generator
from edgert_tools.unicode_tables import clusters, normal_forms, probes, regular_expressions

INSTALLED = f"tokenizers {tokenizers.__version__}"
SMALL: dict[str, Table] = {"category": [("Cn", 0x110000)], "some": CodePoints([(1, 2)])}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the generator writes, instead of into the package."""
    monkeypatch.setattr(generator, "TABLES_PATH", tmp_path / "tables.txt")
    return tmp_path / "tables.txt"


def answer_with(tables: dict[str, Table], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "collect", lambda: tables)


def test_a_check_names_the_sections_that_differ_and_writes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(SMALL, monkeypatch)
    assert generator.main([]) == 0
    written = path.read_text()
    answer_with({**SMALL, "some": CodePoints([(1, 3)]), "more": CodePoints([])}, monkeypatch)
    capsys.readouterr()
    assert generator.main(["--check"]) == 1
    assert capsys.readouterr().out == f"tables.txt: {INSTALLED} differs from {INSTALLED} in some, more\n"
    assert path.read_text() == written


def test_tables_from_another_version_are_unchanged_if_they_say_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_with(SMALL, monkeypatch)
    generator.main([])
    path.write_text(path.read_text().replace(INSTALLED, "tokenizers 0.1.0"))
    capsys.readouterr()
    assert generator.main(["--check"]) == 0
    assert capsys.readouterr().out == "tables.txt: unchanged\n"


def test_the_packaged_tables_of_normal_forms_are_what_the_oracle_gives() -> None:
    sections = normal_forms.collect()
    assert sections["decomposition"] == load_tables().decomposition
    assert sections["compatibility"] == load_tables().compatibility
    assert sections["combining_class"] == packaged().partition("combining_class")


def test_the_packaged_case_folds_are_what_the_oracle_gives() -> None:
    assert regular_expressions.case_folds() == packaged().mapping("case_fold")


def test_a_combining_class_without_example_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = {value: char for value, char in normal_forms.CLASS_EXAMPLES.items() if value != 224}
    monkeypatch.setattr(normal_forms, "CLASS_EXAMPLES", examples)
    nfd = tokenizers.normalizers.NFD()
    assert normal_forms.combining_class(nfd, "\u0345") == 240
    with pytest.raises(ValueError, match=r"U\+302E"):
        normal_forms.combining_class(nfd, "\u302e")


def test_a_code_point_of_two_kinds_stops_the_generator() -> None:
    kinds = [("A", CodePoints([(1, 5)])), ("B", CodePoints([(5, 9)]))]
    with pytest.raises(ValueError, match=r"U\+0005 is both A and B"):
        probes.partition(kinds, default="C")


def test_a_partition_gives_what_no_set_holds_the_default() -> None:
    kinds = [("B", CodePoints([(5, 9)])), ("A", CodePoints([(1, 4), (20, 0x10FFFF)]))]
    runs = [("C", 1), ("A", 4), ("B", 5), ("C", 10), ("A", 0x110000 - 20)]
    assert probes.partition(kinds, default="C") == runs
    assert probes.partition([], default="C") == [("C", 0x110000)]
    assert probes.partition([("C", CodePoints([(5, 9)]))], default="C") == [("C", 0x110000)]


def test_a_normalizer_that_changes_the_separator_is_not_believed() -> None:
    with pytest.raises(ValueError, match="changes the character '0'"):
        probes.normalize(tokenizers.normalizers.Replace("0", ""), ["a", "b"])


def test_a_map_of_characters_is_one_to_the_oracle() -> None:
    replacements = {"a": "1", "\xe9": "22", "\u1100": "", "\U0001f600": "4", "\xea": "22"}
    peer = tokenizers.normalizers.Precompiled(clusters.character_map(replacements))
    assert peer.normalize_str("ab\xe9\xea\xeb\u1100\u1101\U0001f600\U0001f601") == "1b2222\xeb\u11014\U0001f601"
