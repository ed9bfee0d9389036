"""A checkpoint's tensors and the JSON files beside them -> `Model`. Shared by folders, recipes and the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.policy import UNKNOWN
from edge_runtime.errors import EdgertError, SourceUnavailable, UnsupportedModel, UnsupportedTokenizer
from edge_runtime.tokenizer.spec import read_spec
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, check_settings, guess_max_tokens, guess_task, spdx
from edgert_tools.planning.exporters import export_blocker, export_note
from edgert_tools.planning.model import WRITES, Dimensions, Family, Model, TokenizerFacts
from edgert_tools.planning.refusal import BadSource
from edgert_tools.planning.tensors import Tensor
from edgert_tools.planning.weights import Weight, sort_weights
from edgert_tools.recipe import Recipe
from edgert_tools.settings import Options, check_positions, from_checkpoint
from edgert_tools.text_tasks import TEXT_TASKS
from edgert_tools.tokenizer_sources import OWN, find_source

_MAX_CONFIG_BYTES = 16 << 20
_MAX_COUNT = 1 << 31  # of layers, heads, widths
_MOST_LABELS = 100_000
_LAYER = re.compile(r"(?:^|\.)(?:layers?|h|blocks?|block)\.(\d+)\.")
# End of an architecture's name -> what it is for, of those that are no text model which only reads.
_TASKS = {
    "ForCausalLM": WRITES,
    "LMHeadModel": WRITES,
    "ForMultipleChoice": "multiple choice",
    "ForConditionalGeneration": "sequence to sequence",
    "ForImageClassification": "image classification",
    "ForObjectDetection": "object detection",
    "ForAudioClassification": "audio classification",
    "ForCTC": "speech recognition",
}
_FAMILIES = {"tiktoken": "bpe", "merges": "bpe", "vocab.txt": "wordpiece", "sentencepiece": "unigram"}
_KEYS = {
    "layers": ("num_hidden_layers", "n_layers", "n_layer", "num_layers"),
    "width": ("hidden_size", "dim", "n_embd", "d_model"),
    "inner": ("intermediate_size", "hidden_dim", "n_inner", "d_ff", "ffn_dim", "encoder_ffn_dim"),
    "heads": ("num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads"),
    "kv_heads": ("num_key_value_heads",),
    "head_width": ("head_dim", "d_kv"),
}


@dataclass(frozen=True)
class Asked:
    """What the user gave beside SOURCE; None: not given."""

    revision: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a checkpoint is from: what the user typed, what it is called upstream, how it was read, which commit.

    `split`: its weights are in several files.
    """

    source: str
    model: str
    origin: str
    revision: str = ""
    split: bool = False


def model_of_folder(
    folder: Path, tensors: Iterable[Tensor], place: Place, asked: Asked, recipe: Recipe | None = None
) -> Model:
    """Describe a checkpoint; what stands in the way of a conversion is listed, not raised.

    Args:
        folder: has `config.json` and what else is not weights.
        tensors: of its safetensors header or headers.
        recipe: settings that go before the checkpoint's own.

    Raises:
        BadSource: no `config.json`, or one that is no table or names an absurd number of labels.
    """
    config = _table(folder / "config.json")
    if not config:
        raise BadSource(f"{place.model} has no config.json, or an empty one: it is not a Hugging Face checkpoint")
    if "num_labels" in config and not 0 < _count(config, "num_labels") <= _MOST_LABELS:  # each gets a name
        raise BadSource(f"config.json says num_labels {str(config['num_labels'])[:40]}: expected 1 to {_MOST_LABELS}")
    tensors = tuple(tensors)
    license_id = recipe.source.license if recipe is not None and recipe.source is not None else card_license(folder)
    checkpoint = Checkpoint(folder, place.model, place.origin, place.revision, "", license_id, config)
    task = _task(checkpoint) if recipe is None else ("embed" if recipe.head is not None else recipe.task)
    text = _text_config(config)
    weights = sort_weights(tensors, hidden_states_only=task == "embed")
    family = _family(config, text, task)
    max_tokens, limits = _max_tokens(checkpoint, task, asked, recipe)
    blockers = (*_blockers(folder, config, task, place.split), *limits, *_lies(text, weights))
    quantized = isinstance(config.get("quantization_config"), dict)
    return Model(
        source=place.source,
        origin=place.origin,
        architecture=_architecture(config),
        task=task if recipe is None else recipe.task,
        family=family,
        weights=weights,
        stored_bytes=sum(tensor.stored_bytes for tensor in tensors),
        max_tokens=max_tokens,
        dimensions=dimensions_of(text),
        tokenizer=tokenizer_facts(folder),
        license=license_id,
        blockers=tuple(dict.fromkeys(blockers)),
        notes=_notes(config, task, recipe),
        made_for=recipe.quantize.candidates if recipe is not None else (),
        revision=place.revision,
        tied_head=_tied(task, family, weights),
        active_experts=_active_experts(text),
        quantized=quantized,
    )


def tokenizer_facts(folder: Path) -> TokenizerFacts:
    """The family of the folder's tokenizer, and why the board cannot read it, if it cannot."""
    try:
        source = find_source(folder)
        if source.kind != OWN:
            return TokenizerFacts(_FAMILIES[source.kind], made=source.file.name)
        return TokenizerFacts(type(read_spec(source.file).model).__name__.lower())
    except UnsupportedTokenizer as error:
        return TokenizerFacts("", refused=str(error))
    except SourceUnavailable:
        return TokenizerFacts("")


