"""Keys of byte ranges, and the table that is asked by them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.tokenizer.vector.base import joined
from edge_runtime.tokenizer.vector.keys import INLINE, LONGEST, keys_of, word_view
from edge_runtime.tokenizer.vector.rows import Rows, distinct

# Few different bytes, zero among them: so equal and nearly equal ranges are common.
RANGES = st.lists(st.binary(max_size=LONGEST).map(lambda raw: bytes(byte % 3 for byte in raw)), max_size=60)


def keys(ranges: list[bytes]) -> list[tuple[int, int]]:
    buffer, starts, lengths = joined(ranges)
    low, high = keys_of(word_view(buffer), starts, lengths)
    return list(zip(low.tolist(), high.tolist(), strict=True))


@given(RANGES)
def test_ranges_have_the_same_key_exactly_if_they_are_equal(ranges: list[bytes]) -> None:
    found = keys(ranges)
    for first, key in zip(ranges, found, strict=True):
        for second, other in zip(ranges, found, strict=True):
            assert (first == second) == (key == other)


def test_a_zero_byte_more_makes_another_key() -> None:
    assert len(set(keys([bytes(size) for size in range(LONGEST + 1)]))) == LONGEST + 1


def test_the_key_of_a_range_does_not_depend_on_what_stands_around_it() -> None:
    for size in (0, 1, 7, 8, 9, INLINE, INLINE + 1, 17, 24, 25, LONGEST):
        word = bytes(1 + at % 200 for at in range(size))
        buffer, starts, lengths = joined([b"before", word, b"\xff" * 40, word, b"x"])
        low, high = keys_of(word_view(buffer), starts, lengths)
        assert (low[1], high[1]) == (low[3], high[3])


@given(RANGES)
def test_distinct_names_one_range_of_each_kind(ranges: list[bytes]) -> None:
    buffer, starts, lengths = joined(ranges)
    first, group = distinct(*keys_of(word_view(buffer), starts, lengths))
    assert sorted(ranges[at] for at in first) == sorted(set(ranges))
    assert [ranges[first[place]] for place in group] == ranges


@given(RANGES, st.integers(0, 60), st.booleans())
def test_a_table_finds_what_was_put_in_and_nothing_else(ranges: list[bytes], known: int, crowded: bool) -> None:
    ranges = sorted(set(ranges))
    buffer, starts, lengths = joined(ranges)
    low, high = keys_of(word_view(buffer), starts, lengths)
    # With these multipliers every key wants the same row.
    table = Rows.empty(130, (np.uint64(0), np.uint64(0)) if crowded else None)
    values = np.arange(1, len(ranges) + 1).astype(np.uint64)
    table.insert(low[:known], high[:known], values[:known])
    seen = np.zeros(len(table), np.bool_)
    found = table.find(low, high, seen)
    assert found.tolist() == values[:known].tolist() + [0] * max(len(ranges) - known, 0)
    assert np.array_equal(seen, table.rows[:, 1] != 0)
