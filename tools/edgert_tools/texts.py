"""Which texts a conversion trains and is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.manifest import sha256_of
from edgert_tools.datasets import Labelled
from edgert_tools.datasets.named import LABELLED, draw_labelled
from edgert_tools.datasets.reviews import MEGABYTES, product_reviews
from edgert_tools.datasets.reviews import PACKAGE as REVIEWS
from edgert_tools.datasets.user_file import read_user_file
from edgert_tools.progress import Say
from edgert_tools.recipe import Recipe


@dataclass(frozen=True)
class Texts:
    """Texts to judge on with their labels, if known, sentences to train a head on, and where all of it is from.

    `dropped` are labels that were left out, with how many distinct sentences they had.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...] | None
    description: str
    train: tuple[Labelled, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()


def load_texts(recipe: Recipe, data: Path | None, say: Say) -> Texts:
    """The recipe's data sets; a user's file takes the place of the evaluation set.

    Raises:
        SourceUnavailable: a data set cannot be had.
        UsageError: the user's file cannot be read as texts.
    """
    drawn = draw_labelled(recipe.head) if recipe.head else None
    train, dropped = (drawn.train, drawn.dropped) if drawn else ((), ())
    if data is not None:
        texts, labels = read_user_file(data)
        return Texts(texts, labels, f"{data.name} (sha256 {sha256_of(data)[:12]})", train, dropped)
    if drawn is not None and recipe.head is not None:
        held_back = drawn.held_back[: recipe.evaluate.count or None]
        description = f"{LABELLED[recipe.head.data].held_back}, seed {recipe.head.seed}"
        texts, labels = tuple(row.text for row in held_back), tuple(row.label for row in held_back)
        return Texts(texts, labels, description, train, dropped)
    say(f"judging on product reviews of {REVIEWS.requirement} ({MEGABYTES} MB download, kept); --data gives your own")
    texts = product_reviews(recipe.evaluate.count)
    return Texts(texts, None, f"product reviews in {REVIEWS.requirement}")
