"""A token classifier on top of an encoder: its last layers and a linear head, trained here on marked sentences.

The board's own tokenizer cuts the sentences, and the board's own rule says where words begin, so what is trained on is
what is asked later. Padding, batches and their order follow from the seed: on one machine the weights are the same
each time.
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
import numpy.typing as npt

from edge_runtime.models.texts.words import word_starts
from edge_runtime.tokenizer import Tokenizer, open_tokenizer
from edgert_tools.checkpoint import WEIGHTS, Checkpoint
from edgert_tools.datasets.pii_templates import Marked
from edgert_tools.progress import Say
from edgert_tools.quiet import quiet
from edgert_tools.recipe import TaggerRecipe

OUTSIDE = "O"
_IGNORED = -100  # torch's cross entropy looks over such labels
_THREADS = 2  # fixed: with another number float sums come out otherwise
_HEAD_RATE = 10.0  # times the layers' learning rate: the head starts from nothing

IdArray = npt.NDArray[np.int64]
Taught = tuple[IdArray, IdArray]  # a sentence's ids, and the number of each one's tag


def tags_of_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """`O`, then `B-` and `I-` of each label."""
    return (OUTSIDE, *(f"{letter}-{label}" for label in labels for letter in "BI"))


def train_tagger(
    checkpoint: Checkpoint,
    tokenizer_file: Path,
    rows: Sequence[Marked],
    labels: Sequence[str],
    settings: TaggerRecipe,
    max_tokens: int,
    folder: Path,
    say: Say,
) -> Checkpoint:
    """Train and save a checkpoint with the head, a folder like any other that was trained elsewhere.

    Args:
        checkpoint: the encoder; all but its last `settings.layers` layers stay as they are.
        tokenizer_file: `tokenizer.json`, as the board will have it.
        rows: sentences with what is named in them.
        labels: what may be named, in the order of the head.
        max_tokens: longer sentences are left out.
        folder: where to write.

    Returns:
        The checkpoint in `folder`; its `weights_sha256` is still that of the encoder, from which all else follows.
    """
    import torch

    tags = tags_of_labels(labels)
    taught = _taught(open_tokenizer(tokenizer_file), rows, tags, max_tokens)
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(_THREADS)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(), quiet():
            torch.manual_seed(settings.seed)
            model = _model(checkpoint, tags, settings)
            loss = _train(model, taught, settings)
            model.save_pretrained(folder)
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
    for file in sorted(checkpoint.folder.iterdir()):
        if file.is_file() and file.suffix in (".json", ".txt") and file.name not in ("config.json",):
            shutil.copyfile(file, folder / file.name)
    assert (folder / WEIGHTS).is_file()
    say(f"{len(taught)} sentences, {len(labels)} labels, loss {loss:.3f} at the end")
    config: Mapping[str, Any] = json.loads((folder / "config.json").read_bytes())
    return dataclasses.replace(checkpoint, folder=folder, config=config)


def _taught(
    tokenizer: Tokenizer, rows: Sequence[Marked], tags: Sequence[str], most: int
) -> list[tuple[IdArray, IdArray]]:
    """Ids and the numbers of their tags, of each sentence that fits."""
    numbers = {tag: number for number, tag in enumerate(tags)}
    found = []
    for row in rows:
        encoded = tokenizer.encode_batch([row.text], offsets=True)
        if encoded.input_ids.shape[1] <= most:
            assert encoded.offsets is not None and encoded.special_tokens_mask is not None  # noqa: PT018  # asked for
            real = encoded.special_tokens_mask[0] == 0
            targets = np.full(len(real), _IGNORED, np.int64)
            targets[real] = _targets(row, encoded.offsets[0][real], numbers)
            found.append((encoded.input_ids[0], targets))
    return found


def _targets(row: Marked, spans: IdArray, numbers: Mapping[str, int]) -> IdArray:
    """The tag of each word's first token; the others are not asked for."""
    begins = word_starts(row.text, spans)
    targets = np.full(len(spans), _IGNORED, np.int64)
    targets[begins] = numbers[OUTSIDE]
    for span in row.spans:
        inside = begins & (spans[:, 0] < span.end) & (spans[:, 1] > span.start)
        targets[inside] = numbers[f"I-{span.label}"]
        if inside.any():
            targets[int(inside.argmax())] = numbers[f"B-{span.label}"]
    return targets


def _model(checkpoint: Checkpoint, tags: Sequence[str], settings: TaggerRecipe) -> Any:
    """The encoder with a fresh head; what is not trained asks for no gradient."""
    import transformers

    named = {"id2label": dict(enumerate(tags)), "label2id": {tag: number for number, tag in enumerate(tags)}}
    model = transformers.AutoModelForTokenClassification.from_pretrained(
        str(checkpoint.folder), trust_remote_code=False, use_safetensors=True, **named
    )
    layers = model.base_model.encoder.layer
    for parameter in model.base_model.parameters():
        parameter.requires_grad = False
    for layer in layers[len(layers) - settings.layers :]:
        for parameter in layer.parameters():
            parameter.requires_grad = True
    return model


def _train(model: Any, taught: Sequence[Taught], settings: TaggerRecipe) -> float:
    """Some passes over the sentences; the mean loss of the last one."""
    import torch

    body = [parameter for parameter in model.base_model.parameters() if parameter.requires_grad]
    groups = [
        {"params": body, "lr": settings.rate},
        {"params": model.classifier.parameters(), "lr": settings.rate * _HEAD_RATE},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = settings.epochs * -(-len(taught) // settings.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (steps + 1))
    model.train()
    losses: list[float] = []
    for epoch in range(settings.epochs):
        losses = []
        for ids, mask, targets in _batches(taught, settings.batch, random.Random(f"{settings.seed}/{epoch}")):
            logits = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).logits
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), torch.from_numpy(targets).flatten(), ignore_index=_IGNORED
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    model.eval()
    return float(np.mean(losses))


def _batches(taught: Sequence[Taught], size: int, rng: random.Random) -> Iterator[tuple[IdArray, IdArray, IdArray]]:
    """Ids, mask and targets of sentences of about the same length, (size, tokens); the batches in any order."""
    order = sorted(range(len(taught)), key=lambda index: (len(taught[index][0]), rng.random()))
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    for batch in batches:
        width = max(len(taught[index][0]) for index in batch)
        ids, mask = np.zeros((len(batch), width), np.int64), np.zeros((len(batch), width), np.int64)
        targets = np.full((len(batch), width), _IGNORED, np.int64)
        for at, index in enumerate(batch):
            tokens = len(taught[index][0])
            ids[at, :tokens], mask[at, :tokens], targets[at, :tokens] = taught[index][0], 1, taught[index][1]
        yield ids, mask, targets
