"""Board profiles."""

from __future__ import annotations

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.strict import StrictError
from edgert_tools.planning.boards import boards, find_board, read_boards

ROW = """
[b]
title = "B"
cores = "1 x A"
core_class = "dot"
features = []
memory_mb = [1000, 2000]
visible = 0.9
os_mb = 100
page_bytes = 4096
sources = ["a page"]
"""


def test_the_profiles_hold_the_boards_that_people_ask_for_each_with_its_sources() -> None:
    known = {board.name: board for board in boards()}
    assert {"zero2w", "pi4", "pi5", "rk3588", "i8mm", "x86-mini"} <= set(known)
    assert all(board.sources and board.left_mb > 0 for board in known.values())
    assert {known[name].core_class for name in ("zero2w", "pi4")} == {"no-dot"}
    assert "asimddp" in known["pi5"].features
    assert "asimddp" not in known["pi4"].features
    assert known["pi5"].page_bytes == 16384


def test_what_is_left_is_the_sum_that_is_shown() -> None:
    (board,) = read_boards(ROW)
    assert board.left_mb == pytest.approx((1000 * 0.9 - 100) * 0.75)
    assert board.left_sum.endswith("= 600 MB")


def test_a_board_is_found_with_another_memory() -> None:
    assert find_board("pi4-4g").memory_mb == (4096,)
    assert find_board("pi4-4g").name == "pi4-4g"
    assert find_board("pi4-4g").left_mb > find_board("pi4").left_mb


@pytest.mark.parametrize(
    ("name", "complaint"),
    [("p4", "did you mean pi4"), ("toaster", "boards are zero2w"), ("pi4-3g", "1, 2, 4, 8"), ("", "boards are")],
)
def test_an_unknown_board_is_refused_with_what_there_is(name: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        find_board(name)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"dot"', '"neon"', "core_class"),
        ("[1000, 2000]", "[2000, 1000]", "memory_mb"),
        ("[1000, 2000]", "[]", "memory_mb"),
        ("0.9", "1.5", "visible"),
        ('["a page"]', "[]", "sources"),
        ("os_mb = 100\n", "", "os_mb"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(old: str, new: str, complaint: str) -> None:
    with pytest.raises(StrictError, match=complaint):
        read_boards(ROW.replace(old, new))
