"""Sets of code points, and the table that is filled as characters are met."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.unicode import CharacterMap, CodePoints

SMALL = st.sets(st.integers(0, 300))


@given(SMALL)
def test_a_set_of_code_points_holds_exactly_its_members(members: set[int]) -> None:
    code_points = CodePoints.of(members)
    assert {code for code in range(-1, 303) if code in code_points} == members
    assert list(code_points) == sorted(members)
    assert len(code_points) == len(members)


@given(SMALL, SMALL)
def test_sets_of_code_points_are_joined_and_cut_as_sets_of_numbers_are(one: set[int], other: set[int]) -> None:
    left, right = CodePoints.of(one), CodePoints.of(other)
    assert left | right == CodePoints.of(one | other)
    assert left & right == CodePoints.of(one & other)
    assert left - right == CodePoints.of(one - other)
    assert left.complement().complement() == left
    assert (left.complement() & right) == CodePoints.of(other - one)


def test_the_complement_reaches_from_the_first_code_point_to_the_last() -> None:
    assert CodePoints([]).complement().ranges == ((0, 0x10FFFF),)
    assert CodePoints([(0, 4), (9, 0x10FFFF)]).complement().ranges == ((5, 8),)


@given(st.sets(st.integers(0, 127) | st.sampled_from([0x2028, 0xD800, 0xE000, 0x10FFFF]), min_size=1))
def test_a_set_as_a_class_of_a_regular_expression_matches_its_members_only(members: set[int]) -> None:
    pattern = re.compile(f"[{CodePoints.of(members).pattern()}]")
    text = "".join(map(chr, [*range(0x100), 0x2028, 0xD800, 0xE000, 0x10FFFF]))
    assert {ord(char) for char in pattern.findall(text)} == members


def test_a_character_map_gives_the_same_after_forgetting_and_never_grows_beyond_its_limit() -> None:
    upper = CharacterMap(lambda code: chr(code).upper())
    text = "".join(map(chr, range(0x20, 0xD000)))
    for _ in range(2):
        assert text.translate(upper) == "".join(char.upper() for char in text)
        assert len(upper) <= CharacterMap.LIMIT
