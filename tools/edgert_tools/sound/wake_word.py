"""A head that hears "hey robin", trained here on espeak-ng's voices; and what the whole graph is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge_runtime.engine.onnx import open_onnx
from edge_runtime.errors import UsageError
from edge_runtime.model import Answer
from edge_runtime.models.sound.wake_word import WakeAnswer
from edgert_tools.evaluate import Share, wilson
from edgert_tools.existing.checks import GraphFacts
from edgert_tools.existing.examples import Examples, Row
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.existing.spoken_sample import as_wav, frames_fed
from edgert_tools.progress import Say
from edgert_tools.sound.said_words import RATE, WORDS, Said, sayings
from edgert_tools.sound.wake_graph import (
    BANDS,
    CONTEXT,
    EMBEDDINGS,
    FRAME,
    NEW_STEPS,
    STEPS,
    WIDTH,
    WakeHead,
    front_end,
    wake_graph,
)
from edgert_tools.training import reproducible

_TRAIN_SEED, _JUDGE_SEED, _CALIBRATION_SEED = 5, 6, 7
_TRAINED = (500, 500, 300)  # sounds with the words, with others, with what is nearly the words
_JUDGED, _CALIBRATION = (250, 200, 100), (6, 6, 3)
_HEARD_S = (0.0, 0.45)  # after the words: when the head is to say so
_UNCLEAR_S = (-0.35, 1.2)  # around them: not trained on
_LATEST_S = 1.0  # after the words: an event that comes later is none of theirs
_HIDDEN, _DROPPED, _EPOCHS, _BATCH, _RATE = 48, 0.3, 6, 256, 1e-3
_CALIBRATION_EVERY = 4  # frame: neighbours are much alike

FloatArray = npt.NDArray[np.float32]


def train(file: Path, note: Say) -> Path:
    """Train the head and write the whole graph."""
    features = Features(note)
    windows, targets = [], []
    for one in sayings(*_TRAINED, _TRAIN_SEED, held_back=False):
        found, wanted = taught(features.embeddings(one.samples), one)
        windows.append(found)
        targets.append(wanted)
    inputs, wanted = np.concatenate(windows), np.concatenate(targets)
    head, loss = _trained(inputs, wanted)
    note(
        f"trained on {len(inputs)} moments of {len(windows)} sounds, {int(wanted.sum())} after the words, "
        f"loss {loss:.4f} at the end"
    )
    return wake_graph(head, file, note)


def examples(recipe: GraphRecipe, facts: GraphFacts, say: Say) -> Examples:
    """Sounds by voices that training never heard, with the words, without, and with what is nearly the words."""
    voice = recipe.voice
    if voice is None:
        raise UsageError("this data is for recipes with [voice]")
    sounds = list(sayings(*_JUDGED, _JUDGE_SEED, held_back=True))
    rows = [Row(raw=as_wav(one.samples, RATE), media_type="audio/wav") for one in sounds]
    others = sayings(*_CALIBRATION, _CALIBRATION_SEED, held_back=False)
    feeds = [feed for one in others for feed in list(frames_fed(facts, voice, one.samples))[::_CALIBRATION_EVERY]]
    words, rest, near = _JUDGED
    description = (
        f"{words} times {WORDS!r}, {rest} other sentences and {near} times what is nearly the words, by held-back "
        f"voices of espeak-ng; {len(feeds)} frames of others to calibrate on"
    )
    ends = tuple(one.words_end_s for one in sounds)
    return Examples(rows, feeds, description, right=_counting(ends))


def is_right(answer: WakeAnswer, words_end_s: float | None) -> bool:
    """Whether there is one event, soon after the words; or none where they were not said."""
    if words_end_s is None:
        return not answer.events
    times = [event.time_s - words_end_s for event in answer.events]
    return len(times) == 1 and _UNCLEAR_S[0] <= times[0] <= _LATEST_S


class Features:
    """Embeddings of a whole sound, as the graph makes them frame by frame, but many at a time."""

    def __init__(self, note: Say) -> None:
        mel, embedding = front_end(note)
        self._mel, self._embedding = open_onnx(mel, 1), open_onnx(embedding, 2)
        self._names = self._mel.input_names[0], self._embedding.input_names[0]

    def embeddings(self, samples: FloatArray) -> FloatArray:
        """(frames, 96), one each 80 ms; what is not there before the sound is nothing."""
        count = len(samples) // FRAME
        padded = np.concatenate([np.zeros(CONTEXT, np.float32), samples]) * np.float32(32768)
        pieces = [padded[None, start : start + FRAME + CONTEXT] for start in range(0, count * FRAME, FRAME)]
        new = [self._mel.run({self._names[0]: piece})[0].reshape(NEW_STEPS, BANDS) / 10 + 2 for piece in pieces]
        steps = np.concatenate([np.zeros((STEPS - NEW_STEPS, BANDS), np.float32), *new])
        windows = np.stack([steps[at : at + STEPS] for at in range(0, count * NEW_STEPS, NEW_STEPS)])
        found: FloatArray = self._embedding.run({self._names[1]: windows[..., None].astype(np.float32)})[0]
        return found.reshape(count, WIDTH)


def taught(embeddings: FloatArray, one: Said) -> tuple[FloatArray, FloatArray]:
    """What the head sees at each moment that is clear, (moments, 16 x 96), and whether the words were just said."""
    known = np.concatenate([np.zeros((EMBEDDINGS - 1, WIDTH), np.float32), embeddings])
    views = np.stack([known[at : at + EMBEDDINGS].reshape(-1) for at in range(len(embeddings))])
    if one.words_end_s is None:
        return views, np.zeros(len(views), np.float32)
    after = (np.arange(len(views)) + 1) * FRAME / RATE - one.words_end_s
    heard = (after >= _HEARD_S[0]) & (after < _HEARD_S[1])
    clear = heard | (after < _UNCLEAR_S[0]) | (after > _UNCLEAR_S[1])
    return views[clear], heard[clear].astype(np.float32)


def _counting(ends: Sequence[float | None]) -> Callable[[Sequence[Answer]], Share]:
    def share(answers: Sequence[Answer]) -> Share:
        right = [
            isinstance(answer, WakeAnswer) and is_right(answer, end) for answer, end in zip(answers, ends, strict=True)
        ]
        return wilson(sum(right), len(right))

    return share


def _trained(inputs: FloatArray, wanted: FloatArray) -> tuple[WakeHead, float]:
    """The head, and its mean loss in the last epoch."""
    import torch

    spread, middle = inputs.std(axis=0) + np.float32(1e-3), inputs.mean(axis=0)
    rows, right = torch.from_numpy((inputs - middle) / spread), torch.from_numpy(wanted)[:, None]
    with reproducible(_TRAIN_SEED):
        network = torch.nn.Sequential(
            torch.nn.Linear(inputs.shape[1], _HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(_DROPPED),
            torch.nn.Linear(_HIDDEN, 1),
        )
        loss = _fit(network, rows, right)
    first, last = network[0], network[-1]
    weights = [part.detach().numpy() for part in (first.weight, first.bias, last.weight, last.bias)]
    scaled = (weights[0] / spread).T  # what the inputs are scaled by goes into the first layer
    return WakeHead(scaled, weights[1] - middle @ scaled, weights[2].T.copy(), weights[3]), loss


def _fit(network: Any, rows: Any, right: Any) -> float:
    """Train the network; its mean loss in the last epoch."""
    import torch

    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=0.05)
    chance, losses = np.random.default_rng(_TRAIN_SEED), [0.0]
    for _ in range(_EPOCHS):
        losses = []
        for batch in np.array_split(chance.permutation(len(rows)), max(1, len(rows) // _BATCH)):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(rows[batch]), right[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    return float(np.mean(losses))
