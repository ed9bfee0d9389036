"""Bundles of some kilobytes for the tasks that read tokens: what each token is worth is written here by hand.

A token's logits are a row of a table, so every expected answer can be read off: there is no random weight, and a token
is worth the same in every window.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.bundle.golden import GoldenQuestion, GoldenTensor, write_questions
from edge_runtime.bundle.manifest import Limits, Role, TaskSpec, TensorSpec, seal_bundle
from edge_runtime.bundle.text_specs import PairSpec, WindowSpec
from edge_runtime.model import Model, PlainAsked, open_model
from tests import tiny

TAGS = ("O", "B-ROOM", "I-ROOM", "B-THING", "I-THING")
NUMBERS = {word: number for number, word in enumerate(tiny.SPECIALS + tiny.WORDS)}
IDS = ("batch", "tokens")

# The label of a word's first piece; all others are outside. A piece after it is never asked ("first").
TAG_OF = {"kitchen": "B-ROOM", "light": "B-THING", "lamp": "I-THING", "blind": "B-THING", "a": "B-ROOM"}
# Logits to begin and to end an answer.
WORTH = {"kitchen": (8.0, 2.0), "light": (3.0, 7.0), "lamp": (6.0, 8.0), "warm": (9.0, 1.0), "up": (1.5, 9.0)}
WORTH["[CLS]"] = (1.0, 1.0)  # there is no answer
# What a word adds to the logit that a document is relevant, or that a text entails a label.
RELEVANT = {"kitchen": 2.0, "light": 1.0, "lamp": 0.5, "blind": -1.0, "off": -2.0, "warm": 40.0}


def table(task: str) -> np.ndarray[Any, Any]:
    """(vocabulary, values) of a task."""
    if task == "token-classify":
        values = np.zeros((len(NUMBERS), len(TAGS)), np.float32)
        values[:, 0] = 4
        for word, tag in TAG_OF.items():
            values[NUMBERS[word]] = 6.0 * np.eye(len(TAGS))[TAGS.index(tag)]
        return values
    if task == "question-answer":
        pairs: Mapping[str, tuple[float, float]] = WORTH
        values = np.zeros((len(NUMBERS), 2), np.float32)
        for word, pair in pairs.items():
            values[NUMBERS[word]] = pair
        return values
    values = np.zeros((len(NUMBERS), 1 if task == "rerank" else 3), np.float32)
    for word, worth in RELEVANT.items():
        values[NUMBERS[word], -1] = worth
    if task == "zero-shot":
        values[NUMBERS["open"], 0] = 3.0  # contradicts
    return values


def graph(task: str) -> onnx.ModelProto:
    """Look each token up; a pair's logits are the sum over its tokens."""
    values = table(task)
    width = values.shape[1]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["each"])]
    constants = [numpy_helper.from_array(values, "table")]
    if task == "question-answer":
        nodes.append(helper.make_node("Split", ["each"], ["starts", "ends"], axis=2, num_outputs=2))
        for name in ("start", "end"):
            nodes.append(helper.make_node("Squeeze", [f"{name}s", "last"], [f"{name}_logits"]))
        constants.append(numpy_helper.from_array(np.array([2], np.int64), "last"))
        outputs = {"start_logits": list(IDS), "end_logits": list(IDS)}
    elif task == "token-classify":
        nodes.append(helper.make_node("Identity", ["each"], ["logits"]))
        outputs = {"logits": [*IDS, width]}
    else:
        nodes.append(helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Unsqueeze", ["mask", "last"], ["column"]))
        nodes.append(helper.make_node("Mul", ["each", "column"], ["real"]))
        nodes.append(helper.make_node("ReduceSum", ["real", "tokens"], ["logits"], keepdims=0))
        constants += [
            numpy_helper.from_array(np.array([n], np.int64), name) for name, n in (("last", 2), ("tokens", 1))
        ]
        outputs = {"logits": ["batch", width]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, IDS) for name in ("input_ids", "attention_mask")]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    body = helper.make_graph(nodes, "tiny", inputs, made, constants)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


GOLDEN = {
    "token-classify": PlainAsked(texts=["turn on the kitchen light", "off"]),
    "question-answer": PlainAsked(texts=["on?"], pairs=["the kitchen light"]),
    "rerank": PlainAsked(texts=["on?"], pairs=["the kitchen", "off"]),
    "zero-shot": PlainAsked(texts=["on"], labels=["kitchen", "light"], parameters={"template": "the {}."}),
}
TASKS: dict[str, TaskSpec] = {
    "token-classify": TaskSpec("token-classify", TAGS, windows=WindowSpec(stride=4, most=6)),
    "question-answer": TaskSpec("question-answer", windows=WindowSpec(stride=6, most=6)),
    "rerank": TaskSpec("rerank", pairs=PairSpec(0, None)),
    "zero-shot": TaskSpec("zero-shot", pairs=PairSpec(2, 0)),
}


def write_reader(
    folder: Path,
    task: str,
    *,
    spec: TaskSpec | None = None,
    batch_invariant: bool = True,
    limits: Limits | None = None,
    golden: bool = True,
    name: str = "tiny",
) -> Path:
    """Write the bundle of a task and return its folder."""
    folder.mkdir(parents=True)
    made = graph(task)
    onnx.save(made, folder / "model.onnx")
    (folder / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    roles: dict[str, Role] = {"model.onnx": "model", "tokenizer.json": "tokenizer"}
    draft = tiny.manifest("classify", name)
    outputs = tuple(
        TensorSpec(one.name, "float32", tuple(d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim))
        for one in made.graph.output
    )
    model = dataclasses.replace(draft.model, outputs=outputs, batch_invariant=batch_invariant)
    draft = dataclasses.replace(
        draft, task=spec or TASKS[task], model=model, limits=limits or Limits(max_tokens=16, max_texts=4)
    )
    sealed = seal_bundle(folder, draft, roles)
    if golden and spec is None:
        write_questions(folder / "golden.json", [golden_question(GOLDEN[task], open_model(folder))])
        seal_bundle(folder, sealed, {**roles, "golden.json": "golden"})
    return folder


def golden_question(asked: PlainAsked, model: Model) -> GoldenQuestion:
    """What was asked, and the model's own answer to it."""
    tensors = model.answer([asked]).answers[0].tensors()
    outputs = tuple(GoldenTensor(one.name, one.datatype, tuple(one.shape), tuple(one.data)) for one in tensors)  # type: ignore[arg-type]
    return GoldenQuestion(
        outputs, tuple(asked.texts), tuple(asked.pairs), tuple(asked.labels), parameters=dict(asked.parameters)
    )
