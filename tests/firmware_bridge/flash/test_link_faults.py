"""A share of `make linkfaults`, and that it would notice."""

from __future__ import annotations

from tests.firmware_bridge.flash.link_faults import CASES, Tally, broken, run


def test_every_kind_of_bad_cable_ends_in_the_right_bytes() -> None:
    tallies = run(2 * len(CASES))
    assert broken(tallies) == []
    assert sum(tally.uploads for tally in tallies.values()) == 2 * len(CASES)
    assert tallies["cuts"].cuts >= 2


def test_a_promise_that_is_broken_is_told() -> None:
    assert broken({"flip 1e-5": Tally(uploads=50, useful_bytes=1000, again_bytes=60)})
    assert broken({"cuts": Tally(problems=["seed 1: BadStore"])})
