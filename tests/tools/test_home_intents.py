"""The generated sentences: the same every time, natural enough, and nothing of the training in the held-back ones."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from edgert_tools.datasets import Drawn
from edgert_tools.datasets.home_intents import LEAST_HELD_BACK, LEAST_TRAIN, sample_home_intents
from edgert_tools.datasets.home_names import AREAS, DEVICES, FLOORS, WILDCARDS
from edgert_tools.recipe import find_recipe

POOLS = {**DEVICES, **WILDCARDS, "area": AREAS, "floor": FLOORS}


@pytest.fixture(scope="module")
def home() -> Drawn:
    recipe = find_recipe("home-intents-minilm")
    assert recipe is not None
    assert recipe.head is not None
    return sample_home_intents(recipe.head.train_per_label, recipe.head.held_back_per_label, recipe.head.seed)


def test_the_same_seed_gives_the_same_sentences_and_another_gives_others() -> None:
    assert sample_home_intents(20, 10, 7) == sample_home_intents(20, 10, 7)
    assert sample_home_intents(20, 10, 7).train != sample_home_intents(20, 10, 8).train


def test_there_are_enough_to_judge_half_a_point(home: Drawn) -> None:
    assert len(home.held_back) >= 1000
    assert len({row.label for row in home.held_back}) >= 38


def test_no_intent_has_more_than_its_cap(home: Drawn) -> None:
    for rows, most, least in ((home.train, 100, LEAST_TRAIN), (home.held_back, 60, LEAST_HELD_BACK)):
        counts = Counter(row.label for row in rows)
        assert max(counts.values()) <= most
        assert min(counts.values()) >= least


def test_intents_with_too_few_sentences_are_left_out_by_name(home: Drawn) -> None:
    assert ("HassNevermind", 2) in home.dropped
    kept = {row.label for row in home.train}
    assert kept == {row.label for row in home.held_back}
    assert not kept & {name for name, _ in home.dropped}


def test_no_sentence_is_in_both_sets_or_twice(home: Drawn) -> None:
    texts = [row.text for row in home.train + home.held_back]
    assert len(set(texts)) == len(texts)


def test_no_filler_is_in_both_lists() -> None:
    training = {word for pool in POOLS.values() for word in pool[0]}
    held_back = {word for pool in POOLS.values() for word in pool[1]}
    assert not training & held_back


def test_held_back_fillers_never_show_in_training_sentences(home: Drawn) -> None:
    train = " | ".join(row.text for row in home.train)
    # Single words such as "work" or "plug" are in other fillers too; a name of two words comes from nowhere else.
    for kind, (_, held_back) in POOLS.items():
        for name in held_back:
            if " " in name:
                assert not re.search(rf"\b{re.escape(name)}\b", train), (kind, name)


def test_every_filler_of_both_lists_is_used(home: Drawn) -> None:
    for which, rows in enumerate((home.train, home.held_back)):
        text = " | ".join(row.text for row in rows)
        for kind in ("light", "media_player", "cover"):
            used = [name for name in DEVICES[kind][which] if name in text]
            assert len(used) >= len(DEVICES[kind][which]) - 1


def test_sentences_are_plain_words(home: Drawn) -> None:
    for row in home.train + home.held_back:
        assert row.text == row.text.strip()
        assert not re.search(r"[{}<>\[\]()|;]|  |floor floor", row.text), row


def test_names_fit_what_is_asked_of_them(home: Drawn) -> None:
    texts: dict[str, list[str]] = defaultdict(list)
    for row in home.train + home.held_back:
        texts[row.label].append(row.text)
    for intent, kind in (
        ("HassListAddItem", "todo"),
        ("HassGetWeather", "weather"),
        ("HassVacuumReturnToBase", "vacuum"),
    ):
        named = [text for text in texts[intent] if any(name in text for part in DEVICES[kind] for name in part)]
        assert len(named) > 0.8 * len(texts[intent]) - 10, intent


def test_numbers_are_what_people_say(home: Drawn) -> None:
    hours = [int(found) for row in home.train for found in re.findall(r"\b(\d+)[ -]hours?\b", row.text)]
    assert hours
    assert max(hours) <= 12


def test_a_sentence_never_has_two_meanings(home: Drawn) -> None:
    meanings: dict[str, set[str]] = defaultdict(set)
    for row in home.train + home.held_back:
        meanings[row.text].add(row.label)
    assert all(len(labels) == 1 for labels in meanings.values())
