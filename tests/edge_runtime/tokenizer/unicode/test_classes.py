r"""Classes of regular expressions are those of the oracle's engine; arrays say what the sets say."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.tokenizer.unicode import CodePoints, classes, load_tables
from edge_runtime.tokenizer.unicode.code_points import ALL
from edge_runtime.tokenizer.unicode.graphemes import KINDS
from edge_runtime.tokenizer.unicode.normal_forms import normal_form
from edge_runtime.tokenizer.unicode.tables import packaged

SCRIPTS = sorted(packaged().by_value("script"))
PROPERTIES = (
    *(*classes.CATEGORY_NAMES, *classes.CATEGORY_NAMES.values(), *classes.GROUPS, *classes.GROUP_NAMES.values()),
    *("Alpha", "alnum", "Space", "DIGIT", "xdigit", "Punct", "posixpunct", "upper", "Lowercase", "White_Space", "Word"),
    *("ascii", "blank", "cntrl", "graph", "print", "Emoji", "Extended_Pictographic", "combining-mark", "cased letter"),
)


def sample() -> str:
    """Give Latin-1, and both sides of every border between categories, scripts and runs of emoji."""
    starts = set(range(0x100))
    for members in [*packaged().by_value("category").values(), *packaged().by_value("script").values()]:
        starts |= {edge for first, last in members.ranges for edge in (first, last)}
    starts |= {
        edge for span in packaged().code_points("regex_emoji").ranges for edge in (span[0] - 1, *span, span[1] + 1)
    }
    return "".join(chr(code) for code in sorted(starts) if not 0xD800 <= code <= 0xDFFF)


SAMPLE = sample()


def kept(pattern: str) -> set[str]:
    """Give the characters of the sample that the oracle's engine does not match."""
    tokenizers = pytest.importorskip("tokenizers", reason="the oracle is missing: pip install tokenizers")
    return set(tokenizers.normalizers.Replace(tokenizers.Regex(pattern), "").normalize_str(SAMPLE))


def outside(members: CodePoints | None) -> set[str]:
    assert members is not None
    return {char for char in SAMPLE if ord(char) not in members}


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_property_matches_what_the_oracle_says(name: str) -> None:
    assert kept(rf"\p{{{name}}}") == outside(classes.regex_class(name))


def test_every_script_matches_what_the_oracle_says() -> None:
    assert len(SCRIPTS) > 160
    assert [name for name in SCRIPTS if kept(rf"\p{{{name}}}") != outside(classes.regex_class(name))] == []


@pytest.mark.parametrize("name", classes.BRACKET_NAMES)
def test_a_class_in_brackets_matches_what_the_oracle_says(name: str) -> None:
    assert kept(f"[[:{name}:]]") == outside(classes.bracket_class(name))


@pytest.mark.parametrize(("letter", "name"), [("s", "space"), ("d", "digit"), ("h", "xdigit"), ("w", "word")])
def test_a_shorthand_in_brackets_is_the_class_of_that_name(letter: str, name: str) -> None:
    assert kept(f"[\\{letter}]") == outside(classes.bracket_class(name))


def test_outside_of_brackets_word_characters_are_more_than_inside() -> None:
    assert kept(r"\w") == outside(classes.bare_word())
    assert outside(classes.bracket_class("word")) - outside(classes.bare_word()) == set("\xb2\xb3\xb9\xbc\xbd\xbe")


@pytest.mark.parametrize("name", ["", "X", "Lx", "Klingon", "In_Basic_Latin", "Tail", "\u017fpace", "^L"])
def test_a_property_that_is_not_known_gives_none(name: str) -> None:
    assert classes.regex_class(name) is None


def test_a_class_in_brackets_that_is_not_known_gives_none() -> None:
    assert classes.bracket_class("letters") is None


def test_categories_as_an_array_are_the_categories_as_sets() -> None:
    numbers = classes.code_point_classes("category")
    assert (numbers.shape, numbers.dtype.name, numbers.flags.writeable) == ((ALL,), "uint8", False)
    for number, name in enumerate(classes.CATEGORIES):
        assert np.array_equal(numbers == number, classes.members(packaged().by_value("category")[name]) == 1)


def test_categories_can_be_numbered_by_group_and_the_last_number_counts() -> None:
    numbers = classes.category_classes({"L": 7, "Lu": 9, "N": 2})
    assert [numbers[ord(char)] for char in "aA1 \u01c5\xbd\u0301"] == [7, 9, 2, 0, 7, 2, 0]


@pytest.mark.parametrize("name", ["white_space", "punctuation", "NFC", "NFKD"])
def test_a_set_as_an_array_has_a_one_for_each_member(name: str) -> None:
    members = normal_form(name).stable if name.startswith("NF") else getattr(load_tables(), name)
    assert np.flatnonzero(classes.code_point_classes(name)).tolist() == list(members)


def test_kinds_of_clusters_as_an_array_are_numbered_as_listed() -> None:
    numbers = classes.code_point_classes("grapheme")
    examples = {"a": "Other", "\n": "Control", "\u200d": "ZWJ", "\u1100": "L", "\uac00": "LV", "\uac01": "LVT"}
    assert {char: KINDS[numbers[ord(char)]] for char in examples} == examples
