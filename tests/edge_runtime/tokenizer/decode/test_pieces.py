"""The string of each id: of the model, of added tokens, and in one block of memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime.tokenizer.decode import Decoder, PiecePool, pieces_of, special_ids
from edge_runtime.tokenizer.spec.kinds import (
    AddedToken,
    ByteLevelDecoder,
    Piece,
    Template,
    TokenizerSpec,
    Unigram,
    WordLevel,
)


def added(content: str, token_id: int, special: bool = False, normalized: bool = False) -> AddedToken:
    return AddedToken(content, token_id, special, normalized, lstrip=False, rstrip=False, single_word=False)


def spec(model: WordLevel | Unigram, *tokens: AddedToken) -> TokenizerSpec:
    return TokenizerSpec((), (), model, Template((), ()), (), None, tokens, pad_id=0, pad_type_id=0)


def test_ids_between_others_are_gaps() -> None:
    made = spec(WordLevel({"b": 3, "a": 0}, "a"), added("<x>", 5))
    assert pieces_of(made, str) == ["a", None, None, "b", None, "<x>"]


def test_an_id_that_only_the_template_has_is_a_gap_at_the_end() -> None:
    made = replace(spec(WordLevel({"a": 0}, "a")), template=Template((Piece(None, (2,), 0),), ()))
    assert pieces_of(made, str) == ["a", None, None]


def test_an_added_token_replaces_the_models_string_for_its_id() -> None:
    assert pieces_of(spec(Unigram([("a", 0.0), ("b", 0.0)], 0, False), added("<x>", 1)), str) == ["a", "<x>"]


def test_an_added_token_of_normalized_text_is_written_in_its_normalized_form() -> None:
    made = spec(WordLevel({"a": 0}, "a"), added("FOO", 1, normalized=True), added("BAR", 2))
    assert pieces_of(made, str.lower) == ["a", "foo", "BAR"]


def test_special_is_every_id_with_the_string_of_a_special_token() -> None:
    made = spec(WordLevel({"a": 0, "b": 1}, "a"), added("<s>", 2, special=True), added("<x>", 3))
    assert special_ids(made, ["<s>", "b", "<s>", "<x>", None]) == {0, 2}


def test_the_peer_knows_the_same_strings() -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    peer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0, "b": 1}, unk_token="a"))
    peer.add_tokens([tokenizers.AddedToken("foo", normalized=True)])
    peer.add_special_tokens(["b", "<s>"])
    made = spec(
        WordLevel({"a": 0, "b": 1}, "a"),
        added("foo", 2, normalized=True),
        added("b", 1, special=True),
        added("<s>", 3, special=True),
    )
    pieces = pieces_of(made, str)
    assert pieces == [peer.id_to_token(token_id) for token_id in range(4)]
    skipped = {token_id for token_id in range(4) if not peer.decode([token_id])}
    assert special_ids(made, pieces) == skipped


def test_a_pool_gives_the_strings_that_went_into_it() -> None:
    pieces = ["a", None, "", "é😀", "z"]
    data = [(piece or "").encode() for piece in pieces]
    offsets = np.cumsum([0, *map(len, data)]).astype(np.uint32)
    for pool in (b"".join(data), memoryview(b"".join(data)), np.frombuffer(b"".join(data), np.uint8).data):
        held = PiecePool(pool, offsets, gaps=[1])
        assert list(held) == pieces
        assert held[-1] == "z"
        assert held[1:4] == pieces[1:4]
        with pytest.raises(IndexError):
            held[5]
        assert Decoder((ByteLevelDecoder(),), held, frozenset()).decode([0, 1, 4]) == "az"
