"""A Hugging Face checkpoint folder: what it must hold, and what its files say about the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import TaskSpec, sha256_of
from edge_runtime.errors import SourceUnavailable, UnsupportedModel, UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools.recipe import Pooling, TaskName
from edgert_tools.text_tasks import TextTaskName, spec_of, task_of
from edgert_tools.tokenizer_sources import OWN, PATTERNS, find_source

WEIGHTS = "model.safetensors"
MOST_TOKENS = 512  # without a recipe: longer texts than this are slow on a small board
# Their first token has the position after that of padding.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")
_SENTENCE_LAYERS = {"Transformer", "Pooling", "Normalize"}  # of sentence-transformers, that the board has
# Files beside the weights that decide what a conversion gives.
_SETTINGS = (
    *("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", *PATTERNS),
)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class Checkpoint:
    """A folder that passed `open_checkpoint`, with where it came from.

    `model` is the upstream id, `origin` how it was fetched, `license` an SPDX id or "unknown".
    """

    folder: Path
    model: str
    origin: str
    revision: str
    weights_sha256: str
    license: str
    config: Mapping[str, Any]


def open_checkpoint(
    folder: Path, *, model: str, origin: str, revision: str = "", license_id: str = "unknown"
) -> Checkpoint:
    """Check a folder and hash its weights.

    Raises:
        SourceUnavailable: a file that is needed is not there.
        UnsupportedModel: only pickled or split weights, or a model that brings its own code.
        UnsupportedTokenizer: the board cannot read its tokenizer.
    """
    config = check_settings(folder)
    _check_weights(folder)
    license_id = _card_license(folder) if license_id == "unknown" else license_id
    return Checkpoint(folder, model, origin, revision, sha256_of(folder / WEIGHTS), license_id, config)


def check_settings(folder: Path) -> Mapping[str, Any]:
    """Check everything but the weights, which may be large and still elsewhere; the content of `config.json`.

    Raises:
        What `open_checkpoint` raises.
    """
    if not folder.is_dir():
        raise SourceUnavailable(f"no folder {folder}")
    config = _read_table(folder / "config.json")
    if not config:
        raise SourceUnavailable(f"{folder} has no config.json: it is not a Hugging Face checkpoint folder")
    if config.get("auto_map"):
        raise UnsupportedModel("config.json names the model's own code (auto_map), which is never run")
    source = find_source(folder)
    if source.kind == OWN:
        check_tokenizer(source.file, config)
    return config


def check_tokenizer(file: Path, config: Mapping[str, Any]) -> None:
    """Refuse a `tokenizer.json` that the board cannot read, or with ids that the model has no row for.

    Raises:
        UnsupportedTokenizer: which of the two it is.
    """
    ids, rows = open_tokenizer(file).vocab_size, config.get("vocab_size")
    if isinstance(rows, int) and ids > rows:
        raise UnsupportedTokenizer(
            f"{file.name} gives {ids} token ids, config.json says that the model knows {rows}: "
            "they do not belong together"
        )


def settings_sha256(checkpoint: Checkpoint) -> str:
    """One hash of the files beside the weights that decide what a conversion gives."""
    digest = hashlib.sha256()
    for file in (file for pattern in _SETTINGS for file in sorted(checkpoint.folder.glob(pattern))):
        if file.is_file():
            digest.update(f"{file.name} {sha256_of(file)}\n".encode())
    return digest.hexdigest()


def guess_task(checkpoint: Checkpoint) -> TaskName:
    """The task that the model's head is for; `embed` if it has none that we know."""
    return task_of(architectures_of(checkpoint), label_names(checkpoint))


def architectures_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The model's classes in transformers, as its config names them."""
    named = checkpoint.config.get("architectures") or ()
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def asked_spec(checkpoint: Checkpoint, task: TextTaskName, max_tokens: int) -> TaskSpec:
    """The manifest's task for a checkpoint that is asked questions, by `models/reading.py`.

    Raises:
        UnsupportedModel: its labels cannot be right for the task, or cannot be told apart.
    """
    labels = label_names(checkpoint)
    if task == "token-classify":
        _check_apart(labels)
    return spec_of(task, labels, max_tokens)


def labels_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The label names in the order of the logits, from `id2label`; LABEL_0, LABEL_1 if there are none.

    Raises:
        UnsupportedModel: the head does not choose one of several labels, or they cannot be read or told apart.
    """
    kind = checkpoint.config.get("problem_type")
    if kind not in (None, "single_label_classification"):
        raise UnsupportedModel(f"config.json says {kind}: the board chooses one of several labels and nothing else")
    labels = label_names(checkpoint)
    _check_apart(labels)
    return labels


def _check_apart(labels: tuple[str, ...]) -> None:
    if len(labels) < 2:
        raise UnsupportedModel(
            f"the head has {len(labels)} label, it gives a number: the board chooses among two or more"
        )
    twice = next((name for name in labels if labels.count(name) > 1), None)
    if twice is not None:
        raise UnsupportedModel(f"config.json names two labels {twice!r} in id2label: give each its own name")


def label_names(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What `id2label` says, whether or not labels can be chosen by it. UnsupportedModel: it is no table of names."""
    names = checkpoint.config.get("id2label") or {}
    if not isinstance(names, dict) or not all(str(key).isdigit() for key in names):
        raise UnsupportedModel(f"config.json has id2label {str(names)[:80]!r}, expected number -> name")
    ordered = tuple(str(names[key]) for key in sorted(names, key=int))
    return ordered or tuple(f"LABEL_{number}" for number in range(int(checkpoint.config.get("num_labels", 2))))


