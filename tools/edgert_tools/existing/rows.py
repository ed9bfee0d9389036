"""A user's own rows of numbers: `.npz` or `.npy` arrays, or `.jsonl` with an object a line."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.errors import UsageError
from edgert_tools.existing.examples import Array, Examples, Feeds, row_of

FEWEST = 20  # rows: fewer say nothing about int8
_CALIBRATION_SHARE = 4  # every fourth row calibrates
_MOST_CALIBRATION = 200
_VALUES = "values"  # what a line or a file calls the one input


def read_examples(file: Path, inputs: Sequence[TensorSpec], count: int = 0) -> Examples:
    """Rows for a graph, in their order: every fourth to calibrate, the others held back to judge on.

    Args:
        file: arrays by the inputs' names, their first axis is the rows; `.npy` and `values` are for the only input. A
            number without an axis is the same for all rows.
        inputs: of the graph.
        count: how many rows to take; 0: all.

    Raises:
        UsageError: it cannot be read, has too few rows, or rows that do not fit the graph.
    """
    return split(read_rows(file, inputs)[: count or None], f"{file.name}")


def split(rows: Sequence[Feeds], name: str) -> Examples:
    """Rows in two parts. UsageError: there are too few."""
    if len(rows) < FEWEST:
        raise UsageError(f"{name} has {len(rows)} rows, at least {FEWEST} are needed to judge int8")
    calibration = rows[::_CALIBRATION_SHARE][:_MOST_CALIBRATION]
    judged = [row for number, row in enumerate(rows) if number % _CALIBRATION_SHARE]
    words = f"{len(judged)} rows of {name}, held back; {len(calibration)} others to calibrate on"
    return Examples([row_of(row) for row in judged], calibration, words)


def read_rows(file: Path, inputs: Sequence[TensorSpec]) -> list[Feeds]:
    """Each row's inputs, in the graph's types and with its number of dimensions; raises as `read_examples` does."""
    try:
        if file.suffix == ".jsonl":
            lines = file.read_text(encoding="utf-8").splitlines()
            return [_line(number, line, inputs) for number, line in enumerate(lines, 1) if line.strip()]
        found = np.load(file, allow_pickle=False)
        arrays = {name: found[name] for name in found.files} if isinstance(found, np.lib.npyio.NpzFile) else found
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UsageError(f"{file.name} cannot be read: {str(error)[:160]}: give .npz, .npy or .jsonl") from error
    return _of_arrays(arrays if isinstance(arrays, dict) else {_VALUES: arrays}, inputs, file.name)


def _of_arrays(arrays: Mapping[str, Array], inputs: Sequence[TensorSpec], name: str) -> list[Feeds]:
    arrays = _named(arrays, inputs, name)
    counts = {len(array) for array in arrays.values() if array.ndim}
    if len(counts) != 1:
        raise UsageError(f"{name}: arrays have {sorted(counts) or 'no'} rows, expected the same number in each")
    numbers = range(counts.pop())
    return [{spec.name: _row(arrays[spec.name], number, spec, name) for spec in inputs} for number in numbers]


def _row(array: Array, number: int, spec: TensorSpec, name: str) -> Array:
    """One row of an array: with a first axis of 1 if the graph's is that of rows."""
    if array.ndim == 0:
        return _typed(array, spec, name)
    rows_inside = bool(spec.shape) and (spec.shape[0] == 1 or isinstance(spec.shape[0], str))
    if rows_inside and array.ndim == len(spec.shape):
        return _typed(array[number : number + 1], spec, name)
    return _typed(array[number], spec, name)


def _line(number: int, line: str, inputs: Sequence[TensorSpec]) -> Feeds:
    where = f"line {number}"
    found: Any = json.loads(line)
    fields = found if isinstance(found, dict) else {_VALUES: found}
    arrays = _named({name: np.asarray(value) for name, value in fields.items()}, inputs, where)
    row = {}
    for spec in inputs:
        array = arrays[spec.name]
        lacks_rows = array.ndim == len(spec.shape) - 1 and (spec.shape[0] == 1 or isinstance(spec.shape[0], str))
        row[spec.name] = _typed(array[None] if lacks_rows else array, spec, where)
    return row


def _named(arrays: Mapping[str, Array], inputs: Sequence[TensorSpec], name: str) -> Mapping[str, Array]:
    names = [spec.name for spec in inputs]
    if {*arrays} == {_VALUES} and len(names) == 1:
        return {names[0]: arrays[_VALUES]}
    lacking = [wanted for wanted in names if wanted not in arrays]
    if lacking:
        raise UsageError(f"{name} has no {lacking[0]!r}: the graph's inputs are {', '.join(names)}")
    return arrays


def _typed(array: Array, spec: TensorSpec, name: str) -> Array:
    """The row in the graph's type. UsageError: another shape, or numbers that the type cannot hold."""
    fits = array.ndim == len(spec.shape) and all(
        isinstance(wanted, str) or size == wanted for size, wanted in zip(array.shape, spec.shape, strict=True)
    )
    if not fits or array.dtype.kind not in "biuf":
        raise UsageError(
            f"{name}: {spec.name!r} has rows of {array.dtype} {list(array.shape)}, "
            f"the graph takes {spec.dtype} {list(spec.shape)}"
        )
    if array.dtype.kind == "f" and np.dtype(spec.dtype).kind != "f" and (array != np.rint(array)).any():
        raise UsageError(f"{name}: {spec.name!r} has fractions, the graph takes {spec.dtype}")
    return np.asarray(array, spec.dtype)
