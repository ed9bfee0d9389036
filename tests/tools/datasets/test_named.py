"""The data sets that recipes are trained on: the same each time, nothing of what is judged on in what is trained on."""

from __future__ import annotations

from collections import Counter
from typing import get_args, get_type_hints

import pytest

from edgert_tools.datasets import Drawn
from edgert_tools.datasets.capped import capped
from edgert_tools.datasets.home_facts import home_facts, home_sentences
from edgert_tools.datasets.home_names import AREAS, DEVICES
from edgert_tools.datasets.lessons import Choice, Fact, Pair
from edgert_tools.datasets.named import LABELLED, LESSONS, draw_labelled
from edgert_tools.datasets.prompt_injections import prompt_injections
from edgert_tools.datasets.reviews import Labelled, review_sentiment
from edgert_tools.datasets.word_kinds import TEMPLATE, word_kinds
from edgert_tools.datasets.wordnet import kinds_above, nouns
from edgert_tools.recipe import HeadRecipe, TuneRecipe
from tests.conftest import fetched


@pytest.mark.parametrize(("recipe", "known"), [(HeadRecipe, LABELLED), (TuneRecipe, LESSONS)])
def test_what_a_recipe_may_name_is_what_there_is(recipe: type, known: dict[str, object]) -> None:
    assert set(get_args(get_type_hints(recipe)["data"])) == set(known)


def test_no_label_has_more_texts_than_its_cap_and_they_keep_their_order() -> None:
    rows = [Labelled(str(number), "even" if number % 2 == 0 else "odd") for number in range(20)]
    kept = capped(rows, 4, seed=1)
    assert Counter(row.label for row in kept) == {"even": 4, "odd": 4}
    assert [int(row.text) for row in kept] == sorted(int(row.text) for row in kept)
    assert capped(rows, 4, seed=1) == kept != capped(rows, 4, seed=2)
    assert capped(rows, 99, seed=1) == tuple(rows)


@pytest.mark.parametrize(
    ("name", "labels", "least"),
    [("prompt-injections", {"benign", "injection"}, 2000), ("review-sentiment", {"negative", "positive"}, 700)],
)
def test_labelled_texts_are_the_same_each_time_and_apart(name: str, labels: set[str], least: int) -> None:
    head = HeadRecipe(name, train_per_label=500, held_back_per_label=9999, seed=3, regularization=1.0)  # type: ignore[arg-type]
    drawn: Drawn = fetched(lambda: draw_labelled(head))
    assert drawn == draw_labelled(head)
    assert Counter(row.label for row in drawn.train) == dict.fromkeys(labels, 500)
    assert {row.label for row in drawn.held_back} == labels
    assert len(drawn.held_back) >= least
    assert not {row.text.lower() for row in drawn.train} & {row.text.lower() for row in drawn.held_back}


def test_labels_mean_what_they_say() -> None:
    injections = fetched(lambda: prompt_injections(9999, 9999, 1))
    said = {row.text: row.label for row in (*injections.train, *injections.held_back)}
    assert said["How is chocolate made from cacao"] == "benign"
    assert said["Explain what forms guidelines"] == "injection"
    reviews = fetched(lambda: review_sentiment(9999, 9999, 1))
    felt = Counter(row.label for row in (*reviews.train, *reviews.held_back) if "terrible" in row.text)
    assert felt["negative"] > felt["positive"]


def test_answers_stand_where_they_are_said_to_stand_and_only_once() -> None:
    lessons = home_facts(held_back=200, variants=1, seed=4)
    assert lessons == home_facts(held_back=200, variants=1, seed=4)
    for fact in (*lessons.train, *lessons.held_back):
        assert isinstance(fact, Fact)
        assert fact.answer
        assert fact.answer == fact.answer.strip(" .,")
        assert not set("[]{}") & set(fact.context + fact.question)
    asked = [(fact.question, fact.context) for fact in lessons.train if isinstance(fact, Fact)]
    assert len(set(asked)) == len(asked)


def test_held_back_reports_have_names_and_forms_of_their_own() -> None:
    lessons = home_facts(held_back=300, variants=0, seed=4)
    taught, judged = (
        " ".join(f"{fact.context} {fact.question}" for fact in part if isinstance(fact, Fact)).lower()
        for part in (lessons.train, lessons.held_back)
    )
    for pools in (AREAS, DEVICES["light"], DEVICES["switch"]):
        assert not [name for name in pools[1] if f" {name} " in taught]
        assert [name for name in pools[1] if f" {name} " in judged]
    for form in ("thermometer shows", "is burning", "humidity of the"):
        assert form not in taught
        assert form in judged


def test_wordnet_is_whole_and_a_dog_is_an_animal() -> None:
    meanings = fetched(nouns)
    assert len(meanings) == 82_115  # wnstats(7WN)
    dog = next(one for one in meanings.values() if one.words[0] == "dog" and "Canis" in one.explained)
    assert "domestic dog" in dog.words
    assert {"canine", "animal", "entity"} <= {meanings[number].words[0] for number in kinds_above(dog.number)}
    assert '"' not in dog.explained


def test_labels_of_kinds_follow_from_the_tree_and_half_hold() -> None:
    lessons = fetched(lambda: word_kinds(held_back=100, variants=0, seed=5))
    pairs = [one for one in lessons.train if isinstance(one, Pair)]
    assert abs(sum(one.holds for one in pairs) - len(pairs) / 2) < 1
    explained = {one.explained: one.number for one in nouns().values()}
    head, tail = TEMPLATE.split("{}")
    for pair in pairs[:300]:
        label = pair.second.removeprefix(head).removesuffix(tail)
        above = {nouns()[number].words[0] for number in kinds_above(explained[pair.first])}
        assert not pair.holds or label in above
    choices = [one for one in lessons.held_back if isinstance(one, Choice)]
    taught = {pair.second for pair in pairs}
    assert len(choices) == 100
    assert not taught & {TEMPLATE.replace("{}", label) for one in choices for label in one.options}
    assert not {pair.first for pair in pairs} & {one.text for one in choices}


def test_of_five_sentences_one_answers_and_no_other_tells_of_the_same() -> None:
    lessons = home_sentences(held_back=100, variants=0, seed=6)
    assert lessons == home_sentences(held_back=100, variants=0, seed=6)
    pairs = lessons.train
    assert sum(one.holds for one in pairs) * 3 == len(pairs)  # two wrong ones beside each right one
    assert len({one.right for one in lessons.held_back}) == 5
    for choice in lessons.held_back:
        assert len(set(choice.options)) == len(choice.options) == 5
    warm = [one for one in lessons.held_back if one.text.startswith("How warm is it in the ")]
    assert warm
    for choice in warm:
        room = choice.text.removeprefix("How warm is it in the ").removesuffix("?")
        told = [option for option in choice.options if "degrees" in option and room in option.lower()]
        assert told == [choice.options[choice.right]]
