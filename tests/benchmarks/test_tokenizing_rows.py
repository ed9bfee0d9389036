"""A row says whether its goal is met, and a wrong result is never a success."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from benchmarks.tokenizing.rows import Goal, Row

ROW = Row("minilm", "batch", "MB/s", "tokenizers 1", theirs=2.0, warm=80.0, cold=30.0, goal=Goal(35, 15), differing=0)


def test_more_megabytes_a_second_are_better_and_less_time_is() -> None:
    assert ROW.ratio(ROW.warm) == 40
    assert replace(ROW, unit="us").ratio(ROW.warm) == 1 / 40


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "met"),
        ({"warm": 69.0}, "missed"),
        ({"cold": 29.0}, "missed"),
        ({"goal": Goal()}, ""),
        ({"goal": Goal(limit=3), "unit": "ms", "warm": 2.9}, "met"),
        ({"goal": Goal(limit=3), "unit": "ms", "warm": 3.1}, "missed"),
        ({"differing": 1}, "WRONG"),
    ],
)
def test_a_verdict_needs_every_part_of_the_goal_and_no_difference(changed: dict[str, object], verdict: str) -> None:
    assert replace(ROW, **changed).verdict == verdict  # type: ignore[arg-type]


def test_a_row_comes_back_from_a_child_process_as_it_was() -> None:
    assert Row.from_json(json.loads(json.dumps(ROW.to_json()))) == ROW
