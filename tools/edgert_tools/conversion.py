"""One conversion of a text model: its state, and its order from the float graph to the finished bundle."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, TaskSpec, read_manifest
from edge_runtime.errors import BudgetMissed, UsageError
from edge_runtime.pipeline import open_pipeline
from edgert_tools.budget import Candidate, misses, table
from edgert_tools.checkpoint import Checkpoint, labels_of
from edgert_tools.evaluate import FloatArray, Quality, compare_embeddings, compare_labels, values_of
from edgert_tools.export.encoder import export_encoder
from edgert_tools.export.operators import check_operators
from edgert_tools.fuse import fuse
from edgert_tools.graph import keep_outputs, load_graph, opset_of, save_graph
from edgert_tools.head import Head, attach_head, train_head
from edgert_tools.machine import machine
from edgert_tools.pack import MODEL, Parts, complete, pack_model, write_golden_rows
from edgert_tools.parity import Comparison, check_parity
from edgert_tools.progress import Say, Steps
from edgert_tools.quantization.build import quantize
from edgert_tools.quantization.calibration import encode_rows
from edgert_tools.quantization.forms import put_together
from edgert_tools.quantization.held_back import split_rows
from edgert_tools.quantization.kept import KeptCandidates
from edgert_tools.quantization.outcome import Outcome
from edgert_tools.quantization.peak import peak_bytes
from edgert_tools.quantization.search import Trial, search, time_by_turns
from edgert_tools.quantization.targets import on_texts
from edgert_tools.recipe import Recipe
from edgert_tools.report import Report, as_json, measured
from edgert_tools.report_page import page
from edgert_tools.text_tasks import FACTS, TextTaskName
from edgert_tools.texts import Texts, load_texts
from edgert_tools.timing import Speed
from edgert_tools.tokenizer_file import tokenizer_file

FLOAT = "float32"


class Conversion:
    """The state of one conversion; `run` is its order, `prepare` its first part."""

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
        self.prepare()
        policy = self.recipe.quantize.policy
        with self.steps.step("int8, each scheme measured against float32") as note:
            outcome = self._search(note) if self.targets or policy == "best" else self._first(note)
        with self.steps.step("golden rows, report, bundle"):
            return self._finish(outcome)

    def prepare(self) -> None:
        """Come as far as the float bundle in `work/float32` and its answers: int8 is made of one, held to the other."""
        steps = self.steps
        with steps.step("texts to judge on, tokenizer") as note:
            self.tokenizer = tokenizer_file(self.checkpoint, self.work)  # first: texts may have to be downloaded
            self.texts = self._texts(note)
            self._check_labels()
            self.comparison = self._compare_tokenizer(note)
            self.rows = encode_rows(self.tokenizer, self.calibration, self.recipe.max_tokens)
        self._change_checkpoint()
        with steps.step("export to ONNX, float32") as note:
            body = self._export(note)
        if self.recipe.head is not None:
            with steps.step("train the classifier on float embeddings") as note:
                head = self._train(body, note)
                self.parts = self._parts(TaskSpec("classify", head.labels))
                self.keep_float = attach_head(
                    body / MODEL, head, self.recipe.pooling, self.recipe.normalize, self.folder(FLOAT) / MODEL
                )
        else:
            body.rename(self.work / FLOAT)
            self.parts = self._parts(self._plain_task())
        with steps.step(f"float32 answers on {len(self.texts.texts)} texts"):
            pack_model(self.work / FLOAT, FLOAT, self.parts)
            self._answer_original()

    def _texts(self, note: Say) -> Texts:
        texts = load_texts(self.recipe, self.data, note)
        texts, self.calibration = split_rows(texts, self.recipe, self.data is not None)
        note(f"{len(texts.texts)} {texts.description}")
        if self.calibration:
            note(f"{len(self.calibration)} others to calibrate on")
        if texts.dropped:
            note("left out for too few sentences: " + ", ".join(f"{name} ({n})" for name, n in texts.dropped))
        return texts

    def _change_checkpoint(self) -> None:
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
        body = self.folder("body")
        save_graph(model, body / MODEL)
        shutil.rmtree(self.work / "export")
        note(f"{(body / MODEL).stat().st_size / 1e6:.1f} MB, opset {self.opset}; {self.fusion}")
        return body

    def _exported(self, task: TextTaskName, note: Say) -> Path:
        """The graph as the exporter writes it."""
        return export_encoder(self.checkpoint, task, self.folder("export"), note)

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
            make=self.make,
            judge=self.judge,
            peak=self._peak,
            targets=self.targets,
            count=on_texts(self.tokenizer, self.texts.texts, self.recipe.max_tokens, self.targets, note),
        )
        return search(trial, self.recipe.quantize.candidates, self.kept, note, self.stopwatch)

    def _candidate(self, scheme: str) -> Candidate:
        folder = self.folder(scheme)
        self.make(scheme, folder)
        size = (folder / MODEL).stat().st_size
        ratio = size / (self.work / FLOAT / MODEL).stat().st_size
        quality = self.judge(scheme, folder)
        speed = self.stopwatch(self.work / FLOAT, {scheme: folder}, self.texts.texts)[scheme]
        return Candidate(scheme, size, ratio, quality, speed, misses(quality, ratio, self.recipe.budget))

    def make(self, scheme: str, folder: Path) -> None:
        """Write the scheme's bundle into an empty folder."""
        quantize(self.work / FLOAT / MODEL, scheme, folder / MODEL, self.keep_float, self.rows)
        pack_model(folder, scheme, self.parts)

    def judge(self, scheme: str, folder: Path) -> Quality:
        """The quality of a bundle on the texts, through the board's pipeline."""
        return self._compare(*values_of(open_pipeline(folder), self.texts.texts, scheme))

    def stopwatch(self, original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
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

    def folder(self, name: str) -> Path:
        folder = self.work / name
        folder.mkdir()
        return folder