def dimensions_of(config: Mapping[str, Any]) -> Dimensions:
    """Layers, widths and heads by any of the names that configs use; what is missing or absurd is 0."""
    found = {name: next(filter(None, (_count(config, key) for key in keys)), 0) for name, keys in _KEYS.items()}
    heads, width = found["heads"], found["width"]
    return Dimensions(
        layers=found["layers"],
        width=width,
        inner=found["inner"] or 4 * width,  # GPT-2 leaves it out when it is that
        heads=heads,
        kv_heads=found["kv_heads"] or heads,
        head_width=found["head_width"] or (width // heads if heads else 0),
    )


def card_license(folder: Path) -> str:
    """`license:` of the model card's front matter, or `license_name:` where that says "other"."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines()[:400] if card.is_file() else []
    if not lines or lines[0].strip() != "---":
        return UNKNOWN
    stated: dict[str, str] = {}
    for line in lines[1:]:
        if line.strip() == "---":
            break
        key, _, value = line.partition(":")
        if key in ("license", "license_name") and value.strip():
            stated[key] = spdx(value.strip())
    found = stated.get("license", UNKNOWN)
    return stated.get("license_name", UNKNOWN) if found.lower() == "other" else found


def _blockers(folder: Path, config: Mapping[str, Any], task: str, split: bool) -> list[str]:
    found = [f"the weights are split over several files: save them as one {WEIGHTS}"] if split else []
    try:
        check_settings(folder)
    except EdgertError as error:
        found.append(str(error))
    blocker = export_blocker(str(config.get("model_type", "unknown")), task)
    if blocker:
        found.append(blocker)
    quantized = config.get("quantization_config")
    if isinstance(quantized, dict):
        method = str(quantized.get("quant_method", "unknown"))[:40]
        found.append(f"its weights are quantized already ({method}): take the original checkpoint")
    return found


def _max_tokens(checkpoint: Checkpoint, task: str, asked: Asked, recipe: Recipe | None) -> tuple[int, list[str]]:
    """The longest text to plan for, and what a conversion would refuse."""
    try:
        if recipe is None and task not in TEXT_TASKS:
            return asked.max_tokens or guess_max_tokens(checkpoint), []
        settings = from_checkpoint(checkpoint, Options()) if recipe is None else recipe
        check_positions(settings, checkpoint)
    except (EdgertError, ValueError, TypeError) as error:
        return asked.max_tokens or 128, [str(error)]
    return asked.max_tokens or settings.max_tokens, []


def _lies(config: Mapping[str, Any], weights: Iterable[Weight]) -> list[str]:
    """Where config.json and the weights contradict each other."""
    weights, found = tuple(weights), []
    rows = max((weight.rows for weight in weights if weight.role == "table"), default=0)
    words, layers = _count(config, "vocab_size"), dimensions_of(config).layers
    if words and rows and rows < words:
        found.append(f"config.json says that there are {words} tokens, the largest embedding table has {rows} rows")
    numbers = {int(match[1]) for weight in weights if (match := _LAYER.search(weight.name)) and len(match[1]) < 6}
    if layers and numbers and len(numbers) < layers and not config.get("num_hidden_groups"):
        found.append(f"config.json says that there are {layers} layers, the weights have {len(numbers)}")
    return found


def _notes(config: Mapping[str, Any], task: str, recipe: Recipe | None) -> tuple[str, ...]:
    notes = [export_note(str(config.get("model_type", "unknown")))] if task in TEXT_TASKS else []
    if recipe is not None and recipe.head is not None:
        notes.append("a classifier is trained on it and put into the graph: some kilobytes more")
    return tuple(note for note in notes if note)


def _task(checkpoint: Checkpoint) -> str:
    name = _architecture(checkpoint.config)
    other = next((task for end, task in _TASKS.items() if name.endswith(end)), None)
    try:
        return other or guess_task(checkpoint)
    except UnsupportedModel:  # labels that are none: `_max_tokens` lists that
        return "classify"


def _family(config: Mapping[str, Any], text: Mapping[str, Any], task: str) -> Family:
    if config.get("is_encoder_decoder"):
        return "encoder-decoder"
    if config.get("vision_config") or config.get("audio_config") or not _count(text, "vocab_size"):
        return "other"
    return "decoder" if task == WRITES else "encoder"


def _tied(task: str, family: Family, weights: Iterable[Weight]) -> bool:
    names = {weight.name for weight in weights if weight.role in ("matrix", "table")}
    has_head = any("lm_head" in name or name == "output.weight" for name in names)
    return family == "decoder" and task == WRITES and not has_head and any(w.role == "table" for w in weights)


def _active_experts(config: Mapping[str, Any]) -> float:
    used = _count(config, "num_experts_per_tok")
    total = next((_count(config, key) for key in ("num_experts", "num_local_experts", "n_routed_experts")), 0)
    return min(1.0, used / total) if used and total else 1.0


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    named = names[0] if isinstance(names, list) and names else config.get("model_type", "unknown")
    return str(named)[:80]


def _text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = config.get("text_config")
    return nested if isinstance(nested, dict) else config


def _count(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    return value if type(value) is int and 0 < value < _MAX_COUNT else 0


def _table(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            table = json.loads(stream.read(_MAX_CONFIG_BYTES))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise BadSource(f"{file.name} is not JSON: {str(error)[:120]}") from error
    if not isinstance(table, dict):
        raise BadSource(f"{file.name} is not a table (a JSON object)")
    return table
