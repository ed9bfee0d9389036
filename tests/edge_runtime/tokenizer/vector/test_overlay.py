"""What is remembered of segments, and that it is bounded."""

from __future__ import annotations

import numpy as np

from edge_runtime.tokenizer.vector.base import joined
from edge_runtime.tokenizer.vector.core import Pieces, SegmentCore
from edge_runtime.tokenizer.vector.keys import LONGEST, Bytes, Index

BUDGET = 400_000
SINGLES = 256


class Spelling:
    """Gives each segment its own bytes as ids, doubled after an `x`; `asked` counts the segments."""

    def __init__(self) -> None:
        self.asked = 0

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        segments = [buffer[start : start + size].tobytes() for start, size in zip(starts, lengths, strict=True)]
        self.asked += len(segments)
        keyed = [segment for segment in segments if len(segment) <= LONGEST]
        assert len(set(keyed)) == len(keyed)
        ids = [spelled(segment) for segment in segments]
        flat = np.array([token_id for own in ids for token_id in own], np.int32)
        pieces = Pieces(flat, np.array(list(map(len, ids)), np.int64))
        return pieces._replace(starts=flat + 1000, ends=flat + 2000) if spans else pieces


def spelled(segment: bytes) -> list[int]:
    return list(segment) * (2 if segment.startswith(b"x") else 1)


def check(core: SegmentCore, segments: list[bytes]) -> None:
    pieces = core.pieces(*joined(segments))
    wanted = [spelled(segment) for segment in segments]
    assert pieces.counts.tolist() == list(map(len, wanted))
    assert pieces.ids.tolist() == [token_id for ids in wanted for token_id in ids]
    if pieces.starts is not None and pieces.ends is not None:
        assert pieces.starts.tolist() == (pieces.ids + 1000).tolist()
        assert pieces.ends.tolist() == (pieces.ids + 2000).tolist()


def words(first: int, count: int) -> list[bytes]:
    return [b"x%d" % number if number % 3 else b"%d" % number for number in range(first, first + count)]


def test_a_segment_is_worked_out_once() -> None:
    for spans in (False, True):
        resolver = Spelling()
        core = SegmentCore(resolver, None, BUDGET, SINGLES, spans)
        segments = [b"a", b"", b"xy", b"a", b"xyz" * 20, b"xy", b"\0", b"\0\0"]
        check(core, segments)
        check(core, segments[::-1])
        assert resolver.asked == len(set(segments))


def test_nothing_at_all_gives_no_ids() -> None:
    for spans in (False, True):
        check(SegmentCore(Spelling(), None, BUDGET, SINGLES, spans), [])


def test_segments_too_long_to_have_a_key_are_right_each_time() -> None:
    core = SegmentCore(Spelling(), None, BUDGET, SINGLES, spans=False)
    long = b"x" * LONGEST
    for _ in range(2):
        check(core, [long, long + b"1", long + b"2", long + b"1", long * 300])


def test_a_flood_of_new_segments_stays_within_the_budget() -> None:
    for spans in (False, True):
        core = SegmentCore(Spelling(), None, BUDGET, SINGLES, spans)
        for first in range(0, 60_000, 500):
            check(core, words(first, 500))
            assert core.overlay.size_bytes <= BUDGET * 1.2
            assert sum(pool.nbytes for pool in core.overlay.pools) <= 3 * BUDGET


def test_what_is_in_use_survives_a_flood_and_what_is_not_makes_room() -> None:
    resolver = Spelling()
    core = SegmentCore(resolver, None, BUDGET, SINGLES, spans=False)
    honest = [b"honest%d" % number for number in range(50)]
    check(core, honest)
    for first in range(0, 60_000, 300):
        check(core, words(first, 300) + honest)
    asked = resolver.asked
    check(core, honest)
    assert resolver.asked == asked
    newest = words(1_000_000, 100)
    for _ in range(3000):
        asked = resolver.asked
        check(core, newest)
        if resolver.asked == asked:
            break
    assert resolver.asked == asked, "a full table must in time take what is asked for again and again"
