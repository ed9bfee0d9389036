"""Real English sentences: snippets of product reviews, typed by customers, as they are, and how kind they are.

From `vaderSentiment` 3.3.2 (MIT), whose source archive carries the ground truth of Hutto & Gilbert 2014,
"VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text": each sentence has the mean of
twenty people's ratings, from -4 to 4.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from edgert_tools.datasets import Drawn, Labelled
from edgert_tools.datasets.capped import capped
from edgert_tools.packages import PinnedPackage, fetch_package, read_member

PACKAGE = PinnedPackage(
    name="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    sdist=True,
)
MEGABYTES = 2.5
_ARCHIVE, _FILE = "hutto_ICWSM_2014.tar.gz", "amazonReviewSnippets_GroundTruth.txt"
_LEAST_WORDS, _MOST_WORDS = 4, 60
_FELT = 0.5  # of the mean rating: nearer to 0 people do not agree on which side a sentence is
_HELD_BACK = 1 / 3  # of the reviews


@dataclass(frozen=True)
class _Rated:
    """A sentence, the review that it is of, and the mean of its ratings."""

    review: str
    rating: float
    text: str


def product_reviews(count: int) -> tuple[str, ...]:
    """`count` different sentences of 4 to 60 words, spread evenly over the file; 0 gives all (about 3,500).

    Raises:
        SourceUnavailable: the package cannot be had.
    """
    texts = list(dict.fromkeys(row.text for row in _rated()))
    fitting = [text for text in texts if _LEAST_WORDS <= len(text.split()) <= _MOST_WORDS]
    if not 0 < count < len(fitting):
        return tuple(fitting)
    return tuple(fitting[index * len(fitting) // count] for index in range(count))


def review_sentiment(train_per_label: int, held_back_per_label: int, seed: int) -> Drawn:
    """Sentences that most find kind or unkind; those of a third of the 300 reviews are held back, with all of them.

    Args:
        train_per_label, held_back_per_label: the most sentences of a label, drawn by the seed.
        seed: another seed holds back other reviews.

    Raises:
        SourceUnavailable: the package cannot be had.
    """
    rows = _rated()
    often = Counter(row.text for row in rows)
    felt = [row for row in rows if abs(row.rating) >= _FELT and often[row.text] == 1 and row.text]
    reviews = sorted({row.review for row in rows})
    judged = set(random.Random(seed).sample(reviews, round(len(reviews) * _HELD_BACK)))
    parts = [[_labelled(row) for row in felt if (row.review in judged) == held_back] for held_back in (False, True)]
    return Drawn(capped(parts[0], train_per_label, seed), capped(parts[1], held_back_per_label, seed))


def _labelled(row: _Rated) -> Labelled:
    return Labelled(row.text, "positive" if row.rating > 0 else "negative")


def _rated() -> list[_Rated]:
    raw = read_member(fetch_package(PACKAGE), _ARCHIVE, _FILE).decode("utf-8", errors="replace")
    lines = [line.split("\t") for line in raw.splitlines() if line.count("\t") == 2]
    return [_Rated(number.partition("_")[0], float(rating), text.strip()) for number, rating, text in lines]
