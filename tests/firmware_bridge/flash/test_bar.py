"""The progress bar, and the words of an estimate."""

from __future__ import annotations

import io

import pytest

from firmware_bridge.flash.bar import Bar
from firmware_bridge.flash.engine import Estimate


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_tells_share_speed_and_time_left_of_what_came_now() -> None:
    now, screen = [100.0], Terminal()
    bar = Bar(screen, lambda: now[0])
    bar.begin(1_000_000)
    bar.show(500_000)  # was there from before: it says nothing of the speed
    now[0] = 110.0
    bar.show(600_000)
    bar.end()
    last = screen.getvalue().split("\r")[-1]
    assert " 60%" in last
    assert "10 kB/s" in last
    assert "40 s left" in last
    assert last.endswith("\n")


def test_without_a_terminal_nothing_is_written() -> None:
    stream = io.StringIO()
    bar = Bar(stream)
    bar.begin(10)
    bar.show(5)
    bar.end()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "MB on the wire, 5 MB free"), (0.2, "about 1 s"), (600.0, "about 10 min"), (90_000.0, "about 25.0 h")],
)
def test_an_estimate_says_how_long_it_takes_in_fitting_units(seconds: float | None, words: str) -> None:
    estimate = Estimate("m", "1.0.0", 1, 2_000_000, 4, 1_000_000, 2, 900_000, seconds, 5_000_000, "", "serial")
    assert words in estimate.describe()
    assert "1.00 of 2.00 MB, 2 of 4 files" in estimate.describe()
