"""Bundles of a Whisper: encoder, decoder and tokenizer that run, then completed with golden questions and report."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.golden import write_questions
from edge_runtime.bundle.manifest import (
    Limits,
    Manifest,
    ModelSpec,
    Role,
    Source,
    TaskSpec,
    TokenizerSpec,
    seal_bundle,
)
from edge_runtime.bundle.speech_specs import TranscribeSpec
from edge_runtime.model import Model
from edge_runtime.models.sound.transcribe import DECODER as DECODER_PART
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edgert_tools.bill import bill_of_materials
from edgert_tools.existing.examples import Row, golden_question
from edgert_tools.graph import inputs_of, load_graph, outputs_of
from edgert_tools.pack import BILL, COMPILED, EXTRA_ROLES, GOLDEN, LICENSE, TOKENIZER
from edgert_tools.parity import Comparison
from edgert_tools.quantization.scheme import SchemeFacts
from edgert_tools.speech.export import DECODER, ENCODER


@dataclass(frozen=True)
class Parts:
    """What the bundles of one Whisper share; `positions`: tokens that the decoder has places for."""

    name: str
    version: str
    spec: TranscribeSpec
    positions: int
    tokenizer: Path
    comparison: Comparison | None
    source: Source
    lock: Mapping[str, str]


def pack(folder: Path, scheme: str, facts: SchemeFacts, parts: Parts) -> Manifest:
    """Seal a folder that holds the two graphs into a bundle that runs."""
    shutil.copyfile(parts.tokenizer, folder / TOKENIZER)
    compiled = COMPILED if compile_tokenizer(folder / TOKENIZER, folder / COMPILED) else None
    compared = parts.comparison
    tokenizer = TokenizerSpec(
        TOKENIZER, compared.family if compared else "bpe", compared.parity if compared else None, compiled
    )
    manifest = Manifest(
        name=parts.name,
        version=parts.version,
        counter=1,
        task=TaskSpec("transcribe", transcribe=parts.spec),
        model=_model(folder, ENCODER, scheme, facts),
        more={DECODER_PART: _model(folder, DECODER, scheme, facts)},
        tokenizer=tokenizer,
        limits=Limits(parts.positions, 1),
        source=parts.source,
        targets=facts.targets,
        lock=parts.lock,
        measured={},
    )
    return seal_bundle(folder, manifest, _roles(manifest))


def complete(folder: Path, manifest: Manifest, measured: Mapping[str, object], licence: str) -> Manifest:
    """Seal again with what was measured and the files beside; golden questions and reports are in the folder."""
    (folder / LICENSE).write_text(licence, encoding="utf-8")
    (folder / BILL).write_text(bill_of_materials(manifest), encoding="utf-8")
    extra = {path: role for path, role in EXTRA_ROLES.items() if (folder / path).is_file()}
    return seal_bundle(folder, dataclasses.replace(manifest, measured=measured), {**_roles(manifest), **extra})


def write_golden_sounds(folder: Path, model: Model, sounds: Sequence[bytes]) -> None:
    """Write WAV files as questions, with this model's answers."""
    asked = [Row(raw=sound, media_type="audio/wav") for sound in sounds]
    write_questions(folder / GOLDEN, [golden_question(one, model.answer([one]).answers[0]) for one in asked])


def _model(folder: Path, file: str, scheme: str, facts: SchemeFacts) -> ModelSpec:
    graph = load_graph(folder / file)
    return ModelSpec(file, "onnx", scheme, facts.batch_invariant, inputs_of(graph), outputs_of(graph))


def _roles(manifest: Manifest) -> dict[str, Role]:
    roles: dict[str, Role] = {ENCODER: "model", DECODER: "model", TOKENIZER: "tokenizer"}
    return roles | ({COMPILED: "tokenizer"} if manifest.tokenizer and manifest.tokenizer.compiled else {})
