"""Rows to calibrate on that are not the ones to judge on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edge_runtime.errors import UsageError
from edgert_tools.datasets.reviews import product_reviews
from edgert_tools.quantization.scheme import parse_scheme
from edgert_tools.recipe import Recipe
from edgert_tools.texts import Texts

ROWS = 96  # MiniLM's cosines do not change from 48 to 200
_ONE_IN = 5  # of the user's own texts, when there is nothing else to calibrate on
_FEWEST = 2


def split_rows(texts: Texts, recipe: Recipe, own_data: bool) -> tuple[Texts, tuple[str, ...]]:
    """The texts to judge on, and others to calibrate on; no others, and nothing changed, if no scheme needs any.

    A head's training sentences come first, then reviews that are not judged on; of the user's own file, or if all
    reviews are judged on, every fifth text is set aside.

    Raises:
        UsageError: there are too few texts to set any aside.
    """
    schemes = [parse_scheme(name) for name in recipe.quantize.candidates]
    if not any(scheme is not None and scheme.calibrated for scheme in schemes):
        return texts, ()
    if texts.train and not own_data:
        return texts, _spread([row.text for row in texts.train])
    judged = set(texts.texts)
    others = [] if own_data else [text for text in product_reviews(0) if text not in judged]
    return (texts, _spread(others)) if others else _every_fifth(texts)


def _every_fifth(texts: Texts) -> tuple[Texts, tuple[str, ...]]:
    numbers = range(len(texts.texts))
    aside = [texts.texts[number] for number in numbers if number % _ONE_IN == 0]
    rest = [number for number in numbers if number % _ONE_IN and texts.texts[number] not in aside]
    if len(aside) < _FEWEST or not rest:
        raise UsageError(
            f"{len(texts.texts)} texts are too few to calibrate on some and judge on others: give more, or only "
            "schemes that need none (--scheme dynamic-s8, nbits8-b32)"
        )
    kept = dataclasses.replace(
        texts,
        texts=tuple(texts.texts[number] for number in rest),
        labels=tuple(texts.labels[number] for number in rest) if texts.labels is not None else None,
        description=f"{texts.description}, every fifth left out for calibration",
    )
    return kept, _spread(aside)


def _spread(texts: Sequence[str]) -> tuple[str, ...]:
    """At most `ROWS` of them, evenly from short to long."""
    ordered = sorted(dict.fromkeys(texts), key=lambda text: (len(text), text))
    if len(ordered) <= ROWS:
        return tuple(ordered)
    return tuple(ordered[number * len(ordered) // ROWS] for number in range(ROWS))