def guess_pooling(checkpoint: Checkpoint) -> tuple[Pooling, bool]:
    """How sentence-transformers would pool, and whether it would scale to length 1; (mean, True) without its files.

    Raises:
        UnsupportedModel: the checkpoint wants a pooling, or a layer after it, that the board does not have.
    """
    modes = _read_table(checkpoint.folder / "1_Pooling" / "config.json")
    layers = _sentence_layers(checkpoint.folder)
    unknown = next((name for name in layers if name not in _SENTENCE_LAYERS), None)
    if unknown is not None:
        raise UnsupportedModel(
            f"modules.json has a layer {unknown}: the board has {', '.join(sorted(_SENTENCE_LAYERS))}"
        )
    normalize = not layers or "Normalize" in layers
    wanted = [key.removeprefix("pooling_mode_") for key, on in modes.items() if key.startswith("pooling_mode_") and on]
    if not modes or wanted == ["mean_tokens"]:
        return "mean", normalize
    if wanted == ["cls_token"]:
        return "cls", normalize
    raise UnsupportedModel(f"1_Pooling/config.json wants {', '.join(wanted) or 'nothing'}: the board has mean and cls")


def guess_max_tokens(checkpoint: Checkpoint) -> int:
    """The longest input, special tokens included: what the files say, at most `MOST_TOKENS`."""
    sentence = _read_table(checkpoint.folder / "sentence_bert_config.json").get("max_seq_length")
    tokenizer = _read_table(checkpoint.folder / "tokenizer_config.json").get("model_max_length")
    positions = positions_of(checkpoint)
    stated = [value for value in (sentence, tokenizer, positions) if isinstance(value, int) and value > 0]
    return min([*stated, MOST_TOKENS])


def positions_of(checkpoint: Checkpoint) -> int | None:
    """How many tokens the model has positions for; None if its config does not say."""
    positions = checkpoint.config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return None
    if checkpoint.config.get("model_type") not in _OFFSET_POSITIONS:
        return positions
    padding = checkpoint.config.get("pad_token_id")
    return positions - (padding if isinstance(padding, int) else 1) - 1


def _check_weights(folder: Path) -> None:
    if (folder / WEIGHTS).is_file():
        return
    if (folder / (WEIGHTS + ".index.json")).is_file():
        raise UnsupportedModel(f"the weights are split over several files: save them as one {WEIGHTS}")
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        raise UnsupportedModel(pickle_refusal(pickles[0]))
    raise SourceUnavailable(f"{folder} has no {WEIGHTS}")


def pickle_refusal(name: str) -> str:
    """Why a pickled weights file is not opened and what to do."""
    return (
        f"{name} is a pickle, which can run any code when opened, and there is no {WEIGHTS}: "
        "take a revision that has one, or convert it yourself in a sandbox with `save_pretrained`"
    )


def _card_license(folder: Path) -> str:
    """`license:` of the model card's front matter."""
    card = folder / "README.md"
    lines = card.read_text(encoding="utf-8", errors="replace").splitlines() if card.is_file() else []
    if not lines or lines[0].strip() != "---":
        return "unknown"
    for line in lines[1:200]:
        if line.strip() == "---":
            break
        key, _, value = line.partition(":")
        if key == "license" and value.strip():
            return spdx(value.strip())
    return "unknown"


def spdx(name: str) -> str:
    """The hub's licence names are SPDX ids in lower case; the usual ones get their usual spelling."""
    usual = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "cc-by-4.0": "CC-BY-4.0"}
    plain = name.strip("'\"")[:64]
    return usual.get(plain.lower(), plain)


def _sentence_layers(folder: Path) -> list[str]:
    """Class names of the layers in `modules.json` of sentence-transformers; none without that file."""
    modules = _read_json(folder / "modules.json", [])
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise UnsupportedModel("modules.json is not a list of tables")
    return [str(module.get("type")).rpartition(".")[2] for module in modules]


def _read_table(file: Path) -> dict[str, Any]:
    table = _read_json(file, {})
    if not isinstance(table, dict):
        raise UnsupportedModel(f"{file.name} is not a table (a JSON object)")
    return table


def _read_json(file: Path, default: object) -> Any:
    """The file's JSON, or the default if it is not there."""
    if not file.is_file():
        return default
    try:
        return json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnsupportedModel(f"{file.name} is not JSON: {error}") from error
