"""Training a head and the last layers: on a tiny encoder that can learn a rule, the same weights each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.model import PlainAsked
from edge_runtime.tokenizer import open_tokenizer
from edgert_tools.asked.taught import IGNORED, head_labels, tags_of_labels, taught_of
from edgert_tools.asked.tuning import tuned
from edgert_tools.checkpoint import WEIGHTS, Checkpoint, open_checkpoint
from edgert_tools.datasets.lessons import AnyLessons, Fact, Lessons, Marked, Pair, Span
from edgert_tools.recipe import TuneRecipe
from edgert_tools.text_tasks import TextTaskName
from tests.tools import checkpoints
from tests.tools.asked_models import float_model
from tests.tools.checkpoints import unheard

SETTINGS = TuneRecipe("pii-templates", held_back=1, variants=0, seed=3, layers=2, epochs=40, rate=3e-3, batch=8)
PLACES, THINGS = ("kitchen", "Kitchens"), ("light", "lamp", "blind")


def marked(count: int, seed: int) -> tuple[Marked, ...]:
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
    return tuple(rows)


def pairs(count: int, seed: int) -> tuple[Pair, ...]:
    """The second one holds if it says what is to be done in the first."""
    rng, rows = random.Random(seed), []
    for number in range(count):
        does, other = rng.sample(("turn on", "close", "warm up"), 2)
        rows.append(Pair(f"{does} the {rng.choice(THINGS)}", does if number % 2 else other, number % 2 == 1))
    return tuple(rows)


def facts(count: int, seed: int) -> tuple[Fact, ...]:
    """What is turned on is the answer."""
    rng, rows = random.Random(seed), []
    for _ in range(count):
        thing, other = rng.sample(THINGS, 2)
        parts = [f"turn on the {thing}", f"close the {other}"]
        rng.shuffle(parts)
        context = ", ".join(parts)
        at = context.index("turn on the ") + len("turn on the ")
        rows.append(Fact("turn on?", context, at, at + len(thing)))
    return tuple(rows)


@pytest.fixture
def encoder(tmp_path: Path) -> Checkpoint:
    return open_checkpoint(checkpoints.write_checkpoint(tmp_path / "encoder"), model="tiny", origin="folder")


def trained(encoder: Checkpoint, folder: Path, task: TextTaskName, lessons: AnyLessons) -> Checkpoint:
    taught = taught_of(lessons, open_tokenizer(encoder.folder / "tokenizer.json"), 64)
    return tuned(encoder, taught, task, head_labels(task, lessons), SETTINGS, folder, unheard)


def ask(model: Any, **words: Any) -> Mapping[str, Any]:
    (row,) = model.answer([PlainAsked(**words)]).answers[0].rows()
    return dict(row)


def finds_entities(model: Any) -> list[bool]:
    right = []
    for row in marked(60, 2):
        found = {(one["start"], one["end"], one["label"]) for one in ask(model, texts=[row.text])["entities"]}
        right.append(found == {(span.start, span.end, span.label) for span in row.spans})
    return right


def finds_answers(model: Any) -> list[bool]:
    return [ask(model, texts=[one.question], pairs=[one.context])["answer"] == one.answer for one in facts(60, 2)]


def ranks(model: Any) -> list[bool]:
    asked = [pair for pair in pairs(120, 2) if pair.holds]
    wrong = {"turn on": "close", "close": "warm up", "warm up": "turn on"}
    return [
        ask(model, texts=[one.first], pairs=[wrong[one.second], one.second])["results"][0]["index"] == 1
        for one in asked
    ]


def chooses(model: Any) -> list[bool]:
    asked = [pair for pair in pairs(120, 2) if pair.holds]
    labels = ["turn on", "close", "warm up"]
    return [
        ask(model, texts=[one.first], labels=labels, parameters={"template": "{}"})["label"] == one.second
        for one in asked
    ]


@pytest.mark.parametrize(
    ("task", "lessons", "answers"),
    [
        ("token-classify", Lessons(marked(120, 1), (), ("ROOM", "THING")), finds_entities),
        ("question-answer", Lessons(facts(120, 1), ()), finds_answers),
        ("rerank", Lessons(pairs(120, 1), ()), ranks),
        ("zero-shot", Lessons(pairs(120, 1), ()), chooses),
    ],
)
def test_the_trained_checkpoint_answers_what_it_never_saw(
    encoder: Checkpoint, tmp_path: Path, task: TextTaskName, lessons: AnyLessons, answers: Callable[[Any], list[bool]]
) -> None:
    made = trained(encoder, tmp_path / "trained", task, lessons)
    assert made.weights_sha256 == encoder.weights_sha256  # where it comes from
    right = answers(float_model(made.folder, task, tmp_path / "float"))
    assert len(right) >= 60
    assert np.mean(right) >= 0.95


def test_training_twice_gives_the_same_weights(encoder: Checkpoint, tmp_path: Path) -> None:
    lessons = Lessons(pairs(24, 1), ())
    one, two = (trained(encoder, tmp_path / name, "rerank", lessons).folder / WEIGHTS for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_each_label_has_a_tag_to_begin_with_and_one_to_go_on() -> None:
    assert tags_of_labels(("A", "B")) == ("O", "B-A", "I-A", "B-B", "I-B")


def test_what_is_taught_of_an_answer_are_its_first_and_last_token(encoder: Checkpoint) -> None:
    tokenizer = open_tokenizer(encoder.folder / "tokenizer.json")
    fact = Fact("turn on?", "close the kitchen light, turn on the lamp", 10, 23)
    (row,) = taught_of(Lessons((fact,), ()), tokenizer, 64)
    encoded = tokenizer.encode_batch([fact.question], pairs=[fact.context], offsets=True)
    assert encoded.offsets is not None
    first, last = row.right.tolist()
    start, end = int(encoded.offsets[0, first, 0]), int(encoded.offsets[0, last, 1])
    assert fact.context[start:end] == "kitchen light"
    assert row.types[first] == row.types[last] == 1


def test_rows_of_too_many_tokens_are_left_out_and_only_words_are_asked_for(encoder: Checkpoint) -> None:
    tokenizer = open_tokenizer(encoder.folder / "tokenizer.json")
    lessons = Lessons(marked(3, 1), (), ("ROOM", "THING"))
    assert taught_of(lessons, tokenizer, 3) == []
    for row in taught_of(lessons, tokenizer, 64):
        assert len(row.right) == len(row.ids)
        assert row.right[0] == row.right[-1] == IGNORED  # special tokens
