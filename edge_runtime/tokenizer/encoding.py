"""What a tokenizer offers to the rest of edgert, and the arrays that it gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

IdArray = NDArray[np.int64]
Strategy = Literal["longest_first", "only_first", "only_second", "refuse"]
Side = Literal["left", "right"]


@dataclass(frozen=True)
class Tokens:
    """The tokens of several texts one after another, before truncation and special tokens: all that a core produces.

    Attributes:
        ids: (tokens,) int32, text after text.
        lengths: (texts,) int64, the tokens of each text.
        spans: (tokens, 2) int32, start and end of each token in characters of its original text; None if not asked
            for. White space is not trimmed yet: that is left to the post-processor, after truncation.
    """

    ids: NDArray[np.int32]
    lengths: IdArray
    spans: NDArray[np.int32] | None = None


@dataclass(frozen=True)
class Truncation:
    """How texts are cut that have too many tokens; the words are those of Hugging Face.

    Attributes:
        strategy: whom to cut in a pair; `refuse` cuts nothing but raises InputTooLong.
        side: the end that is cut off.
        stride: with `overflow`, the tokens that a part repeats from the part before it.
        overflow: give the rest of a text in further rows instead of dropping it.
    """

    strategy: Strategy = "longest_first"
    side: Side = "right"
    stride: int = 0
    overflow: bool = False


@dataclass(frozen=True)
class Padding:
    """To which length rows are filled up: the longest row, or `to` tokens if that is more; then to a multiple."""

    to: int = 0
    multiple_of: int = 1
    side: Side = "right"


REFUSE = Truncation("refuse")
CUT = Truncation()
TO_LONGEST = Padding()


class Encoded(NamedTuple):
    """A batch of texts as a model's input.

    Attributes:
        input_ids: (rows, tokens) int64, with the template's special tokens.
        attention_mask: (rows, tokens) int64, 1 for a token, 0 for padding.
        token_type_ids: (rows, tokens) int64, as the template gives them.
        truncated: for each row, whether tokens of its text were dropped to fit.
        offsets: (rows, tokens, 2) int64, the characters of the original text that a token stands for; (0, 0) for
            special tokens and padding. None unless asked for.
        special_tokens_mask: (rows, tokens) int64, 1 for special tokens and padding. None unless offsets are asked for.
        texts: for each row, the index of its text; None where every text is one row.
    """

    input_ids: IdArray
    attention_mask: IdArray
    token_type_ids: IdArray
    truncated: tuple[bool, ...]
    offsets: IdArray | None = None
    special_tokens_mask: IdArray | None = None
    texts: tuple[int, ...] | None = None


class DecodeStream(Protocol):
    """Decodes ids one by one; what it gives, joined, is what `decode` of all of them gives."""

    def step(self, token_id: int) -> str:
        """Take one more id and give the text that is now certain; empty while a character is unfinished."""

    def finish(self) -> str:
        """Give what is still held back: an unfinished character becomes U+FFFD."""


class Tokenizer(Protocol):
    """Text to token ids and back; safe to share between threads."""

    @property
    def pad_id(self) -> int:
        """The id that fills up shorter texts of a batch; the attention mask hides it."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id that the tokenizer can give."""

    def warm_up(self) -> None:
        """Read now what the first texts would wait for."""

    def encode(self, text: str) -> list[int]:
        """Give the ids of one text with the template's special tokens, however many they are.

        Raises:
            BadRequest: the text holds a lone surrogate, which is not a character.
        """

    def count(self, text: str) -> int:
        """Give the number of ids that `encode` would give; raises what it raises."""

    def encode_batch(
        self,
        texts: Sequence[str],
        max_tokens: int | None = None,
        truncate: bool | Truncation = False,
        *,
        pairs: Sequence[str] | None = None,
        padding: Padding = TO_LONGEST,
        special_tokens: bool = True,
        offsets: bool = False,
    ) -> Encoded:
        """Encode several texts into arrays of one shape. Arrays of a single text may be shared, and are read-only then.

        Args:
            texts: any number of texts; none gives arrays of shape (0, 0).
            max_tokens: the most ids a row may have, special tokens included; None for no limit.
            truncate: False refuses longer texts; True cuts them at their end; or say in detail.
            pairs: the second text of each pair.
            padding: to which length shorter rows are filled up.
            special_tokens: put the template's special tokens around each text.
            offsets: give `offsets` and `special_tokens_mask`, too.

        Raises:
            BadRequest: a text holds a lone surrogate, `pairs` is not as long as `texts`, or the stride does not fit.
            InputTooLong: a text has too many ids and is not to be cut, or cutting as asked cannot make it fit, or the
                special tokens alone are too many.
        """

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Give the text of ids. BadRequest: an id is outside the vocabulary."""

    def stream(self, skip_special_tokens: bool = True) -> DecodeStream:
        """Begin to decode ids that come one by one."""
