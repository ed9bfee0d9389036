"""WordPiece takes the peer's pieces."""

from __future__ import annotations

import time

import pytest

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.plain.wordpiece import WordPiece
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.families import models
from tests.edge_runtime.tokenizer.plain.model_oracle import assert_same


def wordpiece(pieces: str, longest_word: int = 100) -> WordPiece:
    vocab = {piece: at for at, piece in enumerate(pieces.split())}
    return WordPiece(kinds.WordPiece(vocab, "[UNK]", "##", longest_word))


@pytest.mark.parametrize("seed", range(60))
def test_any_options_and_any_word_give_the_tokens_of_the_peer(seed: int) -> None:
    assert_same(models.wordpiece, seed)


def test_the_longest_piece_wins_even_where_a_shorter_one_would_save_the_word() -> None:
    assert wordpiece("[UNK] la lam ##mp ##p").tokenize("lamp") == [(2, 0, 3), (4, 3, 4)]
    assert wordpiece("[UNK] la lam ##mp").tokenize("lamp") == [(0, 0, 4)]


def test_a_word_longer_than_the_limit_is_unknown() -> None:
    assert wordpiece("[UNK] a ##a", longest_word=3).ids("aaa") == [1, 2, 2]
    assert wordpiece("[UNK] a ##a", longest_word=3).tokenize("aaaa") == [(0, 0, 4)]


def test_an_unknown_token_that_the_vocabulary_lacks_is_missed_when_it_is_needed() -> None:
    assert wordpiece("a").ids("a") == [0]
    with pytest.raises(BadRequest, match="text has 'ax'"):
        wordpiece("a").ids("ax")


def test_a_word_of_300_000_characters_takes_seconds_not_hours() -> None:
    ours = wordpiece("[UNK] a ##a ##aaaa", longest_word=10_000_000)
    start = time.thread_time()
    assert len(ours.ids("a" * 300_001)) == 75_001
    assert time.thread_time() - start < 3.0
