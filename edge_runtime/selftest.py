"""Does this board give the answers that the workstation recorded? The golden rows of a bundle, run here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.golden import GoldenQuestion, GoldenRow, GoldenTensor, read_golden
from edge_runtime.errors import GoldenMismatch, UnsupportedModel
from edge_runtime.model import Model, asked_again
from edge_runtime.pipeline import Pipeline
from edge_runtime.tasks import FloatArray, OutputTensor

# int8 kernels differ between cores: per-channel dynamic int8 gave the same values to 4e-8 from Cortex-A72 to x86,
# the 8-bit block format rounds activations in blocks. A wrong kernel is off by far more (0.3 to 0.8 cosine).
MIN_COSINE = 0.998
MAX_PROBABILITY_GAP = 0.02


@dataclass(frozen=True)
class SelfTest:
    """How many rows agreed, and the worst of them: smallest cosine or largest gap in a probability."""

    rows: int
    measure: str
    worst: float


def run_golden(model: Model, folder: Path) -> SelfTest:
    """Run the bundle's golden rows through the loaded model.

    Raises:
        GoldenMismatch: token ids, a label or the values differ; says which text and by how much.
        UnsupportedModel: the bundle has no golden rows.
    """
    entry = model.manifest.file_of("golden")
    if entry is None:
        raise UnsupportedModel("this bundle has no golden rows to test with: convert again")
    golden = read_golden(folder / entry.path)
    if golden.questions:
        cosines = [_ask(model, number, question) for number, question in enumerate(golden.questions)]
        return SelfTest(len(golden.questions), "smallest cosine", min(cosines))
    if not isinstance(model, Pipeline):
        raise UnsupportedModel(f"golden rows are for models of texts, this one is for {model.manifest.task.name!r}")
    gaps = [_compare(model, row) for row in golden.rows]
    if model.manifest.task.name == "embed":
        return SelfTest(len(gaps), "smallest cosine", min(gaps))
    return SelfTest(len(gaps), "largest probability gap", max(gaps))


def _compare(pipeline: Pipeline, row: GoldenRow) -> float:
    ids = pipeline.tokenizer.encode(row.text)
    if tuple(ids) != row.ids:
        raise GoldenMismatch(f"token ids of {row.text[:60]!r} are {ids[:12]}…, recorded are {list(row.ids[:12])}…")
    values = pipeline.vectors([row.text])[0]
    expected = np.asarray(row.values, dtype=np.float32)
    if values.shape != expected.shape:
        raise GoldenMismatch(f"{row.text[:60]!r} gives {values.size} values, recorded are {expected.size}")
    if pipeline.manifest.task.name == "embed":
        cosine = _cosine(values, expected)
        if not cosine >= MIN_COSINE:  # also catches NaN
            raise GoldenMismatch(
                f"vector of {row.text[:60]!r} has cosine {cosine:.4f} to the recorded, below {MIN_COSINE}"
            )
        return cosine
    label = pipeline.manifest.task.labels[int(values.argmax())]
    gap = float(np.abs(values - expected).max())
    if label != row.label or not gap <= MAX_PROBABILITY_GAP:
        raise GoldenMismatch(
            f"{row.text[:60]!r} gives {label} with a probability off by {gap:.4f}, recorded is {row.label}: "
            "this processor's int8 kernels are wrong, or onnxruntime is another version"
        )
    return gap


def _ask(model: Model, number: int, question: GoldenQuestion) -> float:
    """Ask a recorded question; the smallest cosine of the answer's numbers to the recorded ones."""
    outputs = model.answer([asked_again(question)]).answers[0].tensors()
    if [output.name for output in outputs] != [recorded.name for recorded in question.outputs]:
        raise GoldenMismatch(f"golden question {number} gives {[output.name for output in outputs]}")
    return min(_same(number, one, recorded) for one, recorded in zip(outputs, question.outputs, strict=True))


def _same(number: int, output: OutputTensor, recorded: GoldenTensor) -> float:
    where = f"golden question {number}, {output.name}"
    if (output.datatype, tuple(output.shape)) != (recorded.datatype, recorded.shape):
        found, expected = f"{output.datatype} {list(output.shape)}", f"{recorded.datatype} {list(recorded.shape)}"
        raise GoldenMismatch(f"{where} is {found}, recorded is {expected}")
    if not output.datatype.startswith("FP"):
        if list(output.data) != list(recorded.data):
            raise GoldenMismatch(f"{where} is {list(output.data)[:8]}, recorded is {list(recorded.data)[:8]}")
        return 1.0
    ours, theirs = (np.asarray(data, np.float64) for data in (output.data, recorded.data))
    if np.allclose(ours, theirs, atol=MAX_PROBABILITY_GAP):
        return 1.0
    cosine = _cosine(ours, theirs)
    if not cosine >= MIN_COSINE:  # also catches NaN
        raise GoldenMismatch(
            f"{where} has cosine {cosine:.4f} to what was recorded, below {MIN_COSINE}: "
            "this processor's int8 kernels are wrong, or onnxruntime is another version"
        )
    return cosine


def _cosine(a: FloatArray | np.ndarray[Any, Any], b: FloatArray | np.ndarray[Any, Any]) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else float("nan")
