"""Does this board give the answers that the workstation recorded? The golden rows of a bundle, run here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_runtime.bundle.golden import GoldenRow, read_golden
from edge_runtime.errors import GoldenMismatch, UnsupportedModel
from edge_runtime.pipeline import Pipeline

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


def run_golden(pipeline: Pipeline, folder: Path) -> SelfTest:
    """Run the bundle's golden rows through the loaded model.

    Raises:
        GoldenMismatch: token ids, a label or the values differ; says which text and by how much.
        UnsupportedModel: the bundle has no golden rows.
    """
    entry = pipeline.manifest.file_of("golden")
    if entry is None:
        raise UnsupportedModel("this bundle has no golden rows to test with: convert again")
    rows = read_golden(folder / entry.path)
    gaps = [_compare(pipeline, row) for row in rows]
    if pipeline.manifest.task.name == "embed":
        return SelfTest(len(rows), "smallest cosine", min(gaps))
    return SelfTest(len(rows), "largest probability gap", max(gaps))


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


def _cosine(
    a: np.ndarray[tuple[int, ...], np.dtype[np.float32]], b: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> float:
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return float(a @ b) / lengths if lengths else float("nan")
