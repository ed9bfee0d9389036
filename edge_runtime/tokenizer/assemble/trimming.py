"""Offsets without the white space of their tokens, as byte-level tokenizers ask for.

Source: `process_offsets` in `pre_tokenizers/byte_level.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.encoding import IdArray, Tokens
from edge_runtime.tokenizer.spec.kinds import OffsetTrim

Spans = NDArray[np.int32]  # (tokens, 2)
Blanks = NDArray[np.int32]  # (n, 3)
Chosen = IdArray | NDArray[np.bool_] | slice
Counts = NDArray[np.integer]

# Unicode's White_Space, and the character that byte-level vocabularies write for a space.
_WHITE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\u0120"
)


class WhiteEdges(NamedTuple):
    """How much white space the tokens of a vocabulary have at their ends.

    Attributes:
        leading: (ids,) unsigned, characters of white space at the start; all of them if there is nothing else.
        trailing: (ids,) unsigned, the same at the end.
    """

    leading: NDArray[np.unsignedinteger]
    trailing: NDArray[np.unsignedinteger]


def white_edges(pieces: Iterable[str | None]) -> WhiteEdges:
    """Count the white space at the ends of a vocabulary's strings, in the order of their ids; None is a gap.

    The arrays are uint8 unless a token has more than 255 spaces.
    """
    leading, trailing = [], []
    for piece in pieces:
        text = piece or ""
        leading.append(len(text) - len(text.lstrip(_WHITE)))
        trailing.append(len(text) - len(text.rstrip(_WHITE)))
    return WhiteEdges(_unsigned(leading), _unsigned(trailing))


def _unsigned(counts: list[int]) -> NDArray[np.unsignedinteger]:
    return np.array(counts, dtype=np.min_scalar_type(max(counts, default=0)))


class Trimmer:
    """Trims the spans of tokens, once for each rule.

    Args:
        rules: may be none; then spans stay as they are.
        edges: the white space of the vocabulary's strings.
    """

    def __init__(self, rules: tuple[OffsetTrim, ...], edges: WhiteEdges | None) -> None:
        assert edges is not None or not rules, "trimming needs to know the white space of the vocabulary"
        self._rules, self._edges = rules, edges

    def spans(self, tokens: Tokens, blanks: Blanks | None, chosen: Chosen, first: Chosen) -> Spans:
        """Give the spans of some tokens without their white space.

        Args:
            tokens: with spans, in characters.
            blanks: (n, 3), tokens that are not their vocabulary's string: index, white space at its start, at its end.
            chosen: (n,), the indices of the tokens asked for; or a slice.
            first: those among the chosen (indices or a mask) that begin a part of a text.

        Returns:
            (n, 2) int32; no span ends before it starts.
        """
        assert tokens.spans is not None, "offsets are asked of tokens without spans"
        spans = tokens.spans[chosen]
        if self._edges is None or not self._rules:
            return spans
        leading, trailing = self._edges.leading[tokens.ids], self._edges.trailing[tokens.ids]
        if blanks is not None and len(blanks):
            leading, trailing = leading.astype(np.int32), trailing.astype(np.int32)
            leading[blanks[:, 0]], trailing[blanks[:, 0]] = blanks[:, 1], blanks[:, 2]
        return self._trimmed(spans, leading[chosen], trailing[chosen], first)

    def _trimmed(self, spans: Spans, leading: Counts, trailing: Counts, first: Chosen) -> Spans:
        start, end = spans[:, 0], spans[:, 1]
        for rule in self._rules:
            skip = leading
            if rule.add_prefix_space:
                # One space at the very start is one that was put there: the text itself begins at offset 0.
                very_start = start == 0
                very_start[first] = True
                skip = np.where((leading == 1) & very_start, 0, leading)
            start = np.minimum(start + skip, end)
            end = np.where(end >= trailing, np.maximum(end - trailing, start), end)
        return np.stack((start, end), axis=1)
