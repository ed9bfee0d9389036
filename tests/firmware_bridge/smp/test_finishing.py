from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from firmware_bridge.smp.finishing import Finishing, StillBusy


@pytest.fixture
def finishing() -> Iterator[Finishing]:
    made = Finishing(patience_s=0.02)
    yield made
    made.close()


def test_what_is_done_soon_is_answered_at_once(finishing: Finishing) -> None:
    assert finishing.done("x", lambda: 7) == 7
    assert not finishing.goes_on("x")


def test_what_takes_longer_is_asked_for_again_and_done_once(finishing: Finishing) -> None:
    may_end, begun = threading.Event(), []

    def work() -> str:
        begun.append(1)
        may_end.wait(10)
        return "done"

    with pytest.raises(StillBusy):
        finishing.done("x", work)
    with pytest.raises(StillBusy):
        finishing.done("x", work)
    assert finishing.goes_on("x")
    may_end.set()
    finishing._patience_s = 10.0
    assert finishing.done("x", work) == "done"
    assert begun == [1]


def test_what_went_wrong_is_told_once(finishing: Finishing) -> None:
    def broken() -> None:
        raise ValueError("no")

    finishing._patience_s = 10.0
    with pytest.raises(ValueError, match="no"):
        finishing.done("x", broken)
    assert finishing.done("x", lambda: 1) == 1


def test_an_outcome_that_nobody_fetched_is_not_taken_for_a_later_one(finishing: Finishing) -> None:
    may_end = threading.Event()
    with pytest.raises(StillBusy):
        finishing.done("x", lambda: may_end.wait(10))
    may_end.set()
    finishing._patience_s = 10.0
    finishing.done("other", lambda: 0)  # the thread has ended the first one by now
    finishing.forget("x")
    assert finishing.done("x", lambda: "new") == "new"
