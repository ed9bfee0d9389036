"""`edgert convert` for a model that writes: a recipe, a GGUF file or a checkpoint -> a bundle for `generate`."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.bundle.generate_specs import GenerateSpec
from edge_runtime.bundle.manifest import Manifest, Source, sha256_of
from edge_runtime.errors import BudgetMissed, SourceUnavailable, UnsupportedModel, UsageError
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools.cache import work_folder
from edgert_tools.convert_result import ConvertResult
from edgert_tools.export.genai import GRAPH, WEIGHTS_FILE, Exporter, genai_exporter
from edgert_tools.export.lock import read_lock
from edgert_tools.export.operators import check_operators
from edgert_tools.generation.decoder import Decoder
from edgert_tools.generation.description import chat_template, generate_spec, start_token
from edgert_tools.generation.judge import compare_decoders, compare_writing, misses, room_for
from edgert_tools.generation.pack import (
    PROMPTS,
    DecoderParts,
    complete_decoder,
    load_graph_alone,
    pack_decoder,
    write_golden_texts,
)
from edgert_tools.generation.prose import DESCRIPTION, novel, own_text, windows_of
from edgert_tools.generation.recipe import (
    TASK,
    DecoderRecipe,
    check_decoder_recipe,
    form_of,
    is_decoder_recipe,
    read_decoder_recipe,
)
from edgert_tools.generation.report import DecoderReport, TriedForm, as_json, line_of, measured, page
from edgert_tools.generation.source import (
    GGUF,
    Found,
    fetch_decoder,
    found_checkpoint,
    found_gguf,
    is_decoder_folder,
    open_folder,
)
from edgert_tools.generation.surgery import share_embedding, with_all_logits
from edgert_tools.graph import inputs_of, outputs_of
from edgert_tools.hub import HUB_ID, fetch_from_hub
from edgert_tools.licence import text_of_licence
from edgert_tools.machine import machine, require_modules, tool_versions
from edgert_tools.pack import check_target, install, made_with
from edgert_tools.parity import check_parity
from edgert_tools.progress import Say, Steps, to_stderr
from edgert_tools.quantization.scheme import Scheme, facts_of
from edgert_tools.recipe import recipe_file, recipe_folder
from edgert_tools.settings import plain_name
from edgert_tools.tokenizer_file import tokenizer_file

if TYPE_CHECKING:
    from edgert_tools.settings import Options

FLOAT, JUDGED = "float32", "judged.onnx"
GAP_MAX = 0.02  # of a logit, where logits are of the order of ten: float32 sums in another order
_THREADS = 1
_NEEDED = ("onnx", "onnxruntime", "tokenizers", "hassil")
_PARITY_TEXTS = 40


def decoder_recipe_of(source: str) -> Path | None:
    """The file of a recipe of a model that writes that SOURCE names; None: SOURCE is something else."""
    file = recipe_file(source)
    return file if file is not None and is_decoder_recipe(file) else None


def takes(source: str, task: str | None) -> bool:
    """Whether `convert_decoder` is for this SOURCE, if this `--task` was given."""
    if decoder_recipe_of(source) is not None or source.endswith(GGUF):
        return True
    if task not in (None, TASK):
        return False
    return is_decoder_folder(Path(source)) or (task == TASK and (Path(source).is_dir() or _is_hub_id(source)))


def list_decoder_recipes() -> tuple[DecoderRecipe, ...]:
    """All recipes of models that write that come with edgert, by name."""
    return tuple(
        read_decoder_recipe(file) for file in sorted(recipe_folder().glob("*.toml")) if is_decoder_recipe(file)
    )


def convert_decoder(
    source: str,
    out: Path,
    options: Options,
    *,
    data: Path | None = None,
    force: bool = False,
    replace: bool = False,
    say: Say = to_stderr,
) -> ConvertResult:
    """Make a bundle of a model that writes; the arguments are those of `edgert_tools.convert.convert`.

    Args:
        data: a text file to judge on instead of the novel.

    Raises:
        BudgetMissed: no form is near enough to float; nothing is written.
        UsageError, SourceUnavailable, UnsupportedModel, UnsupportedTokenizer, EnvironmentFailed: with cause and remedy.
    """
    start, out = time.perf_counter(), out.absolute()
    _require(options)
    steps = Steps(5, say)
    with steps.step(f"source {source}") as note:
        recipe, found = _open(source, options, note)
        lock = _lock(recipe, found, data)
        note(f"{found.model} by {found.origin}, weights {found.weights_sha256[:12]}…")
    known = None if force else made_with(out, lock)
    if known is not None and known.source.sha256 == found.weights_sha256:
        return ConvertResult(out, known, True, None, time.perf_counter() - start)
    check_target(out, force=force or replace)
    with work_folder() as work, genai_exporter(say) as exporter:
        report, manifest = _Conversion(recipe, found, lock, data, work, steps, exporter).run()
        install(work / "bundle", out, force=force or replace)
    return ConvertResult(out, manifest, False, report, time.perf_counter() - start)


class _Conversion:
    """The state of one conversion; `run` is its order."""

    def __init__(
        self,
        recipe: DecoderRecipe,
        found: Found,
        lock: Mapping[str, str],
        data: Path | None,
        work: Path,
        steps: Steps,
        exporter: Exporter,
    ) -> None:
        self.recipe, self.found, self.lock, self.data = recipe, found, lock, data
        self.work, self.steps, self.exporter = work, steps, exporter

    def run(self) -> tuple[DecoderReport, Manifest]:
        """Leave the finished bundle in `work/bundle`."""
        steps = self.steps
        with steps.step("checkpoint, tokenizer, text to judge on") as note:
            self.checkpoint = self.found.opened(self.exporter, self.work)
            self.parts = self._parts(note)
            self.windows = self._windows(note)
        with steps.step("float graph, against transformers' own answers") as note:
            self.float_folder = self.work / FLOAT
            self.spec = self._build(form_of(FLOAT), self.float_folder)
            self.gap = self._export_gap(note)
            self.float_bytes = (self.float_folder / WEIGHTS_FILE).stat().st_size
        with steps.step(f"int8, measured against float32 on {len(self.windows)} windows") as note:
            chosen, tried = self._choose(note)
        with steps.step("golden texts, report, bundle"):
            return self._finish(chosen, tried)

    def _parts(self, note: Say) -> DecoderParts:
        tokenizer = tokenizer_file(self.checkpoint, self.work)
        self.text = own_text(self.data) if self.data is not None else novel()
        lines = [self.text[at : at + 400] for at in range(0, len(self.text), max(400, len(self.text) // _PARITY_TEXTS))]
        comparison = check_parity(tokenizer, [*PROMPTS, *lines])
        note(f"tokenizer ({comparison.family}) equals {comparison.oracle} on {comparison.parity.texts} texts")
        found = self.found
        source = Source(found.model, found.origin, found.revision or "unknown", found.weights_sha256, found.license)
        template = chat_template(self.checkpoint.folder)
        return DecoderParts(self.recipe, tokenizer, comparison, template, source, self.lock)

    def _windows(self, note: Say) -> list[list[int]]:
        tokenizer, data = open_tokenizer(self.parts.tokenizer), self.recipe.evaluate
        self.start = start_token(self.checkpoint, tokenizer)
        positions = self.checkpoint.config.get("max_position_embeddings")
        tokens = min(data.tokens, self.recipe.context, positions if isinstance(positions, int) else data.tokens)
        windows = windows_of(self.text, tokenizer, data.windows, tokens, self.start)
        self.description = str(self.data.name) if self.data is not None else DESCRIPTION
        note(f"{len(windows)} windows of {tokens} tokens of {self.description}")
        return windows

    def _build(self, form: Scheme, folder: Path) -> GenerateSpec:
        """Build one form's graph, and a second one to judge it by; what the graph is."""
        described = self.exporter.build(self.checkpoint.folder, form, folder)
        graph = load_graph_alone(folder / GRAPH)
        self.operators = check_operators(graph, f"the {form.name} graph of {self.found.model}")
        spec = generate_spec(self.checkpoint, described, inputs_of(graph), outputs_of(graph), self.start)
        for file in folder.iterdir():  # the builder's copies of settings and tokenizer
            if file.name not in (GRAPH, WEIGHTS_FILE):
                file.unlink()
        return spec

    def _export_gap(self, note: Say) -> float:
        """The largest distance of the float graph's logits from those of transformers. UnsupportedModel: too large."""
        own, missing = self.exporter.logits(self.checkpoint.folder, self.windows[0], self.work)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UnsupportedModel(f"the weights lack {missing[0]}{more}, which config.json asks for")
        exported = self._opened(self.float_folder).read(self.windows[0])
        gap = float(np.abs(exported - own).max())
        if not gap <= GAP_MAX * max(1.0, float(np.abs(own).max()) / 10):
            raise UnsupportedModel(
                f"the float graph's logits differ by up to {gap:.3g} from those of transformers: the exporter has this "
                "model wrong; take another model"
            )
        note(f"{(self.float_folder / WEIGHTS_FILE).stat().st_size / 1e6:.1f} MB, logits within {gap:.2g}")
        return gap

    def _opened(self, folder: Path) -> Decoder:
        """The form of a folder that gives every token's logits."""
        judged = folder / JUDGED
        if not judged.is_file():
            with_all_logits(folder, JUDGED)
        return Decoder(judged, self.spec, room_for(len(self.windows[0])), _THREADS)

    def _choose(self, note: Say) -> tuple[Scheme, list[TriedForm]]:
        """Try the forms in order until one is within the budget. BudgetMissed: none is."""
        original, tried = self._opened(self.float_folder), list[TriedForm]()
        for name in self.recipe.schemes:
            tried.append(self._try(form_of(name), original))
            note(line_of(tried[-1]))
            if not tried[-1].misses:
                return form_of(name), tried
            shutil.rmtree(self.work / name)
        told = "\n".join("  " + line_of(one) for one in tried)
        raise BudgetMissed(f"no form of {self.recipe.name} is within its budget, nothing was written:\n{told}")

    def _try(self, form: Scheme, original: Decoder) -> TriedForm:
        folder = self.work / form.name
        if form.name != FLOAT:
            self._build(form, folder)
        shared = form.name != FLOAT and share_embedding(folder)
        other = self._opened(folder)
        quality = compare_decoders(original, other, self.windows)
        speed = compare_writing(original, other, self.windows[0], _THREADS)
        size = (folder / WEIGHTS_FILE).stat().st_size + (folder / GRAPH).stat().st_size
        ratio = size / self.float_bytes
        return TriedForm(
            form.name, size, ratio, shared, quality, speed, misses(quality, ratio, speed, self.recipe.budget)
        )

    def _finish(self, form: Scheme, tried: list[TriedForm]) -> tuple[DecoderReport, Manifest]:
        bundle, facts = (self.work / form.name).rename(self.work / "bundle"), facts_of(form.name)
        (bundle / JUDGED).unlink()
        manifest = pack_decoder(bundle, form.name, facts, self.spec, self.parts)
        model = Decoder(bundle / GRAPH, self.spec, room=256, threads=_THREADS)
        write_golden_texts(bundle, model, manifest, PROMPTS, self.recipe.golden_rows)
        report = DecoderReport(
            recipe=self.recipe,
            source=self.parts.source,
            scheme=form.name,
            facts=facts,
            tried=tuple(tried),
            float_bytes=self.float_bytes,
            export_gap=self.gap,
            operators=self.operators,
            data=self.description,
            machine=machine(),
            lock=self.lock,
            seconds=self.steps.seconds,
        )
        (bundle / "report.json").write_text(as_json(report), encoding="utf-8")
        (bundle / "report.html").write_text(page(report), encoding="utf-8")
        return report, complete_decoder(bundle, manifest, measured(report), self._licence(form.name))

    def _licence(self, scheme: str) -> str:
        checkpoint, source = self.checkpoint, self.recipe.source
        notice = f"{source.notice}\n\n" if source and source.notice else ""
        of_gguf = f" ({self.found.revision})" if self.found.gguf else ""
        return (
            f"Weights of {checkpoint.model}, revision {checkpoint.revision or 'unknown'}, licence: "
            f"{checkpoint.license}.\nChanged by edgert: exported to ONNX as {scheme}{of_gguf}.\n\n"
            f"{notice}{text_of_licence(checkpoint)}"
        )


