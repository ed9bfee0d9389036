"""Small random vocabularies, nasty words, and the tokens that the peer gives for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.lockstep.words import Found

Tokens = list[tuple[int, int]]

ALPHABETS = ("ab", "abc", "abcdefgh", "aé中😀", "中文字a#▁")
SIZES = (0, 1, 2, 3, 5, 8, 13, 40, 100, 101)
BATCHES = (0, 1, 2, 11, 12, 13, 14, 17, 60, 150)  # around the sizes where words go one by one


def words(random: Random, alphabet: str) -> list[str]:
    """Give a batch of words of 0 to 1,000 characters, some of one letter, some with characters of no piece."""
    alphabet += random.choice(("", "z", "\uffff\U0010ffff\0"))
    batch = []
    for _ in range(random.choice(BATCHES)):
        size = random.choice((*SIZES, random.randint(1, 1000 if random.random() < 0.1 else 60)))
        letters = alphabet if random.random() < 0.7 else random.choice(alphabet) * 3 + random.choice(alphabet)
        batch.append("".join(random.choices(letters, k=size)))
    return batch


def code_points(batch: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Give the characters of words, and how many each has."""
    characters = np.frombuffer("".join(batch).encode("utf-32-le"), np.uint32)
    return characters, np.array([len(word) for word in batch], np.int64)


def by_word(found: Found) -> list[Tokens]:
    """Give the (id, size) of each token, word by word; also sees to it that the arrays are as promised."""
    assert [array.dtype.name for array in found] == ["int32", "int64", "int32"]
    tokens = zip(found.ids.tolist(), found.sizes.tolist(), strict=True)
    return [[next(tokens) for _ in range(count)] for count in found.counts.tolist()]


def peers_tokens(model: Any, word: str) -> Tokens | None:
    """Give the (id, size in characters) of the peer's tokens, 0 for one in the same place as that before it.

    None where the peer refuses, as it does when nothing stands for an unknown character.
    """
    try:
        tokens = model.tokenize(word)
    except Exception as error:  # the peer's errors have no class of their own
        if "[UNK]" in str(error) or "unk_id" in str(error):
            return None
        raise
    raw, last, found = word.encode(), (-1, -1), []
    for token in tokens:
        start, end = token.offsets
        found.append((token.id, 0 if (start, end) == last else len(raw[start:end].decode())))
        last = (start, end)
    return found


def assert_same(
    expected: Sequence[Tokens | None],
    batch: Sequence[Any],
    one: Callable[[Any], Tokens | None],
    many: Callable[[Sequence[Any]], list[Tokens] | None],
) -> None:
    """Check that both ways to tokenize words give what the peer gives; None is a refusal, of one word or of all."""
    for word, tokens in zip(batch, expected, strict=True):
        assert one(word) == tokens, word
    assert many(batch) == (None if None in expected else list(expected))
