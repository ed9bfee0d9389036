from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as some

from firmware_bridge.smp.ranges import MOST_RANGES, Ranges

PAIRS = some.lists(some.tuples(some.integers(0, 60), some.integers(0, 60)), max_size=30)


@given(PAIRS)
def test_ranges_are_the_set_of_the_bytes_that_were_added(pairs: list[tuple[int, int]]) -> None:
    ranges, plain = Ranges(), set[int]()
    for start, end in pairs:
        new = ranges.add(start, end)
        assert new == len(set(range(start, end)) - plain)
        plain |= set(range(start, end))
    assert {byte for start, end in ranges for byte in range(start, end)} == plain
    assert ranges.total == len(plain)
    assert ranges.prefix == next(byte for byte in range(62) if byte not in plain)
    flat = [place for pair in ranges for place in pair]
    assert all(here < there for here, there in pairwise(flat))  # sorted, and none touch


@given(PAIRS, some.integers(0, 60), some.integers(0, 60))
def test_covers_says_whether_all_bytes_are_there(pairs: list[tuple[int, int]], start: int, end: int) -> None:
    plain = {byte for first, last in pairs for byte in range(first, last)}
    assert Ranges(pairs).covers(start, end) == (set(range(start, end)) <= plain)


def test_what_lies_behind_the_first_gap_is_told_flat() -> None:
    assert Ranges([(0, 10), (20, 30), (40, 50), (60, 70)]).after_prefix(2) == (20, 30, 40, 50)


def test_there_is_no_room_for_ever_more_gaps_but_always_for_closing_one() -> None:
    ranges = Ranges((2 * index, 2 * index + 1) for index in range(MOST_RANGES))
    assert not ranges.room_for(5000, 5001)
    assert ranges.room_for(1, 2)
