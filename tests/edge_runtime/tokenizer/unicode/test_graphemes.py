"""Grapheme clusters, compared with how the oracle's `Precompiled` cuts texts, and with Unicode's own test."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.unicode.graphemes import KINDS, all_alone, graphemes, joining
from edge_runtime.tokenizer.unicode.tables import packaged
from tests.edge_runtime.tokenizer.plain.charsmap_file import compile_charsmap
from tests.edge_runtime.tokenizer.unicode.unicode_data import unicode_lines

# The linkers of conjuncts that every version of the oracle knows; later ones know more of them, and more consonants.
OLD_LINKERS = "\u094d\u09cd\u0acd\u0b4d\u0c4d\u0d4d"
OLD_CONSONANTS = "\u0915\u0939\u0995\u0c15"

NO_MORE_PICTOGRAPHIC = "2701"  # since Unicode 17; Debian's test is that of Unicode 15


def examples() -> dict[str, list[str]]:
    """Give characters of each kind: at the ends, and in the middle of what there is."""
    by_kind: dict[str, list[str]] = {}
    for kind in KINDS:
        codes = [code for code in packaged().by_value("grapheme")[kind] if not 0xD800 <= code <= 0xDFFF]
        by_kind[kind] = [chr(codes[at * (len(codes) - 1) // 8]) for at in range(9)]
    by_kind["Linker"], by_kind["Consonant"] = list(OLD_LINKERS), list(OLD_CONSONANTS)
    return by_kind


EXAMPLES = sorted({*(char for chars in examples().values() for char in chars), *"a\xa9\xae\u0300\u0301\r\n"} - {"\0"})
CHARACTERS = st.sampled_from(EXAMPLES) | st.sampled_from(["\r\n", "\u200d", "\u0301", "\u094d", "\xa9", "\u0915"])
TEXTS = st.lists(CHARACTERS, max_size=14).map("".join)
MARKS = {char: "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[place % 26] for place, char in enumerate(EXAMPLES)}


def mapped(text: str, marks: Mapping[str, str]) -> str:
    """Map clusters of less than 6 bytes by how they start, and longer ones character by character."""
    short = [[cluster] if len(cluster.encode()) < 6 else list(cluster) for cluster in graphemes(text)]
    return "".join(marks.get(part[0], part) for parts in short for part in parts)


@given(TEXTS)
def test_clusters_are_those_that_the_oracle_looks_up(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    peer = tokenizers.normalizers.Precompiled(compile_charsmap(MARKS))
    assert mapped(text, MARKS) == peer.normalize_str(text)


@given(TEXTS)
def test_clusters_joined_are_the_text(text: str) -> None:
    clusters = graphemes(text)
    assert "".join(clusters) == text
    assert "" not in clusters


@given(TEXTS)
def test_a_text_is_called_all_alone_only_if_it_is(text: str) -> None:
    if all_alone(text):
        assert graphemes(text) == list(text)
    if "\r\n" not in text and all(ord(char) not in joining() for char in text):
        assert graphemes(text) == list(text)


def test_the_unicode_grapheme_break_test_is_passed() -> None:
    compared = 0
    for line in unicode_lines("auxiliary/GraphemeBreakTest.txt"):
        parts = line.replace("\xd7", "").split("\xf7")
        clusters = ["".join(chr(int(code, 16)) for code in part.split()) for part in parts]
        if NO_MORE_PICTOGRAPHIC not in line:
            assert graphemes("".join(clusters)) == [cluster for cluster in clusters if cluster]
            compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("e\u0301\r\n\n", ["e\u0301", "\r\n", "\n"]),
        ("\u0915\u094d\u0937", ["\u0915\u094d\u0937"]),  # a conjunct is one, newer than the test of Unicode 15
        ("\u0915\u094d\u200c\u0937", ["\u0915\u094d\u200c", "\u0937"]),
        ("\u1100\u1161\u11a8\uac00\u11a8", ["\u1100\u1161\u11a8", "\uac00\u11a8"]),
        (
            "\U0001f468\u200d\U0001f469\U0001f1e6\U0001f1e7\U0001f1e8",
            ["\U0001f468\u200d\U0001f469", "\U0001f1e6\U0001f1e7", "\U0001f1e8"],
        ),
        ("\u0600\u0600a\u0600\n", ["\u0600\u0600a", "\u0600", "\n"]),
        (" \u0301", [" \u0301"]),
    ],
)
def test_clusters_follow_the_rules_of_the_annex(text: str, clusters: list[str]) -> None:
    assert graphemes(text) == clusters


@pytest.mark.parametrize("unit", ["\u0301", "\u094d", "\u0915\u094d", "\u0600", "\U0001f468\u200d", "\u1100", "\u200d"])
def test_a_long_cluster_takes_linear_time(unit: str) -> None:
    text = "\u0915" + unit * 200_000  # quadratic work on it would take hours
    assert "".join(graphemes(text)) == text
