"""How many words of a transcript are wrong: edits over words of the truth, with an interval."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_DRAWS = 2000


@dataclass(frozen=True)
class Points:
    """A figure in percentage points with its 95 % interval."""

    value: float
    low: float
    high: float


def words_of(text: str) -> list[str]:
    """The words alone, in lower case: nobody speaks commas."""
    return _WORD.findall(text.lower().replace("’", "'"))


def edits(truth: Sequence[str], found: Sequence[str]) -> int:
    """The least words to be changed, added or dropped to get from one to the other.

    Source: Levenshtein's distance by Wagner & Fischer 1974, over words.
    """
    row = list(range(len(found) + 1))
    for number, word in enumerate(truth, 1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(found, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (word != other))
    return row[-1]


def error_rate(wrong: Sequence[int], words: Sequence[int]) -> Points:
    """Word error rate of several sentences: all their edits over all their words, 100 times."""
    return _points(np.asarray(wrong, np.float64), np.asarray(words, np.float64))


def loss(before: Sequence[int], after: Sequence[int], words: Sequence[int]) -> Points:
    """By how much the error rate grew; the interval draws sentences, so it knows that both heard the same ones."""
    return _points(np.asarray(after, np.float64) - np.asarray(before, np.float64), np.asarray(words, np.float64))


def _points(
    wrong: np.ndarray[tuple[int], np.dtype[np.float64]], words: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Points:
    """The ratio with its bootstrap interval (Efron 1979, percentiles); the draws are always the same."""
    if not words.sum():
        raise ValueError("an error rate of no words is not defined")
    drawn = np.random.default_rng(0).integers(0, len(words), (_DRAWS, len(words)))
    rates = 100 * wrong[drawn].sum(axis=1) / np.maximum(words[drawn].sum(axis=1), 1)
    low, high = np.percentile(rates, (2.5, 97.5))
    return Points(float(100 * wrong.sum() / words.sum()), float(low), float(high))
