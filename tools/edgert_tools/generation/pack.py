"""Bundles of models that write: graph, weights, tokenizer and chat template, then completed with golden questions."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.generate_specs import GenerateSpec
from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, write_questions
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
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edgert_tools.bill import bill_of_materials
from edgert_tools.export.genai import GRAPH, WEIGHTS_FILE
from edgert_tools.generation.decoder import Decoder
from edgert_tools.generation.description import TEMPLATE
from edgert_tools.generation.prose import plain_ids
from edgert_tools.generation.recipe import TASK, DecoderRecipe
from edgert_tools.graph import inputs_of, outputs_of
from edgert_tools.pack import BILL, COMPILED, EXTRA_ROLES, GOLDEN, LICENSE, TOKENIZER
from edgert_tools.parity import Comparison
from edgert_tools.quantization.scheme import SchemeFacts

# Golden texts are continued only as far as the next token leads by so much: another processor's rounding of int8
# moves a logit by tenths.
LEAD, MOST_WRITTEN = 1.0, 16
PROMPTS = (
    "The capital of France is",
    "Once upon a time, there was a",
    "1, 2, 3, 4, 5,",
    "To be, or not to be, that is the",
    "The opposite of hot is",
    "def add(a, b):\n    return a +",
    "Monday, Tuesday, Wednesday,",
    "Water is made of hydrogen and",
)
_ROLES: dict[str, Role] = {
    GRAPH: "model",
    WEIGHTS_FILE: "model",
    TOKENIZER: "tokenizer",
    COMPILED: "tokenizer",
    TEMPLATE: "template",
}


@dataclass(frozen=True)
class DecoderParts:
    """What the bundle is made of beside its graph; `template`: the chat template, None if there is none."""

    recipe: DecoderRecipe
    tokenizer: Path
    comparison: Comparison
    template: str | None
    source: Source
    lock: Mapping[str, str]


def pack_decoder(folder: Path, scheme: str, facts: SchemeFacts, spec: GenerateSpec, parts: DecoderParts) -> Manifest:
    """Add what belongs to a folder with a graph and its weights, and say what it is; nothing is sealed yet."""
    shutil.copyfile(parts.tokenizer, folder / TOKENIZER)
    compiled = COMPILED if compile_tokenizer(folder / TOKENIZER, folder / COMPILED) else None
    if parts.template is not None:
        (folder / TEMPLATE).write_text(parts.template, encoding="utf-8")
    graph = load_graph_alone(folder / GRAPH)
    return Manifest(
        name=parts.recipe.name,
        version=parts.recipe.version,
        counter=1,
        task=TaskSpec(TASK, generate=spec),
        model=ModelSpec(GRAPH, "onnx", scheme, facts.batch_invariant, inputs_of(graph), outputs_of(graph)),
        tokenizer=TokenizerSpec(TOKENIZER, parts.comparison.family, parts.comparison.parity, compiled),
        limits=Limits(min(parts.recipe.context, spec.positions), 1),
        source=parts.source,
        targets=facts.targets,
        lock=parts.lock,
        measured={},
    )


def complete_decoder(folder: Path, manifest: Manifest, measured: Mapping[str, object], licence: str) -> Manifest:
    """Seal the folder with what was measured; golden questions and reports are in it."""
    (folder / LICENSE).write_text(licence, encoding="utf-8")
    (folder / BILL).write_text(bill_of_materials(manifest), encoding="utf-8")
    roles = {path: role for path, role in (_ROLES | EXTRA_ROLES).items() if (folder / path).is_file()}
    return seal_bundle(folder, dataclasses.replace(manifest, measured=measured), roles)


def write_golden_texts(folder: Path, model: Decoder, manifest: Manifest, prompts: Sequence[str], rows: int) -> int:
    """Write what the model says to prompts: their ids, and the most likely tokens after them; how many rows."""
    from edge_runtime.tokenizer import open_tokenizer

    spec = manifest.task.generate
    assert spec is not None
    tokenizer = open_tokenizer(folder / TOKENIZER)
    before = [] if spec.start is None else [spec.start]
    asked = [(text, [*before, *plain_ids(tokenizer, text)]) for text in prompts]
    answers = [(text, ids, model.write(ids, MOST_WRITTEN, LEAD)) for text, ids in asked]
    sure = sorted((one for one in answers if one[2]), key=lambda one: -len(one[2])) or answers[:1]
    write_questions(
        folder / GOLDEN,
        [
            GoldenQuestion(texts=(text,), outputs=(_ids("prompt_ids", ids), _ids("token_ids", written)))
            for text, ids, written in sure[:rows]
        ],
    )
    return len(sure[:rows])


def load_graph_alone(file: Path) -> object:
    """The graph without its weights, which may be gigabytes."""
    import onnx

    return onnx.load(str(file), load_external_data=False)


def _ids(name: str, ids: Sequence[int]) -> GoldenTensor:
    return GoldenTensor(name, "INT64", (len(ids),), tuple(map(int, ids)))
