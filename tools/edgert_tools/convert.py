"""`edgert convert`, top to bottom: source -> float graph -> int8 candidates, each judged -> bundle."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.bundle.manifest import Manifest, TaskSpec, read_manifest, sha256_of
from edge_runtime.errors import BudgetMissed, UsageError
from edge_runtime.pipeline import open_pipeline
from edgert_tools.arm.measuring import lock_of
from edgert_tools.arm.programs import check_programs
from edgert_tools.budget import Candidate, misses, table
from edgert_tools.cache import work_folder
from edgert_tools.checkpoint import Checkpoint, labels_of, settings_sha256
from edgert_tools.evaluate import FloatArray, Quality, compare_embeddings, compare_labels, values_of
from edgert_tools.export.encoder import export_encoder
from edgert_tools.export.lock import read_lock
from edgert_tools.export.operators import check_operators
from edgert_tools.fuse import fuse
from edgert_tools.generation.source import is_decoder_folder
from edgert_tools.graph import keep_outputs, load_graph, opset_of, save_graph
from edgert_tools.head import Head, attach_head, train_head
from edgert_tools.machine import machine, require_modules, tool_versions
from edgert_tools.pack import MODEL, Parts, check_target, complete, install, made_with, pack_model, write_golden_rows
from edgert_tools.parity import Comparison, check_parity
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.calibration import encode_rows
from edgert_tools.quantization.forms import put_together
from edgert_tools.quantization.held_back import split_rows
from edgert_tools.quantization.kept import KeptCandidates
from edgert_tools.quantization.outcome import Outcome
from edgert_tools.quantization.peak import peak_bytes
from edgert_tools.quantization.search import Trial, search, time_by_turns
from edgert_tools.quantization.targets import for_targets, on_texts
from edgert_tools.recipe import Recipe, find_recipe, read_recipe
from edgert_tools.report import Report, as_json, measured
from edgert_tools.report_page import page
from edgert_tools.settings import Options, check_positions, from_checkpoint, from_recipe
from edgert_tools.source import open_recipe_source, open_source
from edgert_tools.text_tasks import ASKED, FACTS, TextTaskName
from edgert_tools.texts import Texts, load_texts
from edgert_tools.timing import Speed
from edgert_tools.tokenizer_file import tokenizer_file

if TYPE_CHECKING:
    from edgert_tools.existing.report import GraphReport
    from edgert_tools.generation.report import DecoderReport
    from edgert_tools.speech.report import SpeechReport

FLOAT = "float32"
_NEEDED = ("torch", "transformers", "optimum.onnxruntime", "onnx", "onnx_ir", "tokenizers", "sklearn", "hassil", "tqdm")
_NO_OPTIONS = Options()


@dataclass(frozen=True)
class ConvertResult:
    """A bundle that is in its place. `up_to_date`: it was there already, nothing was done (and `report` is None)."""

    folder: Path
    manifest: Manifest
    up_to_date: bool
    report: Report | GraphReport | SpeechReport | DecoderReport | None
    seconds: float


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
    from edgert_tools.existing.convert import convert_existing, takes  # it needs none of what is required below

    if takes(source):
        _refuse_search(options, targets, "an ONNX graph")
        return convert_existing(source, out, options, data=data, force=force, replace=replace, say=say)
    from edgert_tools.speech.convert import convert_speech
    from edgert_tools.speech.convert import takes as is_speech

    if is_speech(source):
        _refuse_search(options, targets, "a speech model")
        return convert_speech(source, out, options, data=data, force=force, replace=replace, say=say)
    from edgert_tools.generation.convert import convert_decoder
    from edgert_tools.generation.convert import takes as writes

    if writes(source, options.task):
        _refuse_search(options, targets, "a model that writes")
        return convert_decoder(source, out, options, data=data, force=force, replace=replace, say=say)
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
    check_target(out, force=force or replace)
    with work_folder() as work:
        conversion = kind_of(recipe)(recipe, checkpoint, lock, data, work, steps, targets)
        report, manifest = conversion.run()
        install(work / "bundle", out, force=force or replace)
        conversion.kept.clear()
    return ConvertResult(out, manifest, False, report, time.perf_counter() - start)


def _refuse_search(options: Options, targets: Sequence[str], kind: str) -> None:
    if targets:
        raise UsageError(f"forms of {kind} are not chosen by target yet: leave out --target")
    if options.search:
        raise UsageError(
            f"`edgert quantize` searches for models of texts; of {kind} `edgert convert` tries all forms that suit it"
        )


class Conversion:
    """The state of one conversion; `run` is its order."""

    def __init__(
        self,
        recipe: Recipe,
        checkpoint: Checkpoint,
        lock: Mapping[str, str],
        data: Path | None,
        work: Path,
        steps: Steps,
        targets: Sequence[str] = (),
    ) -> None:
        self.targets = tuple(targets)
        self.recipe, self.checkpoint, self.lock, self.data = recipe, checkpoint, lock, data
        self.work, self.steps = work, steps
        self.keep_float: tuple[str, ...] = ()
        self.kept = KeptCandidates({**lock, "weights_sha256": checkpoint.weights_sha256, "machine": machine()})

    def run(self) -> tuple[Report, Manifest]:
        """Leave the finished bundle in `work/bundle`."""
        steps = self.steps
        with steps.step("texts to judge on, tokenizer") as note:
            self.tokenizer = tokenizer_file(self.checkpoint, self.work)  # first: texts may have to be downloaded
            self.texts = self._texts(note)
            self._check_labels()
            self.comparison = self._compare_tokenizer(note)
            self.rows = encode_rows(self.tokenizer, self.calibration, self.recipe.max_tokens)
        self._prepare()
        with steps.step("export to ONNX, float32") as note:
            body = self._export(note)
        if self.recipe.head is not None:
            with steps.step("train the classifier on float embeddings") as note:
                head = self._train(body, note)
                self.parts = self._parts(TaskSpec("classify", head.labels))
                self.keep_float = attach_head(
                    body / MODEL, head, self.recipe.pooling, self.recipe.normalize, self._folder(FLOAT) / MODEL
                )
        else:
            body.rename(self.work / FLOAT)
            self.parts = self._parts(self._plain_task())
        with steps.step(f"float32 answers on {len(self.texts.texts)} texts"):
            pack_model(self.work / FLOAT, FLOAT, self.parts)
            self._answer_original()
        policy = self.recipe.quantize.policy
        with steps.step("int8, each scheme measured against float32") as note:
            outcome = self._search(note) if self.targets or policy == "best" else self._first(note)
        with steps.step("golden rows, report, bundle"):
            return self._finish(outcome)

    def _texts(self, note: Say) -> Texts:
        texts = load_texts(self.recipe, self.data, note)
        texts, self.calibration = split_rows(texts, self.recipe, self.data is not None)
        note(f"{len(texts.texts)} {texts.description}")
        if self.calibration:
            note(f"{len(self.calibration)} others to calibrate on")
        if texts.dropped:
            note("left out for too few sentences: " + ", ".join(f"{name} ({n})" for name, n in texts.dropped))
        return texts

    def _prepare(self) -> None:
        """What has to be done to the checkpoint before it is exported."""

    def _answer_original(self) -> None:
        self.original, _ = values_of(open_pipeline(self.work / FLOAT), self.texts.texts, "float32")

    def _compare_tokenizer(self, note: Say) -> Comparison:
        """Prove on this model's texts and on the built-in ones that the board cuts text as its makers do."""
        found = check_parity(self.tokenizer, self.texts.texts)
        note(f"tokenizer ({found.family}) equals {found.oracle} on {found.parity.texts} texts")
        return found

    def _export(self, note: Say) -> Path:
        """Folder with the float graph of the checkpoint, fused and with one output."""
        task = "embed" if self.recipe.head is not None else self.recipe.task
        exported = self._exported(task, note)
        check_operators(load_graph(exported), f"the graph of {self.checkpoint.model}")  # before anything takes long
        file, self.fusion = fuse(exported, self.checkpoint, self.work / "export" / "fused.onnx")
        model = load_graph(file)
        keep_outputs(model, len(FACTS[task].outputs))
        self.opset = opset_of(model)
        body = self._folder("body")
        save_graph(model, body / MODEL)
        shutil.rmtree(self.work / "export")
        note(f"{(body / MODEL).stat().st_size / 1e6:.1f} MB, opset {self.opset}; {self.fusion}")
        return body

    def _exported(self, task: TextTaskName, note: Say) -> Path:
        """The graph as the exporter writes it."""
        return export_encoder(self.checkpoint, task, self._folder("export"), note)

    def _train(self, body: Path, note: Say) -> Head:
        assert self.recipe.head is not None
        embed = TaskSpec("embed", pooling=self.recipe.pooling, normalize=self.recipe.normalize)
        pack_model(body, FLOAT, self._parts(embed))
        rows = self.texts.train
        vectors, _ = values_of(open_pipeline(body), [row.text for row in rows], "training sentences")
        head = train_head(vectors, [row.label for row in rows], self.recipe.head.regularization)
        note(f"{len(rows)} sentences, {len(head.labels)} labels")
        return head

    def _plain_task(self) -> TaskSpec:
        if self.recipe.task == "classify":
            return TaskSpec("classify", labels_of(self.checkpoint))
        return TaskSpec("embed", pooling=self.recipe.pooling, normalize=self.recipe.normalize)

    def _parts(self, task: TaskSpec) -> Parts:
        return Parts(self.recipe, self.checkpoint, self.tokenizer, self.comparison, task, self.lock)

    def _check_labels(self) -> None:
        """Refuse labels that the model will not have, before anything takes long."""
        if self.recipe.task != "classify":
            return
        known = {row.label for row in self.texts.train} if self.recipe.head else {*labels_of(self.checkpoint)}
        unknown = sorted({*(self.texts.labels or ())} - known)
        if unknown:
            raise UsageError(f"label {unknown[0]!r} of the data is not one of the model's: {', '.join(sorted(known))}")

    def _first(self, note: Say) -> Outcome:
        """Try the schemes in order until one is within the budget."""
        tried: list[Candidate] = []
        for scheme in self.recipe.quantize.candidates:
            tried.append(self._candidate(scheme))
            note(table(tried[-1:]).strip())
            if not tried[-1].misses:
                return Outcome(tuple(tried), scheme, self.work / scheme)
            shutil.rmtree(self.work / scheme)
        raise BudgetMissed(
            f"no int8 scheme of {self.recipe.name} is within its budget, nothing was written:\n{table(tried)}"
        )

    def _search(self, note: Say) -> Outcome:
        """Try all schemes; finished ones of a search that was interrupted are taken from the cache."""
        trial = Trial(
            name=self.recipe.name,
            original=self.work / FLOAT,
            texts=self.texts.texts,
            budget=self.recipe.budget,
            make=self._make,
            judge=self._judge,
            peak=self._peak,
            targets=self.targets,
            count=on_texts(self.tokenizer, self.texts.texts, self.recipe.max_tokens, self.targets, note),
        )
        return search(trial, self.recipe.quantize.candidates, self.kept, note, self._stopwatch)

    def _candidate(self, scheme: str) -> Candidate:
        folder = self._folder(scheme)
        self._make(scheme, folder)
        size = (folder / MODEL).stat().st_size
        ratio = size / (self.work / FLOAT / MODEL).stat().st_size
        quality = self._judge(scheme, folder)
        speed = self._stopwatch(self.work / FLOAT, {scheme: folder}, self.texts.texts)[scheme]
        return Candidate(scheme, size, ratio, quality, speed, misses(quality, ratio, self.recipe.budget))

    def _make(self, scheme: str, folder: Path) -> None:
        """Write the scheme's bundle into an empty folder."""
        quantize(self.work / FLOAT / MODEL, scheme, folder / MODEL, self.keep_float, self.rows)
        pack_model(folder, scheme, self.parts)

    def _judge(self, scheme: str, folder: Path) -> Quality:
        """The quality of a bundle on the texts, through the board's pipeline."""
        return self._compare(*values_of(open_pipeline(folder), self.texts.texts, scheme))

    def _stopwatch(self, original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
        return time_by_turns(original, folders, texts)

    def _peak(self, folder: Path) -> int | None:
        return peak_bytes(folder, self.texts.texts)

    def _write_golden(self, bundle: Path) -> None:
        write_golden_rows(bundle, open_pipeline(bundle), self.texts.texts, self.recipe.golden_rows)

    def _compare(self, values: FloatArray, truncated: int) -> Quality:
        lengths = [len(text) for text in self.texts.texts]
        if self.recipe.task == "embed":
            return compare_embeddings(self.original, values, truncated, lengths)
        return compare_labels(self.original, values, self.parts.task.labels, self.texts.labels, truncated, lengths)

    def _finish(self, outcome: Outcome) -> tuple[Report, Manifest]:
        report = Report(
            recipe=self.recipe,
            source=read_manifest(outcome.folder).source,
            task=self.parts.task,
            outcome=outcome,
            float_bytes=(self.work / FLOAT / MODEL).stat().st_size,
            data=self.texts.description,
            calibration_texts=len(self.calibration),
            train_texts=len(self.texts.train),
            dropped=self.texts.dropped,
            fusion=self.fusion,
            opset=self.opset,
            machine=machine(),
            lock=dict(self.lock),
            seconds=self.steps.seconds,
        )
        return report, put_together(outcome, self.work, lambda folder, sealed: self._whole(folder, sealed, report))

    def _whole(self, bundle: Path, sealed: Manifest, report: Report) -> Manifest:
        """A tried bundle with everything that belongs to it."""
        self._write_golden(bundle)
        (bundle / "report.json").write_text(as_json(report), encoding="utf-8")
        (bundle / "report.html").write_text(page(report), encoding="utf-8")
        return complete(bundle, sealed, measured(report, sealed.model.scheme), self.parts)

    def _folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir()
        return folder


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
