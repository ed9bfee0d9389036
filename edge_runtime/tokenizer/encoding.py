"""What a tokenizer offers to the rest of edgert, and the arrays that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

IdArray = NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """A batch of texts as a model's input, padded on the right to the longest of them.

    Attributes:
        input_ids: (batch, tokens) int64, with the template's special tokens.
        attention_mask: (batch, tokens) int64, 1 for a token, 0 for padding.
        token_type_ids: (batch, tokens) int64, as the template gives them.
        truncated: for each text, whether its end was cut off to fit.
    """

    input_ids: IdArray
    attention_mask: IdArray
    token_type_ids: IdArray
    truncated: tuple[bool, ...]


class Tokenizer(Protocol):
    """Text to token ids; safe to share between threads."""

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter texts of a batch; the attention mask hides it."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id that the tokenizer can give."""

    def encode(self, text: str) -> list[int]:
        """Give the ids of one text with the template's special tokens, however many they are.

        Raises:
            BadRequest: the text holds a lone surrogate, which is not a character.
        """

    def count(self, text: str) -> int:
        """Give the number of ids that `encode` would give; raises what it raises."""

    def encode_batch(self, texts: Sequence[str], max_tokens: int, truncate: bool = False) -> Encoded:
        """Encode several texts into arrays of one shape.

        Args:
            texts: any number of texts; none gives arrays of shape (0, 0).
            max_tokens: the most ids a text may have, special tokens included.
            truncate: cut longer texts at their end (special tokens stay) instead of refusing them.

        Raises:
            BadRequest: a text holds a lone surrogate.
            InputTooLong: a text has more than `max_tokens` ids and `truncate` is false, or the special tokens
                alone are more than that.
        """
