"""The string of each token id, as decoders take it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.spec.kinds import TokenizerSpec, Unigram

Pieces = Sequence[str | None]


class PiecePool(Sequence[str | None]):
    """The strings of a vocabulary in one block of memory, decoded only when asked for.

    Args:
        pool: all strings in UTF-8, one after another in the order of their ids.
        offsets: (ids + 1,), where each string begins; the last one is the length of the pool.
        gaps: ids that stand for nothing; they give None.
    """

    def __init__(self, pool: bytes | memoryview, offsets: NDArray[np.integer], gaps: Collection[int] = ()) -> None:
        self._pool, self._offsets = memoryview(pool), offsets
        self._gaps = frozenset(gaps)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str | None: ...

    @overload
    def __getitem__(self, index: slice) -> Pieces: ...

    def __getitem__(self, index: int | slice) -> str | Pieces | None:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        at = range(len(self))[index]  # IndexError, and what an index below 0 means
        if at in self._gaps:
            return None
        return str(self._pool[int(self._offsets[at]) : int(self._offsets[at + 1])], "utf-8")


def pieces_of(spec: TokenizerSpec, normalize: Callable[[str], str]) -> list[str | None]:
    """Give the string of each id; None where an id stands for nothing.

    An added token that is looked for in normalized text is written as its normalized form. There is a place for every
    id that the tokenizer can give: a template may put in one that neither the model nor an added token has.

    Args:
        normalize: the tokenizer's whole normalizer.

    Source: `simple_id_to_token` in `tokenizer/added_vocabulary.rs` of https://github.com/huggingface/tokenizers.
    """
    model = spec.model
    if isinstance(model, Unigram):
        known: dict[int, str] = dict(enumerate(piece for piece, _ in model.pieces))
    else:
        known = {token_id: piece for piece, token_id in model.vocab.items()}
    for token in spec.added_tokens:
        known[token.id] = normalize(token.content) if token.normalized else token.content
    places = (*spec.template.single, *spec.template.pair)
    largest = max(known.keys() | {token_id for piece in places for token_id in piece.ids}, default=-1)
    return [known.get(token_id) for token_id in range(largest + 1)]


def special_ids(spec: TokenizerSpec, pieces: Pieces) -> frozenset[int]:
    """Give the ids that decoding can skip: all whose string is the content of a special token.

    Source: `is_special_token` in `tokenizer/added_vocabulary.rs` of https://github.com/huggingface/tokenizers.
    """
    contents = {token.content for token in spec.added_tokens if token.special}
    return frozenset(token_id for token_id, piece in enumerate(pieces) if piece in contents)
