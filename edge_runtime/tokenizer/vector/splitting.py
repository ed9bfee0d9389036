"""Regular expressions that cut texts into words, run over many texts at once."""

from __future__ import annotations

import itertools

import numpy as np

from edge_runtime.tokenizer.plain.regex import UNSPELT, open_regex
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.keys import Index


class Splitter:
    """Isolates the matches of expressions, one after another.

    Args:
        splits: `isolated`, or `removed` and inverted with an expression that matches every character: the same.
    """

    def __init__(self, splits: tuple[kinds.Split, ...]) -> None:
        self._regexes = [open_regex(split.pattern.text) for split in splits]

    def bounds(self, text: str, bounds: Index) -> Index:
        """Give where words begin, and the end of the text.

        Args:
            text: the texts, one after another.
            bounds: (texts + 1,) where each begins, and the end of the last one.
        """
        for regex in self._regexes:
            compiled, spelt = regex.spell(text)
            bounds = np.unique(bounds)
            # What matches nothing stands between the texts, so that no match sees more than its own one.
            apart = UNSPELT.join([spelt[start:end] for start, end in itertools.pairwise(bounds.tolist())])
            words = compiled.findall(apart)
            lengths = np.fromiter(map(len, words), np.int64, len(words))
            ends = np.cumsum(lengths)
            if len(ends) and int(ends[-1]) == len(text):
                bounds = np.concatenate([np.zeros(1, np.int64), ends])
                continue
            spans = np.array([match.span() for match in compiled.finditer(apart)], np.int64).reshape(-1)
            between = bounds[1:-1] + np.arange(len(bounds) - 2)
            bounds = np.union1d(bounds, spans - np.searchsorted(between, spans))
        return bounds
