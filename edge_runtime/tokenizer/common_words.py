"""The words that a vocabulary begins with: their order is, roughly, how often they came up when it was made."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from edge_runtime.tokenizer.vector.arrays import Arrays

# A space in front of a word, as byte-level and SentencePiece vocabularies write it.
_BEFORE_WORD = ("Ġ".encode(), "▁".encode())
_WORD = re.compile(rb"[A-Za-z]+")
_SAMPLE = 2000  # pieces that show whether a vocabulary marks where words begin


def common_words(arrays: Arrays, most: int) -> Iterator[str]:
    """Give words of ASCII letters, without the space in front.

    Args:
        arrays: a compiled tokenizer's, of which the strings of the ids are used.
    """
    pool, ends = arrays["pieces.pool"].tobytes(), arrays["pieces.offsets"].tolist()
    sample = pool[: ends[min(_SAMPLE, len(ends) - 1)]]
    marks = [mark for mark in _BEFORE_WORD if sample.count(mark) > _SAMPLE // 20]
    found = 0
    for start, end in itertools.pairwise(ends):
        piece = pool[start:end]
        if marks:
            mark = next((mark for mark in marks if piece.startswith(mark)), piece)
            piece = piece.removeprefix(mark)
        if _WORD.fullmatch(piece):
            yield piece.decode()
            found += 1
            if found == most:
                return
