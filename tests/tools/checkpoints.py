"""Checkpoint folders of some kilobytes: real architectures with random weights, saved by transformers itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests import tiny

if TYPE_CHECKING:
    from edgert_tools.convert_result import ConvertResult

WORDS = len(tiny.SPECIALS) + len(tiny.WORDS)
LABELS = ("dark", "dim", "bright")
TEXTS = tuple(
    f"{verb} {rest}"
    for verb in ("turn on", "turn off", "open", "close", "warm up")
    for rest in ("the light", "the kitchen lamp", "blind", "a kitchen light on the blind", "it all, at once!", "?")
)


def write_checkpoint(folder: Path, kind: str = "bert", task: str = "embed") -> Path:
    """A checkpoint of 2 layers with 32 values a token: `kind` is bert or distilbert, `task` embed or classify."""
    import torch
    import transformers

    torch.manual_seed(5)
    named = {"id2label": dict(enumerate(LABELS)), "label2id": {name: number for number, name in enumerate(LABELS)}}
    common: dict[str, Any] = {"vocab_size": WORDS, "max_position_embeddings": 64}
    # Wide random weights: with the usual 0.02 all texts would give nearly the same vector.
    if kind == "bert":
        config = transformers.BertConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, initializer_range=0.3,
            **common, **(named if task == "classify" else {}),
        )  # fmt: skip
    else:
        config = transformers.DistilBertConfig(
            dim=32, n_layers=2, n_heads=2, hidden_dim=64, initializer_range=0.3,
            **common, **(named if task == "classify" else {}),
        )  # fmt: skip
    makers = {
        ("bert", "embed"): transformers.BertModel,
        ("bert", "classify"): transformers.BertForSequenceClassification,
        ("distilbert", "embed"): transformers.DistilBertModel,
        ("distilbert", "classify"): transformers.DistilBertForSequenceClassification,
    }
    makers[kind, task](config).eval().save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    return folder


def converted(source: Path, out: Path, data: Path, said: list[str] | None = None, **options: object) -> ConvertResult:
    """Convert quietly; progress lines go to `said`."""
    from edgert_tools.convert import convert
    from edgert_tools.settings import Options

    lines = [] if said is None else said
    return convert(str(source), out, Options(**options), data=data, say=lines.append)  # type: ignore[arg-type]


def unheard(line: str) -> None:
    """Progress that nobody reads."""


def spoil(folder: Path) -> Path:
    """Make one value in each layer huge that nothing reads: in int8 it takes the scale, and its neighbours are lost."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    for name, values in weights.items():
        if name.endswith("intermediate.dense.weight"):
            values[0] *= 1000
        elif name.endswith("output.dense.weight") and "attention" not in name:
            values[:, 0] = 0
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def write_texts(file: Path, labels: tuple[str, ...] | None = None) -> Path:
    """`TEXTS` as .txt, or as .tsv with labels in turn."""
    rows = [text if labels is None else f"{text}\t{labels[n % len(labels)]}" for n, text in enumerate(TEXTS)]
    file.write_text("\n".join(rows) + "\n")
    return file
