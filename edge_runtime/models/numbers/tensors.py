"""Any graph, asked with tensors of numbers and answering with all its outputs (docs/tasks.md, "Tensors")."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.golden import read_golden
from edge_runtime.bundle.manifest import Manifest
from edge_runtime.engine import Session, open_session
from edge_runtime.errors import BadRequest, BadTensor, UnsupportedModel
from edge_runtime.model import Answered, Asked, asked_again
from edge_runtime.models.numbers.tensor_inputs import (
    NAMELESS,
    Arrays,
    arrays_of,
    check_types,
    fit,
    joined,
    shares_rows,
    shown,
)
from edge_runtime.tasks import DATATYPES, NUMPY_TYPES, OutputTensor

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ArrayTensor(OutputTensor):
    """An output whose `data` is a flat NumPy array: what is sent as bytes never becomes a list."""

    def plain(self) -> dict[str, object]:
        """The tensor as JSON data. BadRequest: it has a number that JSON cannot say."""
        return {**self.described(), "data": _listed(self.name, np.asarray(self.data))}

    def packed(self) -> bytes:
        """The values as bytes, little-endian."""
        return np.asarray(self.data, NUMPY_TYPES[self.datatype]).tobytes()


def array_tensor(name: str, array: Array) -> ArrayTensor:
    """An array as an output of the protocol."""
    return ArrayTensor(name, DATATYPES[array.dtype.name], array.shape, array.reshape(-1))  # type: ignore[arg-type]


@dataclass(frozen=True)
class TensorAnswer:
    """The outputs of one request by name; `one_row`: it was asked about a row, not about a list of rows."""

    outputs: Mapping[str, Array]
    one_row: bool = False
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> list[Mapping[str, object]]:
        """The answer to the short form: nested lists by output."""
        return [{"values": {name: _listed(name, self._bare(array)) for name, array in self.outputs.items()}}]

    def tensors(self) -> list[OutputTensor]:
        """All outputs."""
        return [array_tensor(name, array) for name, array in self.outputs.items()]

    def _bare(self, array: Array) -> Array:
        return array[0] if self.one_row and array.ndim and array.shape[0] == 1 else array


class TensorModel:
    """One loaded graph. It joins requests only if that was seen to change no answer."""

    def __init__(self, manifest: Manifest, session: Session, example: Asked | None = None) -> None:
        spec = manifest.model
        check_types(spec.inputs, "input")
        check_types(spec.outputs, "output")
        if set(session.input_names) != {one.name for one in spec.inputs}:
            raise UnsupportedModel(f"the graph has inputs {sorted(session.input_names)}, its manifest names others")
        self.manifest, self._session, self._example = manifest, session, example
        self.parallel = getattr(session, "parallel", False)
        self.joins = spec.batch_invariant and shares_rows(spec.inputs, spec.outputs)

    def check(self, asked: Asked) -> None:
        """Refuse tensors that do not fit the graph. BadTensor: what was found and what is expected."""
        self._fit(asked)

    def answer(self, asked: Sequence[Asked]) -> Answered:
        """Run each request, or those of equal shape together."""
        start = time.perf_counter_ns()
        feeds = [arrays_of(self._fit(one)) for one in asked]
        encoded_at = time.perf_counter_ns()
        outputs = self._run_joined(feeds) if len(feeds) > 1 else [self._run(feeds[0])]
        ran_at = time.perf_counter_ns()
        answers = [
            TensorAnswer(found, _is_row(one, feed)) for found, one, feed in zip(outputs, asked, feeds, strict=True)
        ]
        return Answered(answers, encoded_at - start, ran_at - encoded_at, time.perf_counter_ns() - ran_at)

    def warm_up(self) -> None:
        """Run the bundle's first golden question: of which free sizes a graph can be run, only such a row tells."""
        if self._example is not None:
            self.answer([self._example])

    def _fit(self, asked: Asked) -> list[Any]:
        if not asked.tensors:
            raise BadTensor(f"there are no inputs, expected {', '.join(map(shown, self.manifest.model.inputs))}")
        return fit(asked.tensors, self.manifest.model.inputs, self.manifest.limits)

    def _run(self, feeds: Arrays) -> dict[str, Array]:
        found = self._session.run(feeds)
        return {spec.name: array for spec, array in zip(self.manifest.model.outputs, found, strict=True)}

    def _run_joined(self, feeds: Sequence[Arrays]) -> list[dict[str, Array]]:
        answers: list[dict[str, Array]] = [{} for _ in feeds]
        for batch in _batches(feeds, self.manifest.limits.max_texts):
            outputs = self._run(joined([feeds[number] for number in batch]))
            row = 0
            for number in batch:
                end = row + _rows(feeds[number])
                answers[number] = {name: array[row:end].copy() for name, array in outputs.items()}
                row = end
            if any(len(array) != row for array in outputs.values()):
                raise UnsupportedModel("the graph's outputs do not have a row for each of its inputs' rows")
        return answers


def open_tensors(folder: Path, manifest: Manifest, threads: int) -> TensorModel:
    """Load a checked bundle whose task is `tensors`. UnsupportedModel: its graph is not one of numbers."""
    return TensorModel(manifest, open_session(folder, manifest.model, threads), first_question(folder, manifest))


def first_question(folder: Path, manifest: Manifest) -> Asked | None:
    """The first golden question of a bundle, to warm up with; None if it has none."""
    entry = manifest.file_of("golden")
    questions = read_golden(folder / entry.path).questions if entry else ()
    return asked_again(questions[0]) if questions else None


def _batches(feeds: Sequence[Arrays], most_rows: int) -> list[list[int]]:
    """Numbers of the requests that are run together: equal but for their rows, and not too many of these."""
    batches: dict[tuple[object, ...], list[int]] = {}
    full: list[list[int]] = []
    for number, feed in enumerate(feeds):
        key = tuple((name, array.shape[1:]) for name, array in feed.items())
        batch = batches.setdefault(key, [])
        if batch and sum(_rows(feeds[other]) for other in batch) + _rows(feed) > most_rows:
            full.append(batch)
            batch = batches[key] = []
        batch.append(number)
    return [*full, *batches.values()]


def _rows(feed: Arrays) -> int:
    return len(next(iter(feed.values())))


def _is_row(asked: Asked, feed: Arrays) -> bool:
    """Whether the short form brought a row without the dimension of rows."""
    given = asked.tensors[0]
    return given.name == NAMELESS and len(given.shape) < next(iter(feed.values())).ndim


def _listed(name: str, array: Array) -> object:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadRequest(
            f"output {name[:64]!r} has a number that JSON cannot say (infinite, or none): ask for bytes, by CBOR or "
            '"binary_data_output": true'
        )
    return array.tolist()
