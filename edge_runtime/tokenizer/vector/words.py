"""Tokens of words, as model engines give them."""

from __future__ import annotations

from typing import NamedTuple

from edge_runtime.tokenizer.vector.keys import Index
from edge_runtime.tokenizer.vector.overlay import Ids


class WordTokens(NamedTuple):
    """The tokens of words, word after word.

    Attributes:
        ids: (tokens,) int32.
        counts: (words,) int64, the tokens of each word.
        starts, ends: (tokens,) int32, the characters of its word that a token covers.
    """

    ids: Ids
    counts: Index
    starts: Ids
    ends: Ids
