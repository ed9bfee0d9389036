"""A real bundle of a few kilobytes: a WordPiece vocabulary of some words and an ONNX graph that onnxruntime runs.

The graph looks up a random vector a token; `classify` averages them and multiplies by a matrix. So answers are
real computations, quick, and depend on every token.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.golden import GoldenRow, write_golden
from edge_runtime.bundle.manifest import (
    Limits,
    Manifest,
    ModelSpec,
    Role,
    Source,
    TaskSpec,
    TensorSpec,
    TokenizerSpec,
    seal_bundle,
)
from edge_runtime.pipeline import open_pipeline

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*"abcdefghijklmnopqrstuvwxyz", *("##" + letter for letter in "abcdefghijklmnopqrstuvwxyz")]
WORDS += ["turn", "on", "off", "the", "light", "kitchen", "open", "close", "blind", "warm", "up", "lamp", "?", "!", "."]
LABELS = ("close", "off", "on", "open")
WIDTH = 16
IDS = ("batch", "tokens")


def tokenizer_json() -> dict[str, Any]:
    """An uncased BERT tokenizer over `WORDS`, in the form that Hugging Face writes."""
    vocabulary = {word: number for number, word in enumerate(SPECIALS + WORDS)}
    special = [
        {"id": number, "content": word, "single_word": False, "lstrip": False, "rstrip": False}
        | {"normalized": False, "special": True}
        for number, word in enumerate(SPECIALS)
    ]
    piece = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    end = {"SpecialToken": {"id": "[SEP]", "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [*piece, end],
            "pair": [
                *piece,
                end,
                {"Sequence": {"id": "B", "type_id": 1}},
                {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
            ],
            "special_tokens": {
                "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]},
                "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]},
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
    }


def graph(task: str) -> onnx.ModelProto:
    """The ONNX graph: `last_hidden_state` (batch, tokens, 16) for embed, `logits` (batch, 4) for classify."""
    random = np.random.default_rng(7)
    table = random.normal(size=(len(SPECIALS) + len(WORDS), WIDTH)).astype(np.float32)
    weights = random.normal(size=(WIDTH, len(LABELS))).astype(np.float32) * 4
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, IDS) for name in ("input_ids", "attention_mask")]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])]
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, [*IDS, WIDTH])
    if task == "classify":
        nodes += [
            helper.make_node("ReduceMean", ["last_hidden_state"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        ]
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(LABELS)])
    initializers = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(weights, "weights")]
    body = helper.make_graph(nodes, "tiny", inputs, [output], initializers[: 1 + (task == "classify")])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def manifest(task: str, name: str) -> Manifest:
    """A manifest for `graph(task)`, before its files are listed."""
    shape: tuple[int | str, ...] = (*IDS, WIDTH) if task == "embed" else ("batch", len(LABELS))
    return Manifest(
        name=name,
        version="1.2.3",
        counter=1,
        task=TaskSpec("embed", pooling="mean", normalize=True) if task == "embed" else TaskSpec("classify", LABELS),
        model=ModelSpec(
            file="model.onnx",
            engine="onnx",
            scheme="float32",
            batch_invariant=task == "embed",
            inputs=tuple(TensorSpec(part, "int64", IDS) for part in ("input_ids", "attention_mask")),
            outputs=(TensorSpec("last_hidden_state" if task == "embed" else "logits", "float32", shape),),
        ),
        tokenizer=TokenizerSpec("tokenizer.json", "wordpiece"),
        limits=Limits(max_tokens=64, max_texts=8),
        source=Source("tiny", "made in tests/tiny.py", "none", "0" * 64, "Apache-2.0"),
        targets=("cpu",),
        lock={"onnx": onnx.__version__},
        measured={},
    )


def write_bundle(folder: Path, task: str = "classify", name: str = "tiny", version: str = "1.2.3") -> Path:
    """Write the bundle with golden rows and return its folder."""
    folder.mkdir(parents=True)
    onnx.save(graph(task), folder / "model.onnx")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json()))
    roles: dict[str, Role] = {"model.onnx": "model", "tokenizer.json": "tokenizer"}
    draft = seal_bundle(folder, dataclasses.replace(manifest(task, name), version=version), roles)
    pipeline = open_pipeline(folder)
    rows = []
    for text in ("turn on the light", "Close the kitchen blind!", ""):
        values = pipeline.vectors([text])[0]
        label = LABELS[int(values.argmax())] if task == "classify" else None
        rows.append(GoldenRow(text, tuple(pipeline.tokenizer.encode(text)), tuple(map(float, values)), label))
    write_golden(folder / "golden.json", rows)
    seal_bundle(folder, draft, {**roles, "golden.json": "golden"})
    return folder
