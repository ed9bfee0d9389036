"""What is made of marks and outputs; the guest's script runs here as it does on a board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgert_tools.arm import guest
from edgert_tools.arm.instructions import RUNS, here, least_run, likeness
from edgert_tools.arm.programs import ArmUnavailable
from tests.tiny_graphs import sums

ROWS = tuple({"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3)} for n in (2, 1))


def test_a_run_costs_the_least_difference_between_neighbouring_marks() -> None:
    assert least_run("1000\n1110\n1210\n1910\n") == 100


@pytest.mark.parametrize("marks", ["", "1000\n", "1 2 3", "1 2 3 4 5"])
def test_a_counter_that_tells_another_number_of_marks_is_refused(marks: str) -> None:
    with pytest.raises(ArmUnavailable, match=f"instead of {RUNS + 1}"):
        least_run(marks)


def test_equal_bits_are_exact_and_a_small_difference_is_a_cosine() -> None:
    ours = {"0/0": np.array([1.0, 2.0, 2.0]), "1/0": np.array([3, 4])}
    assert likeness(ours, ours).exact
    found = likeness(ours, {**ours, "1/0": np.array([4, 3])})
    assert (found.exact, found.cosine) == (False, pytest.approx(24 / 25))


@pytest.mark.parametrize(("value", "cosine"), [(np.nan, -1.0), (np.inf, -1.0), (0.0, 0.0)])
def test_answers_that_are_no_numbers_or_nothing_are_never_like(value: float, cosine: float) -> None:
    assert likeness({"0/0": np.ones(3)}, {"0/0": np.full(3, value)}).cosine == cosine


def test_the_guests_script_answers_as_this_process_and_its_marks_hurt_nobody(tmp_path: Path) -> None:
    onnx.save(sums(), tmp_path / "g.onnx")
    np.savez(
        tmp_path / "in.npz", **{f"{n}/{name}": values for n, row in enumerate(ROWS) for name, values in row.items()}
    )
    command = [sys.executable, guest.__file__, "g.onnx", "in.npz", "out.npz", "3"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    with np.load(tmp_path / "out.npz") as stored:
        found = {name: stored[name] for name in stored.files}
    assert set(found) == {"0/0", "0/1", "1/0", "1/1"}
    assert likeness(here(tmp_path / "g.onnx", ROWS), found).exact
    assert found["0/0"].tolist() == [[0, 2, 4], [6, 8, 10]]


def test_the_guest_and_the_counter_mean_the_same_mark() -> None:
    source = Path(guest.__file__).with_name("counter.c").read_text()
    assert f"#define MARK ({guest.MARK})" in source
