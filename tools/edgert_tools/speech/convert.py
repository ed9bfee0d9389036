"""`edgert convert` for a Whisper: a recipe, a folder of transformers or one of CTranslate2 -> a bundle that writes."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.manifest import Manifest, Source
from edge_runtime.errors import UsageError
from edge_runtime.model import open_model
from edgert_tools.cache import work_folder
from edgert_tools.checkpoint import settings_sha256
from edgert_tools.convert_result import ConvertResult
from edgert_tools.licence import text_of_licence
from edgert_tools.machine import machine, require_modules, tool_versions
from edgert_tools.pack import check_target, install, made_with
from edgert_tools.parity import check_parity
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.quantization.scheme import SchemeFacts, facts_of
from edgert_tools.recipe import recipe_file, recipe_folder
from edgert_tools.settings import plain_name
from edgert_tools.speech.export import Graphs, export_whisper
from edgert_tools.speech.judge import Compared, compare, misses
from edgert_tools.speech.pack import Parts, complete, pack, write_golden_sounds
from edgert_tools.speech.quantize import parse_speech_scheme, quantize_whisper
from edgert_tools.speech.recipe import TASK, SpeechRecipe, check_schemes, is_speech_recipe, read_speech_recipe
from edgert_tools.speech.report import SpeechReport, Tried, as_json, line_of, measured, page
from edgert_tools.speech.source import SpeechCheckpoint, fetch_speech, is_speech_folder, open_speech_folder
from edgert_tools.speech.spoken import Spoken, load_speech
from edgert_tools.speech.tokens import transcribe_spec
from edgert_tools.speech.words import words_of
from edgert_tools.tokenizer_file import tokenizer_file

if TYPE_CHECKING:
    from edgert_tools.settings import Options

FLOAT = "float32"
_NEEDED = ("torch", "transformers", "optimum.onnxruntime", "onnx", "onnx_ir", "tokenizers", "hassil")
_MOST_POSITIONS = 448


def speech_recipe_of(source: str) -> Path | None:
    """The file of a speech recipe that SOURCE names, by a path or by a name; None: SOURCE is something else."""
    file = recipe_file(source)
    return file if file is not None and is_speech_recipe(file) else None


def takes(source: str, task: str | None = None) -> bool:  # whatever the task: the source tells
    """Whether `convert_speech` is for this SOURCE."""
    return speech_recipe_of(source) is not None or is_speech_folder(Path(source))


def list_speech_recipes() -> tuple[SpeechRecipe, ...]:
    """All recipes of speech models that come with edgert, by name."""
    files = sorted(recipe_folder().glob("*.toml"))
    return tuple(read_speech_recipe(file) for file in files if is_speech_recipe(file))


def convert_speech(
    source: str,
    out: Path,
    options: Options,
    *,
    data: Path | None = None,
    force: bool = False,
    replace: bool = False,
    say: Say = to_stderr,
) -> ConvertResult:
    """Make a bundle of a Whisper; the arguments are those of `edgert_tools.convert.convert`.

    Raises:
        UsageError, SourceUnavailable, UnsupportedModel, UnsupportedTokenizer: with cause and remedy; nothing is
            written.
    """
    start, out = time.perf_counter(), out.absolute()
    _require(data, options)
    steps = Steps(5, say)
    with work_folder() as work:
        with steps.step(f"source {source}") as note:
            recipe, found = _open(source, options, work, note)
            lock = _lock(recipe, found)
            note(f"{found.checkpoint.model} by {found.checkpoint.origin}, weights {found.weights_sha256[:12]}…")
        known = None if force else _up_to_date(out, found, lock)
        if known is not None:
            return ConvertResult(out, known, True, None, time.perf_counter() - start)
        check_target(out, force=force or replace)
        report, manifest = _Conversion(recipe, found, lock, work, steps).run()
        install(work / "bundle", out, force=force or replace)
    return ConvertResult(out, manifest, False, report, time.perf_counter() - start)


@dataclass(frozen=True)
class _Choice:
    """What to ship: a sealed folder and its manifest, what was tried, and which sounds are fit to be golden."""

    why: str
    folder: Path
    manifest: Manifest
    facts: SchemeFacts
    tried: tuple[Tried, ...] = ()
    compared: Compared | None = None

    @property
    def scheme(self) -> str:
        """Its name."""
        return self.folder.name


class _Conversion:
    """The state of one conversion; `run` is its order."""

    def __init__(
        self, recipe: SpeechRecipe, found: SpeechCheckpoint, lock: Mapping[str, str], work: Path, steps: Steps
    ) -> None:
        self.recipe, self.found, self.lock, self.work, self.steps = recipe, found, lock, work, steps

    def run(self) -> tuple[SpeechReport, Manifest]:
        """Leave the finished bundle in `work/bundle`."""
        steps = self.steps
        with steps.step("speech to judge on, tokenizer") as note:
            self.speech, self.data = load_speech(self.recipe.evaluate.count, note)
            self.parts = self._parts(note)
        with steps.step("export to ONNX, float32") as note:
            original = self.work / FLOAT
            original.mkdir()
            self.graphs = export_whisper(self.found.checkpoint.folder, original)
            self.original = pack(original, FLOAT, facts_of(FLOAT), self.parts)
            self.float_bytes = self.graphs.size_bytes  # now: its folder may become the bundle
            note(f"{self.float_bytes / 1e6:.1f} MB")
        with steps.step(f"int8, each scheme measured against float32 on {len(self.speech)} sounds") as note:
            choice = self._choose(_Choice("", original, self.original, facts_of(FLOAT)), note)
            note(f"{choice.scheme}: {choice.why}")
        with steps.step("golden sounds, report, bundle"):
            return self._finish(choice)

    def _parts(self, note: Say) -> Parts:
        checkpoint = self.found.checkpoint
        tokenizer = tokenizer_file(checkpoint, self.work)
        comparison = check_parity(tokenizer, [spoken.words for spoken in self.speech])
        note(f"tokenizer ({comparison.family}) equals {comparison.oracle} on {comparison.parity.texts} texts")
        source = Source(
            model=checkpoint.model,
            origin=checkpoint.origin,
            revision=checkpoint.revision or "unknown",
            sha256=self.found.weights_sha256,
            license=checkpoint.license,
        )
        return Parts(
            name=self.recipe.name,
            version=self.recipe.version,
            spec=transcribe_spec(checkpoint.folder, checkpoint.config),
            positions=int(checkpoint.config.get("max_target_positions", _MOST_POSITIONS)),
            tokenizer=tokenizer,
            comparison=comparison,
            source=source,
            lock=self.lock,
        )

    def _choose(self, original: _Choice, note: Say) -> _Choice:
        """Try the schemes in order until one is within the budget; else the float original."""
        model, tried = open_model(original.folder, threads=1), list[Tried]()
        for name in self.recipe.schemes:
            folder = self.work / name
            folder.mkdir()
            scheme = parse_speech_scheme(name)
            made = quantize_whisper(self.graphs, scheme, folder)
            manifest = pack(folder, name, scheme.facts, self.parts)
            compared = compare(model, open_model(folder, threads=1), self.speech, threads=1)
            tried.append(self._tried(name, made, compared))
            note(line_of(tried[-1]))
            if not tried[-1].misses:
                why = "within the budget" if len(tried) == 1 else f"the first of {len(tried)} within the budget"
                return _Choice(why, folder, manifest, scheme.facts, tuple(tried), compared)
            shutil.rmtree(folder)
        why = f"none of {len(tried)} int8 forms is within the budget, so the bundle holds float"
        return dataclasses.replace(original, why=why, tried=tuple(tried))

    def _tried(self, name: str, made: Graphs, compared: Compared) -> Tried:
        ratio = made.size_bytes / self.float_bytes
        found = misses(compared.quality, ratio, compared.speed, self.recipe.budget)
        return Tried(name, made.size_bytes, ratio, compared.quality, compared.speed, found)

    def _finish(self, choice: _Choice) -> tuple[SpeechReport, Manifest]:
        name, bundle = choice.scheme, choice.folder.rename(self.work / "bundle")
        write_golden_sounds(
            bundle, open_model(bundle), golden_of(self.speech, choice.compared, self.recipe.golden_rows)
        )
        report = SpeechReport(
            recipe=self.recipe,
            source=self.parts.source,
            scheme=name,
            why=choice.why,
            facts=choice.facts,
            tried=choice.tried,
            float_bytes=self.float_bytes,
            data=self.data,
            machine=machine(),
            lock=self.lock,
            seconds=self.steps.seconds,
        )
        (bundle / "report.json").write_text(as_json(report), encoding="utf-8")
        (bundle / "report.html").write_text(page(report), encoding="utf-8")
        return report, complete(bundle, choice.manifest, measured(report), self._licence(name))

    def _licence(self, scheme: str) -> str:
        checkpoint, source = self.found.checkpoint, self.recipe.source
        notice = f"{source.notice}\n\n" if source and source.notice else ""
        return (
            f"Weights of {checkpoint.model}, revision {checkpoint.revision or 'unknown'}, licence: "
            f"{checkpoint.license}.\nChanged by edgert: exported to ONNX as {scheme}.\n\n"
            f"{notice}{text_of_licence(checkpoint)}"
        )


def golden_of(speech: Sequence[Spoken], compared: Compared | None, count: int) -> list[bytes]:
    """The shortest sounds that float and int8 both understood: another processor's rounding will not change them."""
    known = list(range(len(speech)))
    if compared is not None:
        truths = [words_of(spoken.words) for spoken in speech]
        known = [n for n in known if all(words_of(text) == truths[n] for text in compared.texts[n])] or known
    shortest = sorted(known, key=lambda number: (len(speech[number].wav), number))
    return [speech[number].wav for number in shortest[:count]]