def _open(source: str, options: Options, note: Say) -> tuple[DecoderRecipe, Found]:
    """The recipe, or one made for a file, a folder or a hub id; and what it is about."""
    file, path = decoder_recipe_of(source), Path(source)
    if file is not None:
        if options.revision is not None:
            raise UsageError(f"recipe {file.stem} pins its source: leave out --revision")
        recipe = _with_options(read_decoder_recipe(file), options)
        assert recipe.source is not None
        return recipe, fetch_decoder(recipe.source, note)
    if source.endswith(GGUF):
        if not path.is_file():
            raise SourceUnavailable(f"no file {source[:200]}")
        found = found_gguf(path)
    elif path.is_dir():
        found = open_folder(path, options.revision)
    else:
        found = found_checkpoint(fetch_from_hub(source, options.revision, note))
    name = plain_name(path.stem if found.gguf else found.model)
    return _with_options(DecoderRecipe(name, "1.0.0"), options), found


def _with_options(recipe: DecoderRecipe, options: Options) -> DecoderRecipe:
    changes: dict[str, object] = {}
    if options.name is not None:
        changes["name"] = options.name
    if options.max_tokens is not None:
        changes["context"] = options.max_tokens
    if options.scheme is not None:
        changes["schemes"] = (form_of(options.scheme).name,)
    return check_decoder_recipe(dataclasses.replace(recipe, **changes))  # type: ignore[arg-type]


def _require(options: Options) -> None:
    """Refuse another task, and what is not installed."""
    task: str | None = options.task
    if task not in (None, TASK):
        raise UsageError(f"this model is for {TASK}, not {task}: leave out --task")
    require_modules(_NEEDED)


def _lock(recipe: DecoderRecipe, found: Found, data: Path | None) -> dict[str, str]:
    exporter = read_lock("genai")
    here = tool_versions(with_head=False)
    for name in ("optimum", "optimum-onnx", "sentencepiece"):
        here.pop(name)
    # The exporter's own onnx, numpy, onnxruntime and tokenizers are in the hash of its lock; here they are those that
    # the graph was edited and judged with.
    lock = {
        **{**exporter.decides, **here},
        **{name: exporter.versions[name] for name in ("torch", "transformers")},
        "exporter_lock_sha256": exporter.sha256,
        "recipe_sha256": recipe.sha256(),
        "checkpoint_settings_sha256": found.settings_sha256,
    }
    return lock if data is None else {**lock, "data_sha256": sha256_of(data)}


def _is_hub_id(source: str) -> bool:
    return HUB_ID.fullmatch(source) is not None and not Path(source).exists()
