"""Where words begin among the tokens of a text, told from the text alone, for a tokenizer of any kind.

A token goes on with the word before it if it touches it and neither side of the seam is white space, punctuation or a
Chinese character. For WordPiece this gives the words of `BertPreTokenizer`, which are those that transformers joins.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.unicode import CodePoints, load_tables


def word_starts(text: str, spans: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each token, whether it begins a word.

    Args:
        text: the text.
        spans: (tokens, 2), start and end of each token in characters, in order.

    Returns:
        (tokens,). A token of white space alone goes with the word after it; one within a character goes on with the
        token before it.
    """
    starts = np.ones(len(spans), np.bool_)
    alone = {character for character in set(text) if ord(character) in _standing_alone()}
    blank, before = False, 0
    for at, (start, end) in enumerate(spans.tolist()):
        if at and start <= before and (start < before or start == end or blank or _joined(text, start, alone)):
            starts[at] = False
        blank, before = end > start and text[start:end].isspace(), max(before, end)
    return starts


def without_blanks(text: str, start: int, end: int) -> tuple[int, int]:
    """The same piece of the text without white space at its ends; nothing left gives an empty piece."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, end - (len(piece) - len(piece.rstrip())))


def _joined(text: str, seam: int, alone: set[str]) -> bool:
    return 0 < seam < len(text) and text[seam - 1] not in alone and text[seam] not in alone


@functools.cache
def _standing_alone() -> CodePoints:
    tables = load_tables()
    return tables.white_space | tables.punctuation | tables.chinese
