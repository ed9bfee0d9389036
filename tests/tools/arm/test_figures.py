"""What a count says of a form."""

from __future__ import annotations

import pytest

from edgert_tools.arm.figures import times
from tests.tools.arm.counted import on_board


@pytest.mark.parametrize(
    ("ratio", "words"), [(0.4156, "0.42x"), (1, "1.00x"), (1.0004, "1.0004x"), (0.9996, "0.9996x"), (4.13, "4.1x")]
)
def test_a_ratio_is_short_but_never_hides_on_which_side_of_float_it_is(ratio: float, words: str) -> None:
    assert times(ratio) == words


def test_more_instructions_than_float_are_held_against_a_form_with_the_board() -> None:
    assert on_board("pi4", 4.13).misses == ("4.1x float's instructions on pi4",)
    assert on_board("pi4", 1.0).misses == ()
    assert on_board("pi5", 0.42).misses == ()


@pytest.mark.parametrize("cosine", [0.95, -1.0, float("nan")])
def test_answers_that_differ_from_this_machine_are_held_against_it_too(cosine: float) -> None:
    (reason,) = on_board("pi5", 0.5, cosine=cosine).misses
    assert f"cosine {cosine:.4f} to this machine's answers on pi5" in reason


def test_the_figures_say_what_they_are_and_what_not() -> None:
    assert on_board("pi4", 0.5).basis == "emulated, QEMU 7.2.22, cortex-a72; instructions, not time"
