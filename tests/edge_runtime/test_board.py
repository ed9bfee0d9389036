"""A machine that cannot run models is told so in one line with a remedy."""

from __future__ import annotations

import pytest

from edge_runtime.board import check_board
from edge_runtime.errors import UnsupportedBoard

PI5 = {"bits": 64, "machine": "aarch64", "libc": ("glibc", "2.36"), "python": (3, 11), "system": "linux"}


def test_a_64_bit_pi_is_fine() -> None:
    check_board(**PI5)  # type: ignore[arg-type]


def test_this_machine_is_fine() -> None:
    check_board()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bits": 32}, "64-bit"),
        ({"machine": "armv7l"}, "armv7l"),
        ({"machine": "riscv64"}, "riscv64"),
        ({"libc": ("", "")}, "no glibc"),
        ({"libc": ("glibc", "2.27")}, "2.28 or newer"),
        ({"python": (3, 10)}, "3.11 or newer"),
    ],
)
def test_what_cannot_run_is_refused_with_a_remedy(change: dict[str, object], says: str) -> None:
    with pytest.raises(UnsupportedBoard, match=says):
        check_board(**{**PI5, **change})  # type: ignore[arg-type]
