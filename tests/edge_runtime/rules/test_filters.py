"""MQTT filters match what the specification says, and what two of them share is known without a broker."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.rules.filters import covers, is_filter, is_topic, matches, overlap, without_covered


@pytest.mark.parametrize(
    ("filter_text", "topic", "expected"),
    [  # MQTT 5.0, 4.7.1 and 4.7.2: the examples there
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "anything/at/all", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("a/$b/+", "a/$b/c", True),  # $ is special at the beginning only
        ("+/$b", "a/$b", True),
        ("a/b", "a/b", True),
        ("a/b", "A/b", False),
        ("a/b", "a/b/c", False),
        ("a/b/c", "a/b", False),
        ("a/+/c/#", "a//c", True),
    ],
)
def test_a_filter_matches_as_the_specification_says(filter_text: str, topic: str, expected: bool) -> None:
    assert matches(filter_text, topic) is expected


@pytest.mark.parametrize("text", ["a", "/", "a//b", "+", "#", "+/#", "a/+/b", "$SYS/#", "/#", "ä/b c"])
def test_filters_are_taken(text: str) -> None:
    assert is_filter(text)


@pytest.mark.parametrize("text", ["", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+", "a\0b", "##", "x" * 65536, "\ud800"])
def test_what_is_no_filter_is_not_taken(text: str) -> None:
    assert not is_filter(text)


@pytest.mark.parametrize("text", ["", "a/+", "#", "a\0", "\udfff", "ä" * 32768])
def test_what_is_no_topic_is_not_taken(text: str) -> None:
    assert not is_topic(text)


LEVELS = ["", "a", "b", "$x"]
TOPICS = ["/".join(levels) for length in (1, 2, 3) for levels in itertools.product(LEVELS, repeat=length)]
filters = st.lists(st.sampled_from([*LEVELS, "+", "+"]), min_size=1, max_size=3).flatmap(
    lambda levels: st.sampled_from(["/".join(levels), "/".join([*levels, "#"]), "/".join([*levels[:-1], "#"])])
)
# Long enough for all that `#` can mean; with the empty text, which is no topic: all that `/#` and `+` share.
DEEP = [*TOPICS, *("/".join(levels) for levels in itertools.product(["a", "b", "$x", ""], repeat=4))]


def _matched(filter_text: str) -> set[str]:
    """The topics that a filter matches, decided the slow way: level by level as the specification words it."""
    found = set()
    for topic in DEEP:
        if topic.startswith("$") and filter_text[0] in "+#":
            continue
        pattern, levels = filter_text.split("/"), topic.split("/")
        if pattern[-1] == "#":
            pattern = pattern[:-1]
            levels = levels[: len(pattern)] if len(levels) >= len(pattern) else levels
        if len(pattern) == len(levels) and all(p in ("+", level) for p, level in zip(pattern, levels, strict=True)):
            found.add(topic)
    return found


@settings(max_examples=300, deadline=None)
@given(filters.filter(is_filter), filters.filter(is_filter))
def test_matching_covering_and_overlapping_agree_with_all_topics_tried(one: str, other: str) -> None:
    ones, others = _matched(one), _matched(other)
    assert {topic for topic in DEEP if matches(one, topic)} == ones
    assert overlap(one, other) == overlap(other, one) == bool(ones & others)
    if covers(one, other):
        assert others <= ones
    if covers(one, other) and covers(other, one):
        assert ones == others


@settings(max_examples=200, deadline=None)
@given(st.lists(filters.filter(is_filter), max_size=6))
def test_leaving_out_covered_filters_changes_nothing_that_arrives(texts: list[str]) -> None:
    kept = without_covered(texts)
    assert set(kept) <= set(texts)
    assert set().union(*map(_matched, texts)) == set().union(*map(_matched, kept))
    assert not any(covers(one, other) for one, other in itertools.permutations(kept, 2))
