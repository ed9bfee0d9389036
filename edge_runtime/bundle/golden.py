"""Golden rows: what the workstation asked and what it got, so that a board can test itself.

Text models that give one row of values a text have `rows`; every other model has `questions`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.errors import BundleError
from edge_runtime.strict import StrictError, decode

MAX_ROWS = 1000


@dataclass(frozen=True)
class GoldenRow:
    """One text with its token ids and the int8 model's values (a vector, or one probability a label)."""

    text: str
    ids: tuple[int, ...]
    values: tuple[float, ...]
    label: str | None = None


@dataclass(frozen=True)
class GoldenTensor:
    """One tensor in the words of the Open Inference Protocol; `data` is flat, row by row."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: tuple[float | str | bool, ...]


@dataclass(frozen=True)
class GoldenQuestion:
    """What was asked, as a request has it, and the answer's tensors; `raw64` is a picture or sound in base64."""

    outputs: tuple[GoldenTensor, ...]
    texts: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    inputs: tuple[GoldenTensor, ...] = ()
    raw64: str = ""
    media_type: str | None = None
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def raw(self) -> bytes | None:
        """The picture or sound as bytes. BundleError: it is no base64."""
        try:
            return base64.b64decode(self.raw64, validate=True) if self.raw64 else None
        except ValueError as error:
            raise BundleError(f"a golden question has a damaged {self.media_type}: {error}") from error


@dataclass(frozen=True)
class Golden:
    """What a bundle tests itself with: rows or questions, never both."""

    rows: tuple[GoldenRow, ...] = ()
    questions: tuple[GoldenQuestion, ...] = ()


def write_golden(path: Path, rows: Sequence[GoldenRow]) -> None:
    """Write the rows, one a line inside the JSON document; values keep 7 digits, what float32 holds."""
    plain = [{**dataclasses.asdict(row), "values": [_seven(value) for value in row.values]} for row in rows]
    _write(path, "rows", plain)


def write_questions(path: Path, questions: Sequence[GoldenQuestion]) -> None:
    """Write the questions, one a line inside the JSON document; numbers keep 7 digits."""
    plain = [dataclasses.asdict(question) for question in questions]
    for question in plain:
        for tensor in (*question["inputs"], *question["outputs"]):
            tensor["data"] = [_seven(value) if isinstance(value, float) else value for value in tensor["data"]]
    _write(path, "questions", plain)


def read_golden(path: Path) -> Golden:
    """Read the rows or the questions; a file that is not of this form is a `BundleError`."""
    try:
        found = decode(Golden, json.loads(path.read_bytes()))
    except OSError as error:
        raise BundleError(f"cannot read {path.name}: {error.strerror}") from error
    except (ValueError, RecursionError, StrictError) as error:
        raise BundleError(f"{path.name}: {error}") from error
    if not 0 < len(found.rows) + len(found.questions) <= MAX_ROWS or (found.rows and found.questions):
        counts = f"{len(found.rows)} rows and {len(found.questions)} questions"
        raise BundleError(f"{path.name} has {counts}, expected 1 to {MAX_ROWS} of one kind")
    return found


def _write(path: Path, kind: str, plain: Sequence[object]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in plain]
    path.write_text(f'{{"{kind}": [\n' + ",\n".join(lines) + "\n]}\n", encoding="utf-8")


def _seven(value: float) -> float:
    return float(f"{value:.7g}")
