"""Rows of numbers out of a user's files: every form gives the same, and what does not fit is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.errors import UsageError
from edgert_tools.existing.rows import read_examples, read_rows

X, FIXED, SCALAR = (
    TensorSpec("x", "float32", ("rows", 3)),
    TensorSpec("f", "float32", (2, 3)),
    TensorSpec("rate", "int64", ()),
)
VALUES = np.arange(120, dtype=np.float64).reshape(40, 3)


def written(folder: Path, kind: str) -> Path:
    file = folder / f"rows.{kind.partition('-')[0]}"
    if kind == "npy":
        np.save(file, VALUES)
    elif kind == "npz":
        np.savez(file, x=VALUES)
    elif kind == "jsonl-objects":
        file.write_text("".join(json.dumps({"x": row}) + "\n" for row in VALUES.tolist()))
    else:
        file.write_text("".join(json.dumps(row) + "\n\n" for row in VALUES.tolist()))
    return file


@pytest.mark.parametrize("kind", ["npy", "npz", "jsonl-objects", "jsonl-lists"])
def test_all_forms_give_the_same_rows_in_the_graphs_type(tmp_path: Path, kind: str) -> None:
    rows = read_rows(written(tmp_path, kind), [X])
    assert len(rows) == 40
    assert all(row["x"].shape == (1, 3) and row["x"].dtype == np.float32 for row in rows)
    assert np.array_equal(np.concatenate([row["x"] for row in rows]), VALUES)


def test_fixed_shapes_have_one_dimension_more_in_the_file_and_a_number_is_for_all_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", f=np.zeros((25, 2, 3)), rate=np.int32(16000))
    rows = read_rows(tmp_path / "rows.npz", [FIXED, SCALAR])
    assert len(rows) == 25
    assert rows[3]["f"].shape == (2, 3)
    assert rows[3]["rate"].shape == ()
    assert rows[3]["rate"].dtype == np.int64


def test_calibration_and_judged_rows_are_never_the_same(tmp_path: Path) -> None:
    examples = read_examples(written(tmp_path, "npy"), [X])
    judged = {float(row.tensors[0].array()[0, 0]) for row in examples.questions}
    calibration = {float(row["x"][0, 0]) for row in examples.feeds}
    assert (len(judged), len(calibration)) == (30, 10)
    assert not judged & calibration
    assert "30 rows of rows.npy, held back; 10 others" in examples.description


def test_too_few_rows_judge_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has 10 rows, at least 20"):
        read_examples(written(tmp_path, "npy"), [X], count=10)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"y": VALUES}, "has no 'x': the graph's inputs are x"),
        ({"x": VALUES[:, :2]}, r"'x' has rows of float64 \[1, 2\], the graph takes float32 \['rows', 3\]"),
        ({"x": VALUES.astype(str)}, "'x' has rows of"),
        ({"x": np.float64(3)}, "arrays have no rows"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    with pytest.raises(UsageError, match=said):
        read_rows(tmp_path / "rows.npz", [X])


def test_fractions_for_whole_numbers_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", VALUES + 0.5)
    with pytest.raises(UsageError, match="has fractions, the graph takes int64"):
        read_rows(tmp_path / "rows.npy", [TensorSpec("n", "int64", ("rows", 3))])


def test_pickles_and_junk_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "junk.npz").write_bytes(b"PK\x03\x04junk")
    (tmp_path / "junk.jsonl").write_text("{not json}\n")
    for name in ("rows.npy", "junk.npz", "junk.jsonl", "missing.npy"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_rows(tmp_path / name, [X])
