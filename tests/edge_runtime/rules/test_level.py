"""Windows, delays, hysteresis and cooldown: what starts ends, and never the one without the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.rules.condition import Condition
from edge_runtime.rules.level import Change, Level
from edge_runtime.rules.rule import Rule


def rule(**keys: Any) -> Rule:
    return Rule(**{"name": "r", "topic": "t", **keys})


def changes(samples: Sequence[tuple[float, bool | None]], **keys: Any) -> list[tuple[float, Change]]:
    """What samples (or ticks: None) at these seconds bring about."""
    level, found = Level(rule(**keys)), list[tuple[float, Change]]()
    for now_s, holds in samples:
        change = level.tick(now_s) if holds is None else level.sample(holds, now_s)
        if change:
            found.append((now_s, change))
    return found


def every_second(text: str) -> list[tuple[float, bool | None]]:
    """`1` holds, `0` does not, `.` is a tick: one a second."""
    return [(float(at), {"1": True, "0": False, ".": None}[mark]) for at, mark in enumerate(text)]


@pytest.mark.parametrize(
    ("samples", "keys", "expected"),
    [
        ("0110", {}, [(1, "start"), (3, "end")]),
        ("1", {}, [(0, "start")]),
        ("...0..", {}, []),
        ("0101100000", {"at_least": 3, "of_last": 4}, [(4, "start"), (5, "end")]),
        ("1.1.0.11111", {"for_s": 3}, [(3, "start"), (4, "end"), (9, "start")]),
        ("1....", {"for_s": 3}, [(3, "start")]),  # a sensor that only tells of changes
        ("101010", {"for_s": 2}, []),
        ("1010001", {"clear_s": 2}, [(0, "start"), (5, "end"), (6, "start")]),
        ("10...", {"clear_s": 2}, [(0, "start"), (3, "end")]),
        ("1010100000", {"cooldown_s": 5}, [(0, "start"), (1, "end")]),
        ("1011111", {"cooldown_s": 5}, [(0, "start"), (1, "end"), (5, "start")]),
        ("101.....", {"cooldown_s": 5}, [(0, "start"), (1, "end"), (5, "start")]),
        ("0110.1", {"events": "each"}, [(1, "match"), (2, "match"), (5, "match")]),
        ("1111111", {"events": "each", "at_least": 3, "of_last": 3}, [(2, "match"), (5, "match")]),
        ("1101100", {"events": "each", "at_least": 2, "of_last": 3, "cooldown_s": 9}, [(1, "match")]),
        ("11011", {"events": "each", "cooldown_s": 3}, [(0, "match"), (3, "match")]),
        ("1000", {"events": "each", "of_last": 4}, [(0, "match")]),  # told of what holds, not of what held
    ],
)
def test_samples_bring_about(samples: str, keys: dict[str, Any], expected: list[tuple[float, Change]]) -> None:
    assert changes(every_second(samples), **keys) == expected


def test_a_retained_state_of_an_earlier_run_is_put_right_once() -> None:
    assert changes(every_second("..00.0"), retain=True) == [(2, "end")]
    assert changes(every_second("0...."), retain=True, clear_s=2) == [(2, "end")]
    late = [(100.0 + at, holds) for at, holds in every_second("0...")]
    assert changes(late, retain=True, clear_s=2) == [(102, "end")]
    assert changes(every_second("1.0"), retain=True) == [(0, "start"), (2, "end")]
    assert changes(every_second("00"), retain=True, events="start") == []


def truth(values: Sequence[object], **keys: Any) -> list[bool | None]:
    condition = Condition(rule(**keys))
    return [condition.of_value(value) for value in values]


def test_above_ends_only_when_the_value_has_come_back_by_the_hysteresis() -> None:
    assert truth([28.0, 28.1, 27.5, 27.1, 27.0, 27.5], above=28.0, hysteresis=1.0) == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_below_likewise() -> None:
    assert truth([10.0, 9.9, 10.9, 11.0, 10.5], below=10.0, hysteresis=1.0) == [False, True, True, False, False]


def test_outside_of_a_band_each_side_has_its_own_hysteresis() -> None:
    assert truth([29, 27.5, 9.5, 10.5, 27.5, 11], above=28.0, below=10.0, hysteresis=1.0) == [
        True,
        True,
        True,
        True,
        False,
        False,
    ]


def test_what_is_no_number_is_not_judged_and_forgets_nothing() -> None:
    assert truth([29, "offline", None, 27.5], above=28.0, hysteresis=1.0) == [True, None, None, True]


def test_equals_compares_as_text() -> None:
    assert truth([True, "true", "ON", 1, False], equals=("true", "1")) == [True, True, False, True, False]


def test_a_score_ends_only_when_it_has_come_back_by_the_hysteresis_or_the_label_is_another() -> None:
    condition = Condition(rule(labels=("yes", "maybe"), score=0.8, hysteresis=0.2))
    answers = [("yes", 0.7), ("yes", 0.8), ("maybe", 0.65), ("yes", 0.55), ("yes", 0.7), ("yes", 0.9), ("no", 1.0)]
    assert [condition.of_answer(*answer) for answer in answers] == [False, True, True, False, False, True, False]


def test_any_label_will_do_where_none_is_named() -> None:
    condition = Condition(rule(score=0.5))
    assert [condition.of_answer("a", 0.5), condition.of_answer("b", 0.4)] == [True, False]


timed = st.lists(st.tuples(st.floats(0.1, 20.0), st.sampled_from([True, False, None])), max_size=60)
settings_of_rules = st.fixed_dictionaries(
    {
        "for_s": st.sampled_from([0.0, 3.0]),
        "clear_s": st.sampled_from([0.0, 4.0]),
        "cooldown_s": st.sampled_from([0.0, 10.0]),
        "of_last": st.sampled_from([3, 4]),
        "at_least": st.integers(1, 3),
        "events": st.sampled_from(["change", "each"]),
    }
)


@settings(max_examples=300, deadline=None)
@given(timed, settings_of_rules)
def test_starts_and_ends_take_turns_and_no_delay_is_cut_short(
    steps: list[tuple[float, bool | None]], keys: dict[str, Any]
) -> None:
    now_s, samples = 0.0, list[tuple[float, bool | None]]()
    for gap_s, holds in steps:
        now_s += gap_s
        samples.append((now_s, holds))
    found = changes(samples, **keys)
    begins = [at for at, change in found if change != "end"]
    assert all(later - earlier >= keys["cooldown_s"] for earlier, later in itertools.pairwise(begins))
    if keys["events"] == "each":
        assert {change for _, change in found} <= {"match"}
        assert all((at, True) in samples for at, _ in found)
        return
    assert [change for _, change in found] == ["start", "end"] * (len(found) // 2) + ["start"] * (len(found) % 2)
    for at, change in found:
        delay_s = keys["for_s"] if change == "start" else keys["clear_s"]
        heard = [(when, holds) for when, holds in samples if holds is not None and when <= at]
        enough = [
            sum(bool(holds) for _, holds in heard[max(0, end - keys["of_last"]) : end]) >= keys["at_least"]
            for end in range(1, len(heard) + 1)
        ]
        lasted = [when for (when, _), hit in zip(heard, enough, strict=True) if hit != (change == "start")]
        first = next((when for when, _ in heard if not lasted or when > lasted[-1]), None)
        assert first is not None
        assert at - first >= delay_s


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-5.0, 5.0), max_size=60), st.floats(0.0, 3.0))
def test_within_the_hysteresis_nothing_changes(values: list[float], slack: float) -> None:
    held = truth(values, above=1.0, hysteresis=slack)
    before: bool | None = False
    for value, now in zip(values, held, strict=True):
        if value > 1.0:
            assert now is True
        elif value <= 1.0 - slack:
            assert now is False
        else:
            assert now is before
        before = now
