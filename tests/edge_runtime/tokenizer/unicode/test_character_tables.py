"""The tables of single characters are those of the oracle, and canonical decomposition is Unicode's own."""

from __future__ import annotations

import pytest

from edge_runtime.tokenizer.unicode import CodePoints, load_tables
from tests.edge_runtime.tokenizer.unicode.unicode_data import ages, unicode_lines

OLDEST_TABLE = (9, 0)  # the Unicode version of the oracle's decomposition


def borders(*sets: CodePoints) -> list[str]:
    """Give the characters on both sides of every border of every range."""
    edges = {edge for members in sets for first, last in members.ranges for edge in (first - 1, first, last, last + 1)}
    return [chr(edge) for edge in sorted(edges) if 0 <= edge <= 0x10FFFF and not 0xD800 <= edge <= 0xDFFF]


def test_decomposition_is_the_one_of_the_unicode_normalization_test() -> None:
    tables, known = load_tables(), ages()
    compared = 0
    for line in unicode_lines("NormalizationTest.txt.bz2"):
        source, _, nfd = ("".join(chr(int(code, 16)) for code in field.split()) for field in line.split(";")[:3])
        if all(known[ord(char)] <= OLDEST_TABLE for char in source):
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


@pytest.mark.parametrize("name", ["white_space", "punctuation", "word", "numeric"])
def test_pre_tokenizers_cut_at_exactly_these_characters(name: str) -> None:
    pre_tokenizers = pytest.importorskip("tokenizers").pre_tokenizers
    cutter = {
        "white_space": pre_tokenizers.WhitespaceSplit(),
        "punctuation": pre_tokenizers.Punctuation("removed"),
        "word": pre_tokenizers.Whitespace(),
        "numeric": pre_tokenizers.Digits(individual_digits=True),
    }[name]
    members: CodePoints = getattr(load_tables(), name)
    wrong = [
        char
        for char in borders(members)
        if (cutter.pre_tokenize_str(f"a{char}a") != [(f"a{char}a", (0, 3))])
        != (ord(char) in (members.complement() if name == "word" else members))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "normalizer", "options", "replacement"),
    [
        ("removed", "BertNormalizer", {"clean_text": True}, ""),
        ("chinese", "BertNormalizer", {"handle_chinese_chars": True}, " X "),
        ("mark", "BertNormalizer", {"strip_accents": True}, ""),
        ("accent", "StripAccents", {}, ""),
        ("nmt_removed", "Nmt", {}, ""),
        ("nmt_space", "Nmt", {}, " "),
    ],
)
def test_normalizers_change_exactly_these_characters(
    name: str, normalizer: str, options: dict[str, bool], replacement: str
) -> None:
    normalizers = pytest.importorskip("tokenizers").normalizers
    if normalizer == "BertNormalizer":
        flags = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
        options = dict.fromkeys(flags, False) | options
    peer = getattr(normalizers, normalizer)(**options)
    members: CodePoints = getattr(load_tables(), name)
    whole = [char for char in borders(members) if ord(char) not in load_tables().decomposition]
    wrong = [
        char
        for char in whole
        if (peer.normalize_str(f"a{char}a") == f"a{replacement.replace('X', char)}a") != (ord(char) in members)
        and char != replacement
    ]
    assert wrong == []


def test_lower_casing_is_the_oracles_for_every_letter_it_changes_and_their_neighbours() -> None:
    peer = pytest.importorskip("tokenizers").normalizers.Lowercase()
    lower = load_tables().lower
    characters = borders(CodePoints.of(lower))
    assert len(characters) > 1_300
    assert [char for char in characters if peer.normalize_str(char) != lower.get(ord(char), char)] == []
