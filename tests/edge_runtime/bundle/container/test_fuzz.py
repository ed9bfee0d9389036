"""A short run of the long fuzz, on every change of the code."""

from __future__ import annotations

from tests.edge_runtime.bundle.container.fuzz_container import WHOLE, main, outcome


def test_no_exception_escapes_and_no_other_file_is_taken() -> None:
    assert main(1500, seed=5) == 0


def test_the_whole_file_is_taken_so_that_the_rest_means_something() -> None:
    assert outcome(WHOLE) == "taken"
    assert outcome(WHOLE[:-1]) == "bad_container"
