"""What is a kind of what: explanations of WordNet's nouns, each with words for what it is, and for what it is not.

Whether "a plate on the outside of a lock" is a device follows from WordNet's tree, so the labels are exact. A sixth of
the words for kinds is never trained on, neither as right nor as wrong: accuracy on these says what happens with labels
that somebody else thinks of.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from edge_runtime.bundle.text_specs import PairSpec
from edgert_tools.datasets.lessons import Choice, Lessons, Pair
from edgert_tools.datasets.wordnet import Meaning, kinds_above, nouns

TEMPLATE = PairSpec().template  # the board's own, if a request has none
_TRAINED = 2500  # meanings
_LEAST_BELOW, _MOST_BELOW = 60, 12_000  # meanings that a label is for: neither rare things nor "entity"
_HELD_BACK_LABELS = 6  # one in so many
_OPTIONS = 5
_LEAST_WORDS, _MOST_WORDS = 5, 30  # of an explanation


def word_kinds(held_back: int, variants: int, seed: int) -> Lessons[Pair, Choice]:
    """Draw both sets; the same arguments give the same.

    Args:
        held_back: explanations to judge on, each with one right label of five.
        variants: for each of 2,500 explanations that are trained on there are one right and one wrong label, and so
            many more of both.
        seed: another seed holds back other explanations and labels.

    Raises:
        SourceUnavailable: WordNet cannot be had.
    """
    rng = random.Random(seed)
    numbers = [number for number, one in nouns().items() if _LEAST_WORDS <= len(one.explained.split()) <= _MOST_WORDS]
    rng.shuffle(numbers)
    labels = sorted(_labels())
    rng.shuffle(labels)
    cut = len(labels) // _HELD_BACK_LABELS
    judged_labels, taught_labels = labels[:cut], labels[cut:]
    taught = [number for number in numbers[:_TRAINED] if _right(number, taught_labels)]
    train = [pair for number in taught for pair in _pairs(number, taught_labels, variants + 1, rng)]
    others = [number for number in numbers[_TRAINED:] if _right(number, judged_labels)]
    return Lessons(tuple(train), tuple(_choice(number, judged_labels, rng) for number in others[:held_back]))


@cache
def _labels() -> Mapping[str, frozenset[int]]:
    """Words for kinds, and the meanings that have them: one plain word each, that names only what lies below it."""
    below: Counter[int] = Counter()
    for number in nouns():
        below.update(kinds_above(number))
    found: dict[str, set[int]] = {}
    for number, count in below.items():
        word = nouns()[number].words[0]
        if _LEAST_BELOW <= count <= _MOST_BELOW and word.isalpha() and word.islower():
            found.setdefault(word, set()).add(number)
    return {word: frozenset(meanings) for word, meanings in found.items()}


def _right(number: int, labels: Sequence[str]) -> list[str]:
    above = kinds_above(number)
    return [label for label in labels if above & _labels()[label]]


def _wrong(number: int, labels: Sequence[str], count: int, rng: random.Random) -> list[str]:
    """Labels that it is no kind of, and whose word does not stand in the explanation."""
    above, meaning = kinds_above(number), nouns()[number]
    fitting = [label for label in labels if not above & _labels()[label] and not _says(meaning, label)]
    return rng.sample(fitting, count)


def _says(meaning: Meaning, label: str) -> bool:
    return label in meaning.explained.lower() or any(label in word.lower() for word in meaning.words)


def _pairs(number: int, labels: Sequence[str], count: int, rng: random.Random) -> list[Pair]:
    explained = nouns()[number].explained
    right = rng.sample(found, min(count, len(found))) if (found := _right(number, labels)) else []
    wrong = _wrong(number, labels, len(right), rng)
    return [
        Pair(explained, TEMPLATE.replace("{}", label), holds)
        for some, holds in ((right, True), (wrong, False))
        for label in some
    ]


def _choice(number: int, labels: Sequence[str], rng: random.Random) -> Choice:
    options = [rng.choice(_right(number, labels)), *_wrong(number, labels, _OPTIONS - 1, rng)]
    right = options[0]
    rng.shuffle(options)
    return Choice(nouns()[number].explained, tuple(options), options.index(right))
