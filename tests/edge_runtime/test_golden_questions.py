"""A model of any kind tests itself with recorded questions and answers."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, read_golden, write_questions
from edge_runtime.bundle.manifest import Manifest, read_bundle, seal_bundle
from edge_runtime.errors import BundleError, GoldenMismatch, UnsupportedModel
from edge_runtime.model import Answered, Asked
from edge_runtime.selftest import run_golden
from edge_runtime.tasks import OutputTensor
from tests import tiny


@dataclass(frozen=True)
class SumAnswer:
    """A word and the sum of all numbers and lengths asked about."""

    word: str
    total: float
    truncated: tuple[bool, ...] = (False,)

    def rows(self) -> Sequence[Mapping[str, object]]:
        return [{"word": self.word, "total": self.total}]

    def tensors(self) -> Sequence[OutputTensor]:
        return [
            OutputTensor("word", "BYTES", (1,), [self.word]),
            OutputTensor("total", "FP32", (2,), [self.total, 1.0]),
        ]


class Summing:
    """Answers with what it was asked; `off` turns the sum's direction, as a wrong kernel does."""

    parallel = joins = False

    def __init__(self, manifest: Manifest, off: float = 0.0) -> None:
        self.manifest, self._off = manifest, off

    def check(self, asked: Asked) -> None:
        """Takes anything."""

    def warm_up(self) -> None:
        """Needs none."""

    def answer(self, asked: Sequence[Asked]) -> Answered:
        (one,) = asked
        numbers: list[np.ndarray[Any, Any]] = [tensor.array() for tensor in one.tensors]
        total = sum(float(values.sum()) for values in numbers) + len(one.raw or b"") + len("".join(one.pairs))
        word = f"{one.texts[0]}:{one.labels[0]}:{one.media_type}:{one.parameters['top']}"
        return Answered([SumAnswer(word, total + self._off)], 0, 0, 0)


ASKED = GoldenQuestion(
    outputs=(
        GoldenTensor("word", "BYTES", (1,), ("who:a:image/png:3",)),
        GoldenTensor("total", "FP32", (2,), (10.5, 1.0)),
    ),
    texts=("who",),
    pairs=("ab",),
    labels=("a",),
    inputs=(GoldenTensor("x", "FP32", (2, 1), (1.25, 4.25)),),
    raw64=base64.b64encode(b"\x89PN").decode(),
    media_type="image/png",
    parameters={"top": 3},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "tiny")


def sealed(folder: Path, *questions: GoldenQuestion) -> Manifest:
    """The bundle again, with these questions as its golden rows."""
    manifest = read_bundle(folder)
    write_questions(folder / "golden.json", questions)
    return seal_bundle(folder, manifest, {entry.path: entry.role for entry in manifest.files})


def test_questions_come_back_as_they_were_written(folder: Path) -> None:
    sealed(folder, ASKED)
    assert read_golden(folder / "golden.json").questions == (ASKED,)


def test_everything_that_was_asked_is_asked_again(folder: Path) -> None:
    passed = run_golden(Summing(sealed(folder, ASKED, ASKED)), folder)
    assert (passed.rows, passed.measure, passed.worst) == (2, "smallest cosine", 1.0)


def test_numbers_that_point_elsewhere_are_found(folder: Path) -> None:
    with pytest.raises(GoldenMismatch, match="golden question 0, total has cosine"):
        run_golden(Summing(sealed(folder, ASKED), off=-10.0), folder)


def test_numbers_that_are_none_are_found(folder: Path) -> None:
    with pytest.raises(GoldenMismatch, match="cosine nan"):
        run_golden(Summing(sealed(folder, ASKED), off=float("nan")), folder)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (GoldenTensor("word", "BYTES", (1,), ("else",)), "word is"),
        (GoldenTensor("word", "BYTES", (2,), ("a", "b")), r"word is BYTES \[1\], recorded is BYTES \[2\]"),
        (GoldenTensor("name", "BYTES", (1,), ("a",)), "gives"),
    ],
)
def test_another_word_shape_or_name_is_found(folder: Path, changed: GoldenTensor, said: str) -> None:
    question = dataclasses.replace(ASKED, outputs=(changed, ASKED.outputs[1]))
    with pytest.raises(GoldenMismatch, match=said):
        run_golden(Summing(sealed(folder, question)), folder)


def test_rows_of_texts_are_not_for_other_models(folder: Path) -> None:
    with pytest.raises(UnsupportedModel, match="models of texts"):
        run_golden(Summing(read_bundle(folder)), folder)


def test_a_damaged_picture_is_said(folder: Path) -> None:
    with pytest.raises(BundleError, match="damaged image/png"):
        run_golden(Summing(sealed(folder, dataclasses.replace(ASKED, raw64="%%%"))), folder)


def test_a_datatype_that_is_no_number_is_said(folder: Path) -> None:
    odd = dataclasses.replace(ASKED, inputs=(GoldenTensor("x", "BYTES", (1,), ("a",)),))
    with pytest.raises(UnsupportedModel, match="BYTES"):
        run_golden(Summing(sealed(folder, odd)), folder)


@pytest.mark.parametrize("text", ['{"rows": [], "questions": []}', "{}", '{"questions": [{"outputs": 3}]}'])
def test_a_file_without_either_is_refused(folder: Path, text: str) -> None:
    (folder / "golden.json").write_text(text)
    with pytest.raises(BundleError, match=r"golden\.json"):
        read_golden(folder / "golden.json")
