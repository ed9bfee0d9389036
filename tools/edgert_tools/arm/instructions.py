"""Instructions that a board executes for one run of a graph, and its answers beside this machine's.

QEMU counts what the guest executes; the guest marks the count around each run, so that start-up and loading are not in
it. One thread, no randomness in addresses and hashes, the same names whatever the folders: two counts of a graph are
the same number. Runs of one count differ by 0.03 %, as memory is taken from other places: the least of them is told.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert_tools.arm import guest
from edgert_tools.arm.boards import EmulatedBoard
from edgert_tools.arm.programs import ArmUnavailable
from edgert_tools.arm.root import SHOWN, ArmRoot

RUNS = 3
Row = Mapping[str, npt.NDArray[Any]]
Outputs = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Counted:
    """Instructions of one run on the first row, and the outputs of all rows, by `ROW/NUMBER`."""

    instructions: int
    outputs: Outputs


@dataclass(frozen=True)
class Likeness:
    """How two machines' outputs of one graph differ: the least cosine of any output, and whether all bits are equal."""

    cosine: float
    exact: bool


def count(root: ArmRoot, graph: Path, rows: Sequence[Row], board: EmulatedBoard) -> Counted:
    """Run a graph on an emulated board.

    Args:
        root: what runs there.
        graph: an ONNX file.
        rows: inputs; the first is what is counted.
        board: which one.

    Raises:
        ArmUnavailable: the board stopped, with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="edgert-count-") as name:
        work = Path(name)
        named = {f"{number}/{key}": values for number, row in enumerate(rows) for key, values in row.items()}
        np.savez(work / "inputs.npz", **named)  # type: ignore[arg-type]  # numpy's hints want no mapping here
        (work / "outputs.npz").touch()
        shown = {file.name: file for file in (work / "inputs.npz", work / "outputs.npz")}
        with as_file(files("edgert_tools.arm").joinpath("guest.py")) as script:
            seen = [f"{SHOWN}/{file}" for file in ("guest.py", "graph.onnx", *shown)]
            root.run(board, [*seen, str(RUNS)], {**shown, "guest.py": script, "graph.onnx": graph}, work / "marks")
        told = (work / "marks").read_text(encoding="ascii")
        with np.load(work / "outputs.npz") as stored:
            return Counted(least_run(told), {key: stored[key] for key in stored.files})


def least_run(marks: str) -> int:
    """The least difference between neighbouring marks. ArmUnavailable: there are not as many as runs."""
    counts = [int(line) for line in marks.split()]
    if len(counts) != RUNS + 1:
        raise ArmUnavailable(f"the instruction counter told {len(counts)} counts instead of {RUNS + 1}: another QEMU?")
    return min(after - before for before, after in pairwise(counts))


def here(graph: Path, rows: Sequence[Row]) -> Outputs:
    """This machine's outputs, by `ROW/NUMBER`."""
    return guest.answers_of(guest.open_graph(str(graph)), [dict(row) for row in rows])


def likeness(ours: Outputs, theirs: Outputs) -> Likeness:
    """Compare outputs of the same names and shapes; a value that is no number gives a cosine of -1."""
    assert ours.keys() == theirs.keys()
    exact = all(np.array_equal(ours[name], theirs[name]) for name in ours)
    return Likeness(1.0 if exact else min(_cosine(ours[name], theirs[name]) for name in ours), exact)


def _cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    one, other = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return -1.0
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    if length == 0:
        return 1.0 if np.array_equal(one, other) else 0.0
    return min(1.0, float(one @ other) / length)
