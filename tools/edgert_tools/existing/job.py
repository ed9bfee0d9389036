"""One graph -> a finished bundle: int8 if that is as good and faster, else as it was given, and says which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.bundle.manifest import Limits, Manifest, ModelSpec, Role, Source, TaskSpec
from edge_runtime.model import Asked
from edgert_tools.existing.checks import GraphFacts, schemes_for
from edgert_tools.existing.choose import MODEL, Choice, choose
from edgert_tools.existing.examples import Examples
from edgert_tools.existing.pack import (
    AS_IS,
    REPORT_JSON,
    REPORT_PAGE,
    Parts,
    complete,
    generated_questions,
    is_batch_invariant,
    pack,
    write_golden_questions,
)
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.existing.report import GraphReport, as_json, measured, page
from edgert_tools.graph import load_graph
from edgert_tools.machine import machine
from edgert_tools.progress import Steps

_NO_DATA = "without data nothing can be said of int8, so the graph is passed through as it is: give rows with --data"
_SEVERAL = "a task of several graphs is passed through as it is: no int8 form of them is searched for yet"
_IS_INT8 = "the graph is int8 already, so it is passed through as it is"


@dataclass(frozen=True)
class GraphJob:
    """What to make of a graph.

    Attributes:
        task: for the manifest.
        licence: text of the bundle's LICENSE.txt.
        lock: everything that decides what comes out.
        examples: what to judge int8 on; None: nothing, then float is taken.
        scores: outputs that are class scores; none: by their names.
        files: further files of the bundle, by path: their bytes and role.
        more: which of these are graphs, by their part in the task; with any, no int8 form is tried.
    """

    recipe: GraphRecipe
    facts: GraphFacts
    task: TaskSpec
    source: Source
    licence: str
    lock: Mapping[str, str]
    examples: Examples | None
    scores: Sequence[str] = ()
    files: Mapping[str, tuple[bytes, Role]] = field(default_factory=dict)
    more: Mapping[str, ModelSpec] = field(default_factory=dict)


def run_graph_job(job: GraphJob, work: Path, steps: Steps) -> tuple[GraphReport, Manifest]:
    """Leave the finished bundle in `work/bundle`; two steps.

    Raises:
        UnsupportedModel: the graph cannot be used for the task.
    """
    recipe, facts, parts = job.recipe, job.facts, _parts(job)
    int8_already = facts.kind == "quantized"
    manifests: dict[Path, Manifest] = {}

    def make(folder: Path, scheme: str) -> None:
        manifests[folder] = pack(folder, AS_IS if int8_already else scheme, parts)

    with steps.step("int8, each scheme measured against float" if job.examples else "bundle of the graph") as note:
        schemes = () if int8_already or job.more else recipe.schemes or schemes_for(facts.kind)
        choice = choose(
            facts.file,
            schemes,
            job.examples,
            recipe.budget,
            make,
            work,
            note,
            scores=job.scores,
            keep_float=[
                node.name for node in load_graph(facts.file).graph.node if node.name.startswith(recipe.keep_float)
            ],
        )
        manifest, why = manifests[choice.folder], _why(job, choice)
        note(f"{manifest.model.scheme}: {why}")
    with steps.step("golden questions, report, bundle"):
        bundle = choice.folder.rename(work / "bundle")
        write_golden_questions(bundle, _golden_questions(job), recipe.golden_rows)
        report = _report(job, choice, manifest, why, (bundle / MODEL).stat().st_size, steps)
        (bundle / REPORT_JSON).write_text(as_json(report), encoding="utf-8")
        (bundle / REPORT_PAGE).write_text(page(report), encoding="utf-8")
        return report, complete(bundle, parts, measured(report), job.licence, manifest)


def _parts(job: GraphJob) -> Parts:
    recipe, facts = job.recipe, job.facts
    rows = (
        [{one.name: one.array() for one in asked.tensors} for asked in job.examples.questions] if job.examples else []
    )
    return Parts(
        name=recipe.name,
        version=recipe.version,
        task=job.task,
        limits=Limits(recipe.max_tokens, recipe.max_texts),
        source=job.source,
        lock=job.lock,
        inputs=facts.inputs,
        outputs=facts.outputs,
        batch_invariant=is_batch_invariant(facts, [row for row in rows if row]),
        files=job.files,
        more=job.more,
    )


def _golden_questions(job: GraphJob) -> Sequence[Asked]:
    if job.examples is not None:
        return job.examples.questions
    return generated_questions(job.facts) if job.task.name == "tensors" else ()


def _why(job: GraphJob, choice: Choice) -> str:
    if job.facts.kind == "quantized":
        return _IS_INT8
    if job.more:
        return _SEVERAL
    if job.examples is None:
        return _NO_DATA
    return choice.why


def _report(
    job: GraphJob, choice: Choice, manifest: Manifest, why: str, bundle_bytes: int, steps: Steps
) -> GraphReport:
    facts = job.facts
    return GraphReport(
        recipe=job.recipe,
        source=job.source,
        scheme=manifest.model.scheme,
        why=why,
        tried=choice.tried,
        float_bytes=choice.float_bytes,
        bundle_bytes=bundle_bytes,
        data=job.examples.description if job.examples else "",
        float_right=choice.float_right,
        kind=facts.kind,
        opset=facts.opset,
        inputs=facts.inputs,
        outputs=facts.outputs,
        batch_invariant=manifest.model.batch_invariant,
        notes=facts.notes,
        machine=machine(),
        lock=job.lock,
        seconds=steps.seconds,
    )
