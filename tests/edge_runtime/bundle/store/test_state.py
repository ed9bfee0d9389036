"""Slots: what may become of a bundle, and what may not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.errors import BadStore, Downgrade, NothingThere, UpdateError
from edge_runtime.bundle.store.shown import describe
from edge_runtime.bundle.store.state import Installed, Slots, State, state_from_bytes, state_to_bytes

ONE, TWO = Installed("1" * 64, "1.0.0", 1, "a" * 64), Installed("2" * 64, "2.0.0", 2)
SERVING = Slots(active=ONE, floor=1)


def test_a_bundle_waits_is_tried_and_kept() -> None:
    waiting = SERVING.received(TWO)
    assert (waiting.active, waiting.waiting) == (ONE, TWO)
    trial = waiting.tested(3)
    assert (trial.active, trial.waiting, trial.trial, trial.tries) == (ONE, None, TWO, 3)
    begun = trial.begin()
    assert (begun.tries, begun.begun) == (2, 1)
    assert begun.confirmed() == Slots(active=TWO, previous=ONE, floor=2)


def test_a_trial_that_fails_leaves_what_was_and_says_why() -> None:
    failed = SERVING.received(TWO).tested(3).begin().failed("wrong answer")
    assert (failed.active, failed.trial, failed.floor) == (ONE, None, 1)
    assert failed.refused is not None
    assert (failed.refused.bundle, failed.refused.reason) == (TWO, "wrong answer")


def test_a_trial_is_begun_so_often_and_no_oftener() -> None:
    slots = SERVING.received(TWO).tested(2)
    slots = slots.begin().begin().begin()
    assert (slots.trial, slots.active) == (None, ONE)
    assert slots.refused is not None
    assert "begun 2 times" in slots.refused.reason


def test_what_was_never_tried_cannot_be_kept() -> None:
    with pytest.raises(NothingThere, match="not tried yet"):
        SERVING.received(TWO).tested(3).confirmed()
    for change in (Slots.confirmed, Slots.begin):
        with pytest.raises(NothingThere, match="no bundle is on trial"):
            change(SERVING)
    with pytest.raises(NothingThere, match="no bundle waits"):
        SERVING.tested(3)


def test_the_counter_only_grows() -> None:
    kept = SERVING.received(TWO).tested(3).begin().confirmed()
    with pytest.raises(Downgrade) as caught:
        kept.received(ONE)
    assert (caught.value.counter, caught.value.floor) == (1, 2)
    with pytest.raises(Downgrade):
        kept.rolled_back("by hand")


def test_going_back_is_possible_as_long_as_the_counter_stays() -> None:
    same = dataclasses.replace(TWO, counter=1)
    kept = SERVING.received(same).tested(3).begin().confirmed()
    back = kept.rolled_back("by hand")
    assert (back.active, back.previous) == (ONE, same)
    trying = SERVING.received(TWO).tested(3).begin()
    assert trying.rolled_back("by hand") == trying.failed("by hand")
    with pytest.raises(NothingThere, match="no previous"):
        SERVING.rolled_back("by hand")


def test_what_is_there_already_does_not_come_again() -> None:
    assert SERVING.received(ONE) == SERVING
    trying = SERVING.received(TWO).tested(3)
    assert trying.received(TWO) == trying


CHANGES: dict[str, Callable[[Slots, Installed], Slots]] = {
    "receive": lambda slots, new: slots.received(new),
    "test": lambda slots, new: slots.tested(2),
    "begin": lambda slots, new: slots.begin(),
    "confirm": lambda slots, new: slots.confirmed(),
    "fail": lambda slots, new: slots.failed("x"),
    "roll back": lambda slots, new: slots.rolled_back("x"),
}


@given(st.lists(st.sampled_from(sorted(CHANGES)), max_size=30), st.data())
def test_whatever_happens_the_floor_never_falls_and_something_stays_active(
    steps: list[str], data: st.DataObject
) -> None:
    slots = SERVING
    for step in steps:
        version = data.draw(st.integers(1, 4))
        new = Installed(str(version) * 64, f"{version}.0.0", version)
        before = slots
        try:
            slots = CHANGES[step](slots, new)
        except UpdateError:
            assert slots == before
        assert slots.floor >= before.floor
        assert slots.active is not None
        assert slots.active.counter >= slots.floor
        assert state_from_bytes(state_to_bytes(State({"m": slots}))).models["m"] == slots
        assert "slot 0  active" in describe(State({"m": slots}))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is empty"),
        (b"{", "is damaged"),
        (state_to_bytes(State({"m": SERVING}))[:-20], "is damaged"),
        (b"\0" * 100, "is damaged"),
        (b"[]", "is damaged"),
        (b'{"schema": "edgert.store/9", "new": 1}', "edgert.store/9.*update edgert"),
        (b'{"schema": "edgert.store/1", "seq": "x"}', "seq"),
        (b"[" * 200_000, "is damaged"),
    ],
)
def test_a_file_that_the_disk_has_spoilt_is_refused_in_words(data: bytes, complaint: str) -> None:
    with pytest.raises(BadStore, match=complaint):
        state_from_bytes(data)


def test_an_empty_store_says_so() -> None:
    assert describe(State()) == "the store is empty"
