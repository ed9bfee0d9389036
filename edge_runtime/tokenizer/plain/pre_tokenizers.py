"""Pre-tokenizers: a normalized text is cut into words, the units that a model looks at one by one.

Source: `pre_tokenizers/` and `tokenizer/pre_tokenizer.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.cuts import open_cut
from edge_runtime.tokenizer.spec import kinds


class PreTokenizerChain:
    """All pre-tokenizers of a tokenizer, each applied to the words of the one before it.

    Attributes:
        needs_alignment: True if a word's place in the original text decides about words (`Metaspace` with "first"
            behind another pre-tokenizer). Then only `split` is exact, on a text with its true alignment.

    Raises:
        UnsupportedTokenizer: one of them is not implemented in the form that the file has it; names it.
    """

    def __init__(self, pre_tokenizers: Iterable[kinds.PreTokenizer]) -> None:
        self._cuts = [open_cut(pre_tokenizer) for pre_tokenizer in pre_tokenizers]
        self.needs_alignment = False
        divided = False
        for cut in self._cuts:
            self.needs_alignment |= divided and cut.only_first
            divided |= cut.divides

    def words(self, text: str, first: bool) -> list[str]:
        """Give the words of a text, none of them empty.

        Args:
            text: a normalized text, or the part of one between two added tokens.
            first: its first character stands for the first one of the original text. So a normalizer that strips
                the start of a text leaves none that is first.
        """
        if self.needs_alignment:
            return [word.text for word in self.split(Aligned.of(text, 0 if first else 1), first)]
        words = [text] if text else []
        for cut in self._cuts:
            words = cut.words(words, first)
        return words

    def split(self, text: Aligned, first: bool) -> list[Aligned]:
        """Do what `words` does, and keep track of where the words come from."""
        words = [(text, first)] if text.text else []
        for cut in self._cuts:
            words = [piece for word, is_first in words for piece in cut.split(word, is_first)]
        return [word for word, _ in words]


def open_pre_tokenizer(pre_tokenizers: Iterable[kinds.PreTokenizer]) -> PreTokenizerChain:
    """Open the pre-tokenizers of a spec. Raises what `PreTokenizerChain` raises."""
    return PreTokenizerChain(pre_tokenizers)
