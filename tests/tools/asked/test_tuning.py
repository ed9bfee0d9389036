"""Training a token classifier: on a tiny encoder that can learn a rule, the same weights each time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edgert_tools.asked.tagger import tags_of_labels, train_tagger
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, open_checkpoint
from edgert_tools.datasets.pii_templates import Marked, Span
from edgert_tools.recipe import TaggerRecipe
from tests.tools import checkpoints
from tests.tools.checkpoints import unheard

SETTINGS = TaggerRecipe("pii-templates", held_back=1, variants=0, seed=3, layers=2, epochs=40, rate=3e-3, batch=8)
PLACES, THINGS = ("kitchen", "Kitchens"), ("light", "lamp", "blind")


def sentences(count: int, seed: int) -> list[Marked]:
    """Each with a room and a thing, or only the thing."""
    rng, rows = random.Random(seed), []
    for number in range(count):
        room, thing = f"{rng.choice(PLACES)} ", rng.choice(THINGS)
        head = rng.choice(("turn on the ", "close the ", "warm up, the "))
        room = room if number % 3 else ""
        text = f"{head}{room}{thing} {rng.choice(('off', 'on', '!'))}"
        at = len(head) + len(room)
        spans = [Span(len(head), at - 1, "ROOM")] if room else []
        rows.append(Marked(text, (*spans, Span(at, at + len(thing), "THING")), number))
    return rows


@pytest.fixture
def encoder(tmp_path: Path) -> Checkpoint:
    return open_checkpoint(checkpoints.write_checkpoint(tmp_path / "encoder"), model="tiny", origin="folder")


def trained(encoder: Checkpoint, folder: Path) -> Checkpoint:
    labels = ("ROOM", "THING")
    return train_tagger(
        encoder, encoder.folder / "tokenizer.json", sentences(120, 1), labels, SETTINGS, 64, folder, unheard
    )


def test_the_trained_checkpoint_finds_what_it_was_taught_in_sentences_it_never_saw(
    encoder: Checkpoint, tmp_path: Path
) -> None:
    from edge_runtime.model import PlainAsked
    from tests.tools.asked_models import float_model

    made = trained(encoder, tmp_path / "trained")
    assert made.weights_sha256 == encoder.weights_sha256  # where it comes from
    model = float_model(made.folder, "token-classify", tmp_path / "float")
    right = 0
    rows = sentences(60, 2)
    for row in rows:
        (answer,) = model.answer([PlainAsked(texts=[row.text])]).answers[0].rows()
        found = {(one["start"], one["end"], one["label"]) for one in answer["entities"]}  # type: ignore[attr-defined]
        right += found == {(span.start, span.end, span.label) for span in row.spans}
    assert right >= 57


def test_training_twice_gives_the_same_weights(encoder: Checkpoint, tmp_path: Path) -> None:
    one, two = (trained(encoder, tmp_path / name).folder / WEIGHTS for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_each_label_has_a_tag_to_begin_with_and_one_to_go_on() -> None:
    assert tags_of_labels(("A", "B")) == ("O", "B-A", "I-A", "B-B", "I-B")
