"""Bundles of a graph: one that runs, to be tried, then the finished one with golden questions, report and licence."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.golden import GoldenQuestion, write_questions
from edge_runtime.bundle.manifest import Limits, Manifest, ModelSpec, Role, Source, TaskSpec, TensorSpec, seal_bundle
from edge_runtime.model import Answer, Asked, open_model
from edge_runtime.models.numbers.tensor_inputs import shares_rows
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.choose import MODEL
from edgert_tools.existing.examples import Array, Feeds, Row, golden_question, row_of, values_in
from edgert_tools.quantization.scheme import facts_of, parse_scheme

GOLDEN, LICENSE, REPORT_JSON, REPORT_PAGE = "golden.json", "LICENSE.txt", "report.json", "report.html"
AS_IS = "int8-as-given"  # the scheme of a graph that was int8 already
_EXTRA: dict[str, Role] = {GOLDEN: "golden", REPORT_JSON: "report", REPORT_PAGE: "report", LICENSE: "license"}
_MOST_GOLDEN_VALUES = 400_000  # numbers in golden.json, about 4 MB
_TRIED_TOGETHER = 3  # rows
_GENERATED = 4  # questions
_CLOSE = 1e-4  # of the largest value: float products of several rows add up in another order


@dataclasses.dataclass(frozen=True)
class Parts:
    """What the bundles of one graph share.

    `files`: further ones, by path, with their bytes and role. `more`: which of them are graphs, by part.
    """

    name: str
    version: str
    task: TaskSpec
    limits: Limits
    source: Source
    lock: Mapping[str, str]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch_invariant: bool
    files: Mapping[str, tuple[bytes, Role]] = dataclasses.field(default_factory=dict)
    more: Mapping[str, ModelSpec] = dataclasses.field(default_factory=dict)


def pack(folder: Path, scheme: str, parts: Parts) -> Manifest:
    """Seal a folder that holds `model.onnx` into a bundle that runs."""
    known = parse_scheme(scheme) is not None
    targets = facts_of(scheme).targets if known else ("cpu-x86_64", "cpu-aarch64")
    invariant = parts.batch_invariant and (not known or facts_of(scheme).batch_invariant)
    manifest = Manifest(
        name=parts.name,
        version=parts.version,
        counter=1,
        task=parts.task,
        model=ModelSpec(MODEL, "onnx", scheme, invariant, parts.inputs, parts.outputs),
        tokenizer=None,
        limits=parts.limits,
        source=parts.source,
        targets=targets,
        lock=parts.lock,
        measured={},
        more=parts.more,
    )
    for path, (data, _) in parts.files.items():
        (folder / path).write_bytes(data)
    return seal_bundle(folder, manifest, _roles(parts))


def complete(folder: Path, parts: Parts, measured: Mapping[str, object], licence: str, manifest: Manifest) -> Manifest:
    """Seal again with what was measured and the files beside: reports, golden questions if there are any, licence."""
    (folder / LICENSE).write_text(licence, encoding="utf-8")
    extra = {path: role for path, role in _EXTRA.items() if (folder / path).is_file()}
    return seal_bundle(folder, dataclasses.replace(manifest, measured=measured), {**_roles(parts), **extra})


def write_golden_questions(folder: Path, questions: Sequence[Asked], rows: int) -> int:
    """Write questions spread over all, with this bundle's answers; fewer if they are large. How many there are."""
    model = open_model(folder)
    golden: list[GoldenQuestion] = []
    values = 0
    step = max(1, len(questions) // rows)
    for asked in questions[::step][:rows]:
        answer = model.answer([asked]).answers[0]
        values += values_in(asked, answer)
        if golden and values > _MOST_GOLDEN_VALUES:
            break
        if _finite(answer):
            golden.append(golden_question(asked, answer))
    if golden:
        write_questions(folder / GOLDEN, golden)
    return len(golden)


def generated_questions(facts: GraphFacts) -> list[Row]:
    """Questions of generated numbers: they test whether a board computes as this machine does, and claim nothing else.

    Empty if the graph cannot be run on such: free dimensions are 1, and whole numbers 0.
    """
    random = np.random.default_rng(0)
    rows = []
    for _ in range(_GENERATED):
        feeds = {}
        for spec in facts.inputs:
            shape = [size if isinstance(size, int) else 1 for size in spec.shape]
            values = random.normal(size=shape) if spec.dtype.startswith("float") else np.zeros(shape)
            feeds[spec.name] = np.asarray(values, spec.dtype)
        rows.append(feeds)
    try:
        _silent_session(facts.file).run(None, rows[0])
    except Exception:  # noqa: BLE001 - onnxruntime's have no common base
        return []
    return [row_of(row) for row in rows]


def is_batch_invariant(facts: GraphFacts, rows: Sequence[Feeds]) -> bool:
    """Whether some rows give the same answers alone and together; without rows nobody knows, so: no."""
    outputs_known = all(spec.shape and isinstance(spec.shape[0], str) for spec in facts.outputs)
    if facts.scales_at_run or not outputs_known or not shares_rows(facts.inputs, facts.outputs):
        return False
    first = {name: values.shape for name, values in rows[0].items()} if rows else {}
    alike = [row for row in rows if {name: values.shape for name, values in row.items()} == first][:_TRIED_TOGETHER]
    if len(alike) < _TRIED_TOGETHER:
        return False
    session = _silent_session(facts.file)
    try:
        together = session.run(None, {name: np.concatenate([row[name] for row in alike]) for name in first})
    except Exception:  # noqa: BLE001 - onnxruntime's have no common base; a first axis that is no batch
        return False
    alone = [session.run(None, dict(row)) for row in alike]
    joined = [np.concatenate(parts) for parts in zip(*alone, strict=True)]
    return all(_same(a, b) for a, b in zip(together, joined, strict=True))


def _silent_session(file: Path) -> Any:
    """For a run that may fail and nobody need hear of."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _same(a: Array, b: Array) -> bool:
    if a.shape != b.shape or a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    return bool(np.allclose(a, b, rtol=0, atol=_CLOSE * max(1e-30, float(np.abs(b).max(initial=0.0)))))


def _finite(answer: Answer) -> bool:
    return all(
        np.isfinite(np.asarray(one.data, np.float64)).all() for one in answer.tensors() if one.datatype[:2] == "FP"
    )


def _roles(parts: Parts) -> dict[str, Role]:
    return {MODEL: "model", **{path: role for path, (_, role) in parts.files.items()}}
