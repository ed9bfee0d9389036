"""Tiny models with the heads that are asked questions: random weights, real architectures, as the board opens them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.model import Model, open_model
from edgert_tools.text_tasks import FACTS, TextTaskName
from tests import tiny
from tests.tools.checkpoints import WORDS

TAGS = ("O", "B-ROOM", "I-ROOM", "B-THING", "I-THING")
_DECIDED = 40.0  # times the head's random weights: so that the labels differ and no two are equally likely
INFERENCE = ("contradiction", "neutral", "entailment")
LABELS: dict[str, tuple[str, ...]] = {
    "token-classify": TAGS,
    "question-answer": ("LABEL_0", "LABEL_1"),
    "rerank": ("LABEL_0",),
    "zero-shot": INFERENCE,
}


def write_asked_checkpoint(
    folder: Path, task: TextTaskName, labels: Sequence[str] | None = None, kind: str = "bert", seed: int = 11
) -> Path:
    """A checkpoint of 2 layers for a task, with a tokenizer that transformers loads, too.

    Args:
        labels: of the head; by default some that fit the task.
        kind: `bert` or `distilbert`, whose graph has no token types.
        seed: of the random weights.
    """
    import torch
    import transformers

    torch.manual_seed(seed)
    names = LABELS[task] if labels is None else labels
    wide = {"initializer_range": 0.05, "vocab_size": WORDS, "max_position_embeddings": 64}
    named = {"id2label": dict(enumerate(names)), "label2id": {name: number for number, name in enumerate(names)}}
    if kind == "bert":
        config: Any = transformers.BertConfig(
            **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
            | wide | named
        )  # fmt: skip
    else:
        config = transformers.DistilBertConfig(
            **{"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64} | wide | named
        )
    model = getattr(transformers, FACTS[task].loader).from_config(config).eval()
    head = model.qa_outputs if task == "question-answer" else model.classifier
    with torch.no_grad():
        head.weight *= _DECIDED
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    specials = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if kind == "bert" else ["input_ids", "attention_mask"]
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 64,
        "model_input_names": inputs,
        **specials,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about))
    return folder


def float_model(checkpoint: Path, task: TextTaskName, folder: Path, max_tokens: int = 64) -> Model:
    """The checkpoint as a float32 bundle in `folder`, opened as the board opens it."""
    from edgert_tools.checkpoint import asked_spec, open_checkpoint
    from edgert_tools.export.encoder import export_encoder
    from edgert_tools.graph import keep_outputs, load_graph, save_graph
    from edgert_tools.pack import MODEL, Parts, pack_model
    from edgert_tools.parity import check_parity
    from edgert_tools.recipe import Recipe

    opened = open_checkpoint(checkpoint, model="tiny", origin="folder")
    (folder / "work").mkdir(parents=True)
    graph = load_graph(export_encoder(opened, task, folder / "work"))
    keep_outputs(graph, len(FACTS[task].outputs))
    bundle = folder / "bundle"
    bundle.mkdir()
    save_graph(graph, bundle / MODEL)
    tokenizer = checkpoint / "tokenizer.json"
    recipe = Recipe(name="tiny", version="1.0.0", task=task, max_tokens=max_tokens)
    spec = asked_spec(opened, task, max_tokens)
    pack_model(bundle, "float32", Parts(recipe, opened, tokenizer, check_parity(tokenizer, ["on"]), spec, {}))
    return open_model(bundle)


def oracle(checkpoint: Path, task: str) -> Any:
    """transformers' own pipeline for the checkpoint."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    loader = {
        "token-classification": transformers.AutoModelForTokenClassification,
        "question-answering": transformers.AutoModelForQuestionAnswering,
        "text-classification": transformers.AutoModelForSequenceClassification,
        "zero-shot-classification": transformers.AutoModelForSequenceClassification,
    }[task]
    return transformers.pipeline(task, model=loader.from_pretrained(checkpoint), tokenizer=tokenizer, device="cpu")
