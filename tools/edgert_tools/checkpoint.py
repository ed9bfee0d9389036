"""A Hugging Face checkpoint folder: what it must hold, and what its files say about the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import sha256_of
from edge_runtime.errors import SourceUnavailable, UnsupportedModel
from edgert_tools.recipe import Pooling, TaskName

WEIGHTS = "model.safetensors"
MOST_TOKENS = 512  # without a recipe: longer texts than this are slow on a small board
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
    """
    if not folder.is_dir():
        raise SourceUnavailable(f"no folder {folder}")
    config = _read_json(folder / "config.json")
    if not config:
        raise SourceUnavailable(f"{folder} has no config.json: it is not a Hugging Face checkpoint folder")
    _check_weights(folder)
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
        raise SourceUnavailable(f"{folder} has no tokenizer.json and no vocab.txt: fetch one of them from upstream")
    license_id = _card_license(folder) if license_id == "unknown" else license_id
    return Checkpoint(folder, model, origin, revision, sha256_of(folder / WEIGHTS), license_id, config)


def guess_task(checkpoint: Checkpoint) -> TaskName:
    """`classify` for a model with a sequence classification head, else `embed`."""
    architectures = checkpoint.config.get("architectures") or ()
    return "classify" if any(str(name).endswith("ForSequenceClassification") for name in architectures) else "embed"


def labels_of(checkpoint: Checkpoint) -> tuple[str, ...]:
    """The label names in the order of the logits, from `id2label`; LABEL_0, LABEL_1 if there are none."""
    names = checkpoint.config.get("id2label") or {}
    if not isinstance(names, dict) or not all(str(key).isdigit() for key in names):
        raise UnsupportedModel(f"config.json has id2label {str(names)[:80]!r}, expected number -> name")
    ordered = tuple(str(names[key]) for key in sorted(names, key=int))
    return ordered or tuple(f"LABEL_{number}" for number in range(int(checkpoint.config.get("num_labels", 2))))


def guess_pooling(checkpoint: Checkpoint) -> tuple[Pooling, bool]:
    """How sentence-transformers would pool, and whether it would scale to length 1; (mean, True) without its files.

    Raises:
        UnsupportedModel: the checkpoint wants a pooling that the board does not have.
    """
    modes = _read_json(checkpoint.folder / "1_Pooling" / "config.json")
    modules = _read_json(checkpoint.folder / "modules.json")
    normalize = not modules or any("Normalize" in str(module.get("type")) for module in modules)
    wanted = [key.removeprefix("pooling_mode_") for key, on in modes.items() if key.startswith("pooling_mode_") and on]
    if not modes or wanted == ["mean_tokens"]:
        return "mean", normalize
    if wanted == ["cls_token"]:
        return "cls", normalize
    raise UnsupportedModel(f"1_Pooling/config.json wants {', '.join(wanted) or 'nothing'}: the board has mean and cls")


def guess_max_tokens(checkpoint: Checkpoint) -> int:
    """The longest input, special tokens included: what the files say, at most `MOST_TOKENS`."""
    sentence = _read_json(checkpoint.folder / "sentence_bert_config.json").get("max_seq_length")
    tokenizer = _read_json(checkpoint.folder / "tokenizer_config.json").get("model_max_length")
    positions = checkpoint.config.get("max_position_embeddings")
    stated = [value for value in (sentence, tokenizer, positions) if isinstance(value, int) and value > 0]
    return min([*stated, MOST_TOKENS])


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


def _read_json(file: Path) -> Any:
    """The file's JSON, or an empty table if it is not there."""
    if not file.is_file():
        return {}
    try:
        return json.loads(file.read_bytes())
    except ValueError as error:
        raise UnsupportedModel(f"{file.name} is not JSON: {error}") from error
