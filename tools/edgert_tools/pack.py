"""Bundle folders: a model with its tokenizer that runs, then completed with golden rows, report and licence."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.golden import GoldenRow, write_golden
from edge_runtime.bundle.manifest import (
    MANIFEST,
    Limits,
    Manifest,
    ModelSpec,
    Role,
    Source,
    TaskSpec,
    TokenizerSpec,
    read_bundle,
    seal_bundle,
)
from edge_runtime.errors import BundleError, BundleFileAltered, BundleFileMissing, UnsupportedModel, UsageError
from edge_runtime.pipeline import Pipeline
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edgert_tools.bill import bill_of_materials
from edgert_tools.checkpoint import Checkpoint
from edgert_tools.graph import inputs_of, load_graph, outputs_of
from edgert_tools.licence import licence_text
from edgert_tools.parity import Comparison
from edgert_tools.quantization.scheme import facts_of
from edgert_tools.recipe import Recipe
from edgert_tools.text_tasks import FACTS

MODEL, TOKENIZER, GOLDEN, LICENSE = "model.onnx", "tokenizer.json", "golden.json", "LICENSE.txt"
COMPILED, BILL = "tokenizer.compiled", "sbom.json"
_MODEL_ROLES: dict[str, Role] = {MODEL: "model", TOKENIZER: "tokenizer", COMPILED: "tokenizer"}
EXTRA_ROLES: dict[str, Role] = {
    GOLDEN: "golden",
    "report.json": "report",
    "report.html": "report",
    LICENSE: "license",
    BILL: "report",
}
_OUTPUT_RANKS: dict[str, tuple[int, ...]] = {name: facts.outputs for name, facts in FACTS.items()}


@dataclass(frozen=True)
class Parts:
    """What float and int8 bundles of one conversion share."""

    recipe: Recipe
    checkpoint: Checkpoint
    tokenizer: Path
    comparison: Comparison
    task: TaskSpec
    lock: Mapping[str, str]


def pack_model(folder: Path, scheme: str, parts: Parts) -> Manifest:
    """Seal a folder that holds `model.onnx` into a bundle that runs: tokenizer and manifest are added."""
    shutil.copyfile(parts.tokenizer, folder / TOKENIZER)
    compiled = COMPILED if compile_tokenizer(folder / TOKENIZER, folder / COMPILED) else None
    model = load_graph(folder / MODEL)
    ranks = tuple(len(output.shape) for output in outputs_of(model))
    if ranks != _OUTPUT_RANKS[parts.task.name]:
        raise UnsupportedModel(f"the graph's outputs have {ranks} dimensions, which {parts.task.name} cannot read")
    recipe, checkpoint, facts = parts.recipe, parts.checkpoint, facts_of(scheme)
    manifest = Manifest(
        name=recipe.name,
        version=recipe.version,
        counter=1,
        task=parts.task,
        model=ModelSpec(MODEL, "onnx", scheme, facts.batch_invariant, inputs_of(model), outputs_of(model)),
        tokenizer=TokenizerSpec(TOKENIZER, parts.comparison.family, parts.comparison.parity, compiled),
        limits=Limits(recipe.max_tokens, recipe.max_texts),
        source=Source(
            model=checkpoint.model,
            origin=checkpoint.origin,
            revision=checkpoint.revision or "unknown",
            sha256=checkpoint.weights_sha256,
            license=checkpoint.license,
        ),
        targets=facts.targets,
        lock=parts.lock,
        measured={},
    )
    return seal_bundle(folder, manifest, _roles(manifest))


def complete(folder: Path, manifest: Manifest, measured: Mapping[str, object], parts: Parts) -> Manifest:
    """Seal again with measured numbers and the extra files; golden rows and reports are in the folder already."""
    (folder / LICENSE).write_text(licence_text(parts.checkpoint, parts.recipe), encoding="utf-8")
    (folder / BILL).write_text(bill_of_materials(manifest), encoding="utf-8")
    return seal_bundle(folder, dataclasses.replace(manifest, measured=measured), {**_roles(manifest), **EXTRA_ROLES})


def _roles(manifest: Manifest) -> dict[str, Role]:
    return {
        path: role
        for path, role in _MODEL_ROLES.items()
        if path != COMPILED or (manifest.tokenizer and manifest.tokenizer.compiled)
    }


def write_golden_rows(folder: Path, pipeline: Pipeline, texts: Sequence[str], rows: int) -> int:
    """Write rows for texts spread over `texts` from short to long; answers are this pipeline's, one text a run."""
    limit = pipeline.manifest.limits.max_tokens
    fitting = sorted(
        {text for text in texts if pipeline.tokenizer.count(text) <= limit}, key=lambda text: (len(text), text)
    )
    chosen = [fitting[index * len(fitting) // rows] for index in range(rows)] if len(fitting) > rows else fitting
    labels = pipeline.manifest.task.labels
    golden = []
    for text in chosen:
        values = pipeline.vectors([text])[0]
        label = labels[int(values.argmax())] if labels else None
        golden.append(GoldenRow(text, tuple(pipeline.tokenizer.encode(text)), tuple(map(float, values)), label))
    write_golden(folder / GOLDEN, golden)
    return len(golden)


def check_target(out: Path, *, force: bool) -> None:
    """Refuse an output path that holds anything but an empty folder or, with `force`, a bundle.

    Raises:
        UsageError: nothing is ever deleted that is not a bundle.
    """
    if not out.exists() and not out.is_symlink():
        _check_writable(out)
        return
    if out.is_symlink() or not out.is_dir():
        raise UsageError(f"{out} is not a folder: give another output folder")
    if out.resolve() in (Path.cwd(), *Path.cwd().parents):
        raise UsageError(f"{out} is the folder this runs in: give a new folder inside it")
    if not any(out.iterdir()):
        return
    if not _is_bundle(out):
        raise UsageError(f"{out} holds files that are no bundle: give an empty or new folder (nothing was changed)")
    if not force:
        raise UsageError(f"{out} holds another bundle: give another folder, or replace it with --force")


def made_with(out: Path, lock: Mapping[str, str]) -> Manifest | None:
    """The manifest of the bundle at `out`, if there is one and it was made with these settings and tools."""
    try:
        manifest = read_bundle(out)
    except BundleError:
        return None
    return manifest if manifest.lock == lock else None


def install(made: Path, out: Path, *, force: bool) -> None:
    """Put a finished bundle in its place: all of it or nothing, whatever happens in between.

    The folder is copied beside `out` first and renamed, so `out` is never half a bundle.
    """
    check_target(out, force=force)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}.{os.getpid()}.new")
    try:
        shutil.copytree(made, beside)
        _swap(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _swap(beside: Path, out: Path) -> None:
    """Rename the new folder over the old one, or leave the old one."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        out.rename(old)
    try:
        beside.rename(out)
    except BaseException:  # Ctrl-C too
        if old.exists():
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _is_bundle(folder: Path) -> bool:
    """Whether all that the folder holds is a bundle, whole or damaged."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        read_bundle(folder)
    except (BundleFileAltered, BundleFileMissing):
        return True
    except BundleError:
        return False
    return True


def _check_writable(out: Path) -> None:
    parent = next(folder for folder in out.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise UsageError(f"cannot make {out}: {parent} is not a folder that this user may write to")
