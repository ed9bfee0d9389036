"""A model by itself, ours and the peer's, on words as a pre-tokenizer gives them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import Tokenizer as Peer

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.plain.reference import Model, open_model
from edge_runtime.tokenizer.spec import parse_spec
from edge_runtime.tokenizer.spec.decimal import read_decimal
from tests.edge_runtime.tokenizer.families.components import Section

Tokens = list[tuple[int, int, int]]
REFUSED: Tokens = [(-1, -1, -1)]
ALPHABET = "ab\u00e9\u4e2d\U0001f600c"  # one to four bytes each


def both_of(section: Section) -> tuple[Model, Any]:
    """Give our model and the peer's."""
    none = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    text = json.dumps({"version": "1.0", **none, "added_tokens": [], "model": section})
    return open_model(parse_spec(json.loads(text, parse_float=read_decimal)).model), Peer.from_str(text).model


def ours_of(model: Model, word: str) -> Tokens:
    """Give our tokens; REFUSED if there are none for the word."""
    try:
        tokens = model.tokenize(word)
    except BadRequest:
        return REFUSED
    assert model.ids(word) == [token_id for token_id, _, _ in tokens]
    return tokens


def theirs_of(model: Any, word: str) -> Tokens:
    """Give the peer's tokens, with its offsets in bytes widened to whole characters."""
    try:
        tokens = model.tokenize(word)
    except Exception as error:
        if "nk" not in str(error):  # MissingUnkToken, `<unk>` out of vocabulary, `unk_id` is missing
            raise
        return REFUSED
    owner = [at for at, char in enumerate(word) for _ in char.encode()]
    return [(token.id, owner[token.offsets[0]], owner[token.offsets[1] - 1] + 1) for token in tokens]


def assert_same(make: Callable[..., Section], seed: int) -> None:
    """Compare one random model on words that it was made of and on others."""
    rng = random.Random(seed)
    words = [random_word(rng) for _ in range(20)]
    section = make(rng, words)
    ours, theirs = both_of(section)
    for word in [*words, "<unk>", "a<unk>b", *(random_word(rng) + random_word(rng) for _ in range(20))]:
        assert ours_of(ours, word) == theirs_of(theirs, word), (word, section)


def random_word(rng: random.Random, letters: Sequence[str] = ALPHABET + "xy") -> str:
    """Make a word of few different letters, so that pairs repeat and overlap."""
    return "".join(rng.choices(letters, k=rng.choice((1, 3, 8, 30))))
