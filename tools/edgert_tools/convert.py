"""`edgert convert`, top to bottom: source -> float graph -> int8 candidates, each judged -> bundle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, sha256_of
from edge_runtime.errors import UsageError
from edgert_tools.arm.measuring import lock_of
from edgert_tools.arm.programs import check_programs
from edgert_tools.cache import work_folder
from edgert_tools.checkpoint import Checkpoint, settings_sha256
from edgert_tools.conversion import Conversion
from edgert_tools.convert_result import ConvertResult
from edgert_tools.export.lock import read_lock
from edgert_tools.generation.source import is_decoder_folder
from edgert_tools.machine import require_modules, tool_versions
from edgert_tools.pack import check_target, install, made_with
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.quantization.targets import for_targets
from edgert_tools.recipe import Recipe, find_recipe, read_recipe
from edgert_tools.settings import Options, check_positions, from_checkpoint, from_recipe
from edgert_tools.source import open_recipe_source, open_source
from edgert_tools.text_tasks import ASKED

_NEEDED = ("torch", "transformers", "optimum.onnxruntime", "onnx", "onnx_ir", "tokenizers", "sklearn", "hassil", "tqdm")
_NO_OPTIONS = Options()


@dataclass(frozen=True)
class _Special:
    """Sources that are not encoders of text: what they are called, and the module that knows and converts them."""

    words: str
    module: str
    function: str

    def functions(self) -> tuple[Callable[[str, str | None], bool], Callable[..., ConvertResult]]:
        """Whether it is for a source with this `--task`, and what converts it; imported on use."""
        module = import_module(self.module)
        return module.takes, getattr(module, self.function)


_SPECIAL = (
    _Special("an ONNX graph", "edgert_tools.existing.convert", "convert_existing"),
    _Special("a speech model", "edgert_tools.speech.convert", "convert_speech"),
    _Special("a model that writes", "edgert_tools.generation.convert", "convert_decoder"),
)


def convert(
    source: str,
    out: Path,
    options: Options = _NO_OPTIONS,
    *,
    data: Path | None = None,
    targets: Sequence[str] = (),
    force: bool = False,
    replace: bool = False,
    say: Say = to_stderr,
) -> ConvertResult:
    """Convert a checkpoint to an int8 bundle that was measured against its float original.

    Args:
        source: recipe name, recipe file (`*.toml`), folder of a checkpoint, or hub id.
        out: folder to make; a bundle made of the same source, settings and tools is left as it is.
        options: what goes over the recipe's or the checkpoint's own settings.
        data: own texts to judge on instead of the recipe's.
        targets: emulated boards (docs/boards.md) to choose for, instead of this machine.
        force: convert again even if `out` is up to date; replace a bundle there.
        replace: replace a bundle at `out` that is not up to date.
        say: gets progress lines.

    Raises:
        BudgetMissed: no int8 candidate is good enough; nothing is written.
        UsageError, SourceUnavailable, UnsupportedModel, UnsupportedTokenizer, ArmUnavailable: with cause and remedy.
    """
    for special in _SPECIAL:
        takes, convert_it = special.functions()
        if takes(source, options.task):
            _refuse_search(options, targets, special.words)
            return convert_it(source, out, options, data=data, force=force, replace=replace, say=say)
    return _convert_encoder(source, out, options, data, targets, force=force, replace=force or replace, say=say)


def _convert_encoder(
    source: str,
    out: Path,
    options: Options,
    data: Path | None,
    targets: Sequence[str],
    *,
    force: bool,
    replace: bool,
    say: Say,
) -> ConvertResult:
    start, out = time.perf_counter(), out.absolute()
    require_modules(_NEEDED)
    if targets:
        check_programs()
    recipe = read_recipe(Path(source)) if source.endswith(".toml") else find_recipe(source)
    steps = Steps(6 if recipe is None or (recipe.head is None and recipe.tune is None) else 7, say)
    with steps.step(f"source {source}") as note:
        recipe, checkpoint = _resolve(source, recipe, options, note)
        recipe = for_targets(recipe, options, targets)
        lock = {**lock_of_recipe(recipe, checkpoint, data), **lock_of(targets)}
        note(f"{checkpoint.model} by {checkpoint.origin}, weights {checkpoint.weights_sha256[:12]}…")
    known = None if force else _up_to_date(out, checkpoint, lock)
    if known is not None:
        return ConvertResult(out, known, True, None, time.perf_counter() - start)
    check_target(out, force=replace)
    with work_folder() as work:
        conversion = kind_of(recipe)(recipe, checkpoint, lock, data, work, steps, targets)
        report, manifest = conversion.run()
        install(work / "bundle", out, force=replace)
        conversion.kept.clear()
    return ConvertResult(out, manifest, False, report, time.perf_counter() - start)


def _refuse_search(options: Options, targets: Sequence[str], kind: str) -> None:
    if targets:
        raise UsageError(f"forms of {kind} are not chosen by target yet: leave out --target")
    if options.search:
        raise UsageError(
            f"`edgert quantize` searches for models of texts; of {kind} `edgert convert` tries all forms that suit it"
        )


def kind_of(recipe: Recipe) -> type[Conversion]:
    """What converts a recipe of this task."""
    if recipe.task not in ASKED:
        return Conversion
    from edgert_tools.asked.conversion import AskedConversion  # a Conversion itself

    return AskedConversion


def _resolve(source: str, recipe: Recipe | None, options: Options, note: Say) -> tuple[Recipe, Checkpoint]:
    if recipe is not None and recipe.source is not None:
        chosen = from_recipe(recipe, options)
        checkpoint = open_recipe_source(recipe.source, note)
    else:
        checkpoint = open_source(source, options.revision, note)
        if options.task is None and is_decoder_folder(checkpoint.folder):
            raise UsageError(f"{source} is a model that writes: give --task generate, or --task embed for its vectors")
        chosen = from_checkpoint(checkpoint, options)
    check_positions(chosen, checkpoint)
    return chosen, checkpoint


def lock_of_recipe(recipe: Recipe, checkpoint: Checkpoint, data: Path | None) -> dict[str, str]:
    """Everything that decides what comes out, but for the weights, whose hash the manifest's source has."""
    lock = {
        **tool_versions(with_head=recipe.head is not None),
        "recipe_sha256": recipe.sha256(),
        "checkpoint_settings_sha256": settings_sha256(checkpoint),
        "exporter_lock_sha256": read_lock("optimum").sha256,
    }
    return lock if data is None else {**lock, "data_sha256": sha256_of(data)}


def _up_to_date(out: Path, checkpoint: Checkpoint, lock: Mapping[str, str]) -> Manifest | None:
    """The manifest of the bundle at `out`, if converting would give it again."""
    manifest = made_with(out, lock)
    return manifest if manifest is not None and manifest.source.sha256 == checkpoint.weights_sha256 else None
