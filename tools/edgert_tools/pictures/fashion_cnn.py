"""A small convolutional network that tells clothes apart, trained here: the float that int8 is held against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import UsageError
from edge_runtime.models.pictures.picture_input import PictureInput, to_tensor
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures.fashion import LABELS, SIDE, load
from edgert_tools.pictures.paper import pillow, png
from edgert_tools.progress import Say
from edgert_tools.training import export_network, reproducible

MEAN, STD = 0.286, 0.353  # of the training pictures, 0 to 1; also in the recipe
_SEED, _EPOCHS, _BATCH, _RATE = 3, 2, 128, 0.01
_WIDTHS = (16, 32, 64)
_CALIBRATION_ROWS = 200  # of the training pictures


def train(file: Path, note: Say) -> Path:
    """Train on 60,000 pictures and write the graph: `picture` (1, 1, 28, 28) -> `logits` (1, 10)."""
    import torch

    pictures, labels = load("train", note)
    inputs = torch.from_numpy((pictures[:, None].astype(np.float32) / 255 - MEAN) / STD)
    wanted = torch.from_numpy(labels)
    with reproducible(_SEED):
        network = _network()
        loss = _fit(network, inputs, wanted)
    note(f"trained on {len(inputs)} pictures, {_EPOCHS} epochs, last loss {loss:.3f}")
    return export_network(network, (1, 1, SIDE, SIDE), file, ["logits"])


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """The 10,000 test pictures, as PNG files; and 200 training pictures to calibrate on."""
    if recipe.image is None or recipe.labels != LABELS:
        raise UsageError("this data is for recipes with [image] and the labels of Fashion-MNIST")
    image = pillow().Image
    pictures, labels = load("t10k", say)
    count = recipe.evaluate.count or len(pictures)
    rows = [Row(raw=png(image.fromarray(picture)), media_type="image/png") for picture in pictures[:count]]
    others, _ = load("train", say)
    PictureInput(recipe.image)  # says what is wrong with it
    colour = np.repeat(others[:_CALIBRATION_ROWS, :, :, None], 3, axis=3)
    feeds = [{facts.inputs[0].name: to_tensor(picture, recipe.image.pixels)} for picture in colour]
    words = f"{len(rows)} test pictures of Fashion-MNIST; {len(feeds)} training pictures to calibrate on"
    return Examples(rows, feeds, words, [LABELS[number] for number in labels[:count]])


def _fit(network: Any, inputs: Any, wanted: Any) -> float:
    """Train the network; its last loss."""
    import torch

    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE)
    steps = _EPOCHS * (len(inputs) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_RATE, total_steps=steps)
    chance = np.random.default_rng(_SEED)
    for _ in range(_EPOCHS):
        for rows in chance.permutation(len(inputs))[: len(inputs) // _BATCH * _BATCH].reshape(-1, _BATCH):
            batch = inputs[rows]
            if chance.random() < 0.5:
                batch = batch.flip(3)  # clothes may be seen from either side
            loss = torch.nn.functional.cross_entropy(network(batch), wanted[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return float(loss.detach())


def _network() -> Any:
    from torch import nn

    layers: list[Any] = []
    before = 1
    for width in _WIDTHS:
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        if width != _WIDTHS[-1]:
            layers.append(nn.MaxPool2d(2))
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, len(LABELS)))
