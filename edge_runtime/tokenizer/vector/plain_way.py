"""The slow way through a section of text: every step on all of it, and only the model itself for many words at once."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.normalizers import NormalizerChain, open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import PreTokenizerChain, open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.core import Pieces
from edge_runtime.tokenizer.vector.words import WordTokens


class PlainWay:
    """Normalizes, cuts into words and tokenizes, exactly as the file says.

    Args:
        spec: the tokenizer; its model is not looked at.
        tokens_of: the model.
    """

    def __init__(self, spec: kinds.TokenizerSpec, tokens_of: Callable[[list[str]], WordTokens]) -> None:
        self._spec, self._tokens_of = spec, tokens_of
        # Whether a text still begins where it began shows in the alignment only.
        self._needs_alignment = any(
            isinstance(one, kinds.Metaspace) and one.prepend_scheme == "first" for one in spec.pre_tokenizers
        )

    @functools.cached_property
    def normalizer(self) -> NormalizerChain:
        """What is done to a section first."""
        return open_normalizer(self._spec.normalizers)

    @functools.cached_property
    def _pre_tokenizer(self) -> PreTokenizerChain:
        return open_pre_tokenizer(self._spec.pre_tokenizers)

    def words(self, segment: str) -> list[str]:
        """Give the words of a segment from the inside of a text."""
        return self._pre_tokenizer.words(self.normalizer.normalize(segment), False)

    def pieces(self, text: str, first: bool, spans: bool) -> Pieces:
        """Tokenize one section; `first`: its text begins with it."""
        if not spans and not self._needs_alignment:
            tokens = self._tokens_of(self._pre_tokenizer.words(self.normalizer.normalize(text), first))
            return Pieces(tokens.ids, np.array([len(tokens.ids)], np.int64))
        section = self.normalizer.align(Aligned.of(text))
        return self.normalized(section, first and len(section) > 0 and section.starts[0] == 0, spans)

    def normalized(self, section: Aligned, first: bool, spans: bool) -> Pieces:
        """Tokenize one section, or a part of it, that is normalized."""
        words = self._pre_tokenizer.split(section, first)
        tokens = self._tokens_of([word.text for word in words])
        total = np.array([len(tokens.ids)], np.int64)
        if not spans:
            return Pieces(tokens.ids, total)
        owners = np.repeat(np.arange(len(words)), tokens.counts).tolist()
        starts = [words[at].starts[place] for at, place in zip(owners, tokens.starts.tolist(), strict=True)]
        ends = [words[at].ends[place - 1] for at, place in zip(owners, tokens.ends.tolist(), strict=True)]
        return Pieces(tokens.ids, total, np.array(starts, np.int32), np.array(ends, np.int32))
