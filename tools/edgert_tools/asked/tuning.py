"""A head for a task on top of an encoder, and the encoder's last layers: trained here, on lessons.

Padding, batches and their order follow from the seed: on one machine the weights are the same each time.
"""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgert_tools.asked.taught import IGNORED, IdArray, Taught
from edgert_tools.checkpoint import WEIGHTS, Checkpoint
from edgert_tools.progress import Say
from edgert_tools.quiet import quiet
from edgert_tools.recipe import TuneRecipe
from edgert_tools.text_tasks import FACTS, TextTaskName
from edgert_tools.training import reproducible

_HEAD_RATE = 10.0  # times the layers' learning rate: the head starts from nothing


def tuned(
    checkpoint: Checkpoint,
    taught: Sequence[Taught],
    task: TextTaskName,
    labels: Sequence[str],
    settings: TuneRecipe,
    folder: Path,
    say: Say,
) -> Checkpoint:
    """Train and save a checkpoint with the head, a folder like any other that was trained elsewhere.

    Args:
        checkpoint: the encoder; all but its last `settings.layers` layers stay as they are.
        taught: rows of tokens with what is right.
        task: says which head.
        labels: of the head, in the order of its logits; none: the head has none.
        folder: where to write.

    Returns:
        The checkpoint in `folder`; its `weights_sha256` is still that of the encoder, from which all else follows.
    """
    with reproducible(settings.seed), quiet():
        model = _model(checkpoint, task, labels, settings)
        loss = _train(model, taught, task, settings)
        model.save_pretrained(folder)
    for file in sorted(checkpoint.folder.iterdir()):
        if file.is_file() and file.suffix in (".json", ".txt") and file.name not in ("config.json",):
            shutil.copyfile(file, folder / file.name)
    assert (folder / WEIGHTS).is_file()
    say(f"{len(taught)} rows, loss {loss:.3f} at the end")
    config: Mapping[str, Any] = json.loads((folder / "config.json").read_bytes())
    return dataclasses.replace(checkpoint, folder=folder, config=config)


def _model(checkpoint: Checkpoint, task: TextTaskName, labels: Sequence[str], settings: TuneRecipe) -> Any:
    """The encoder with a fresh head; what is not trained asks for no gradient."""
    import transformers

    named = {"id2label": dict(enumerate(labels)), "label2id": {name: number for number, name in enumerate(labels)}}
    model = getattr(transformers, FACTS[task].loader).from_pretrained(
        str(checkpoint.folder), trust_remote_code=False, use_safetensors=True, **(named if labels else {})
    )
    base = model.base_model
    layers = base.encoder.layer
    for parameter in base.parameters():
        parameter.requires_grad = False
    pooler = getattr(base, "pooler", None)  # between the layers and the head of pairs
    for part in (*layers[len(layers) - settings.layers :], *([pooler] if pooler is not None else [])):
        for parameter in part.parameters():
            parameter.requires_grad = True
    return model


def _train(model: Any, taught: Sequence[Taught], task: TextTaskName, settings: TuneRecipe) -> float:
    """Some passes over the rows; the mean loss of the last one."""
    import torch

    body = [parameter for parameter in model.base_model.parameters() if parameter.requires_grad]
    inner = {id(parameter) for parameter in model.base_model.parameters()}
    head = [parameter for parameter in model.parameters() if id(parameter) not in inner]
    groups = [{"params": body, "lr": settings.rate}, {"params": head, "lr": settings.rate * _HEAD_RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = settings.epochs * -(-len(taught) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (steps + 1))
    model.train()
    losses: list[float] = []
    for epoch in range(settings.epochs):
        losses = []
        for feeds, right in _batches(taught, settings.batch, random.Random(f"{settings.seed}/{epoch}")):
            outputs = model(**{name: torch.from_numpy(values) for name, values in feeds.items()})
            loss = _loss(outputs, torch.from_numpy(right), task)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    model.eval()
    return float(np.mean(losses))


def _loss(outputs: Any, right: Any, task: TextTaskName) -> Any:
    """Cross entropy of what the task's head gives: of every token, of a row, or of where the answer begins and ends."""
    from torch.nn.functional import cross_entropy

    if task == "token-classify":
        return cross_entropy(outputs.logits.flatten(0, 1), right.flatten(), ignore_index=IGNORED)
    if task == "question-answer":
        ends = (outputs.start_logits, outputs.end_logits)
        return sum(cross_entropy(logits, right[:, side]) for side, logits in enumerate(ends)) / len(ends)
    return cross_entropy(outputs.logits, right[:, 0])


def _batches(taught: Sequence[Taught], size: int, rng: random.Random) -> Iterator[tuple[dict[str, IdArray], IdArray]]:
    """Inputs (size, tokens) and what is right, of rows of about the same length; the batches in any order."""
    order = sorted(range(len(taught)), key=lambda index: (len(taught[index].ids), rng.random()))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    for batch in batches:
        rows = [taught[index] for index in batch]
        feeds = {
            "input_ids": _padded([row.ids for row in rows], 0),
            "token_type_ids": _padded([row.types for row in rows], 0),
            "attention_mask": _padded([np.ones_like(row.ids) for row in rows], 0),
        }
        yield feeds, _padded([row.right for row in rows], IGNORED)


def _padded(rows: Sequence[IdArray], fill: int) -> IdArray:
    """(rows, longest)."""
    padded = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded
