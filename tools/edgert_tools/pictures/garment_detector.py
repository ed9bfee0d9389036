"""A small single-shot detector of clothes, trained here on made-up scenes: boxes and scores out of one pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.errors import UsageError
from edge_runtime.model import Answer
from edge_runtime.models.pictures.detect import DetectAnswer
from edge_runtime.models.pictures.picture_input import PictureInput, to_tensor
from edgert_tools.evaluate import Share
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.pictures.average_precision import Objects, mean_average_precision
from edgert_tools.pictures.garment_scenes import LABELS, SIDE, Scene, scenes
from edgert_tools.pictures.paper import pillow, png
from edgert_tools.progress import Say
from edgert_tools.training import export_network, reproducible

_TRAIN_SEED, _JUDGE_SEED, _CALIBRATION_SEED = 31, 32, 33
_TRAINED, _JUDGED, _CALIBRATION = 4500, 600, 120  # scenes
_EPOCHS, _BATCH, _RATE = 6, 32, 4e-3
_CELL = 8  # pixels: each cell of 16 x 16 says whether the middle of a piece is in it, of what kind, and its box
_CELLS = SIDE // _CELL
_WIDTHS = (16, 32, 64, 64, 64)  # the last two keep the cells
_BOX_WEIGHT = 2.0

FloatArray = npt.NDArray[np.float32]


def train(file: Path, note: Say) -> Path:
    """Train on scenes and write the graph: `picture` (1, 3, 128, 128) -> `boxes` (1, 256, 4), `scores` (1, 256, 5)."""
    import torch

    made = list(scenes(_TRAINED, "train", _TRAIN_SEED, note))
    pictures = torch.from_numpy(np.stack([scene.pixels for scene in made])).permute(0, 3, 1, 2).contiguous()
    wanted = torch.from_numpy(np.stack([target_of(scene) for scene in made]))
    with reproducible(_TRAIN_SEED):
        network = _network()
        loss = _fit(network, pictures, wanted)
    note(f"trained on {len(made)} scenes, {_EPOCHS} epochs, last loss {loss:.3f}")
    return export_network(network, (1, 3, SIDE, SIDE), file, ["boxes", "scores"])


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """600 scenes of pieces of clothing that training never saw; 120 others to calibrate on."""
    if recipe.image is None or recipe.labels != LABELS:
        raise UsageError("this data is for recipes with [image] and the labels of the scenes")
    image = pillow().Image
    judged = list(scenes(_JUDGED, "t10k", _JUDGE_SEED, say))
    rows = [Row(raw=png(image.fromarray(scene.pixels)), media_type="image/png") for scene in judged]
    PictureInput(recipe.image)  # says what is wrong with it
    others = scenes(_CALIBRATION, "train", _CALIBRATION_SEED, say)
    feeds = [{facts.inputs[0].name: to_tensor(scene.pixels, recipe.image.pixels)} for scene in others]
    words = f"{len(rows)} scenes of Fashion-MNIST's test pictures, mean average precision from half an overlap on"
    return Examples(rows, feeds, f"{words}; {len(feeds)} others to calibrate on", right=_measure(judged))


def target_of(scene: Scene) -> FloatArray:
    """(5 + labels, 16, 16): whether a piece's middle is in the cell, the four sides' distances, and its kind.

    The distances, from the middle of the cell to left, top, right and bottom, are in cells.
    """
    target = np.zeros((5 + len(LABELS), _CELLS, _CELLS), np.float32)
    for box, label in zip(scene.boxes, scene.labels, strict=True):
        column, row = (min(_CELLS - 1, int((box[side] + box[side + 2]) / 2 / _CELL)) for side in (0, 1))
        middle = np.array([column + 0.5, row + 0.5], np.float32)
        distances = np.concatenate([middle - box[:2] / _CELL, box[2:] / _CELL - middle])
        target[:, row, column] = 0
        target[0, row, column] = 1
        target[1:5, row, column] = distances
        target[5 + label, row, column] = 1
    return target


def _measure(judged: Sequence[Scene]) -> Callable[[Sequence[Answer]], Share]:
    there = [Objects(one.labels, np.ones(len(one.labels)), one.boxes.astype(np.float64)) for one in judged]

    def share(answers: Sequence[Answer]) -> Share:
        return mean_average_precision([_objects(answer) for answer in answers], there, len(LABELS))

    return share


def _objects(answer: Answer) -> Objects:
    assert isinstance(answer, DetectAnswer)
    numbers = np.array([LABELS.index(label) for label in answer.labels], np.int64)
    boxes = answer.boxes.reshape(-1, 4)
    return Objects(numbers, answer.scores, np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1))


def _fit(network: Any, pictures: Any, wanted: Any) -> float:
    """Train the network; its last loss."""
    import torch

    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.01)
    batches = len(pictures) // _BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_RATE, total_steps=_EPOCHS * batches)
    chance = np.random.default_rng(_TRAIN_SEED)
    network.train()
    for _ in range(_EPOCHS):
        for rows in chance.permutation(len(pictures))[: batches * _BATCH].reshape(-1, _BATCH):
            loss = _loss(network.cells(pictures[rows].float() / 255), wanted[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    network.eval()
    return float(loss.detach())


def _loss(found: Any, wanted: Any) -> Any:
    """Is there something; if so, how far its sides are, and of what kind it is."""
    from torch.nn import functional

    there = wanted[:, 0]
    sure = functional.binary_cross_entropy_with_logits(found[:, 0], there, reduction="sum")
    boxes = functional.smooth_l1_loss(found[:, 1:5], wanted[:, 1:5], reduction="none").sum(1)
    kinds = functional.cross_entropy(found[:, 5:], wanted[:, 5:].argmax(1), reduction="none")
    return (sure + ((_BOX_WEIGHT * boxes + kinds) * there).sum()) / there.sum().clamp(min=1)


def _network() -> Any:
    import torch
    from torch import nn

    class Detector(nn.Module):  # type: ignore[misc]  # torch has no types here
        """Convolutions down to cells; in use also boxes in parts of the picture and scores."""

        def __init__(self) -> None:
            super().__init__()
            layers: list[Any] = []
            before = 3
            for number, width in enumerate(_WIDTHS):
                stride = 2 if number < 3 else 1
                layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
                before = width
            self.body = nn.Sequential(*layers, nn.Conv2d(before, 5 + len(LABELS), 1))
            rows, columns = torch.meshgrid(torch.arange(_CELLS), torch.arange(_CELLS), indexing="ij")
            middles = torch.stack([columns, rows], 2).reshape(1, -1, 2).float() + 0.5
            self.register_buffer("middles", middles)

        def cells(self, pictures: Any) -> Any:
            return self.body(pictures)

        def forward(self, picture: Any) -> Any:
            flat = self.cells(picture).flatten(2).transpose(1, 2)
            low, high = self.middles - flat[:, :, 1:3], self.middles + flat[:, :, 3:5]
            boxes = torch.cat([low, high], 2) / _CELLS
            return boxes, torch.sigmoid(flat[:, :, :1]) * torch.softmax(flat[:, :, 5:], 2)

    return Detector()