def _open(source: str, options: Options, work: Path, note: Say) -> tuple[SpeechRecipe, SpeechCheckpoint]:
    """The recipe, or one made for a folder; and its checkpoint."""
    file = speech_recipe_of(source)
    if file is None:
        recipe = _with_options(SpeechRecipe(plain_name(Path(source).resolve().name), "1.0.0"), options)
        return recipe, open_speech_folder(Path(source), work, note)
    recipe = _with_options(read_speech_recipe(file), options)
    assert recipe.source is not None
    return recipe, fetch_speech(recipe.source, work, note)


def _with_options(recipe: SpeechRecipe, options: Options) -> SpeechRecipe:
    changes: dict[str, object] = {}
    if options.name is not None:
        changes["name"] = options.name
    if options.scheme is not None:
        changes["schemes"] = (options.scheme,)
    return check_schemes(dataclasses.replace(recipe, **changes))  # type: ignore[arg-type]


def _require(data: Path | None, options: Options) -> None:
    """Refuse what a speech model leaves no choice in, and what is not installed."""
    task: str | None = options.task
    if task not in (None, TASK):
        raise UsageError(f"this model is for {TASK}, not {task}: leave out --task")
    for given, option in ((data, "--data"), (options.revision, "--revision"), (options.max_tokens, "--max-tokens")):
        if given is not None:
            raise UsageError(f"{option} is not for speech models: leave it out")
    require_modules(_NEEDED)


def _lock(recipe: SpeechRecipe, found: SpeechCheckpoint) -> dict[str, str]:
    return {
        **tool_versions(with_head=False),
        "recipe_sha256": recipe.sha256(),
        "checkpoint_settings_sha256": settings_sha256(found.checkpoint),
    }


def _up_to_date(out: Path, found: SpeechCheckpoint, lock: Mapping[str, str]) -> Manifest | None:
    manifest = made_with(out, lock)
    return manifest if manifest is not None and manifest.source.sha256 == found.weights_sha256 else None
