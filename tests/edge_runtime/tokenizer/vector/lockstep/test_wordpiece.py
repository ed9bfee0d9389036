"""WordPiece in lock-step gives the peer's tokens, as does its twin for one word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

import pytest
from tokenizers import models

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.lockstep.wordpiece import WordPieceEngine
from tests.edge_runtime.tokenizer.vector.lockstep import tiny

UNKNOWN = "[UNK]"


def engine_of(vocab: dict[str, int], prefix: str = "##", limit: int = 100) -> WordPieceEngine:
    return WordPieceEngine(WordPieceEngine.arrays(kinds.WordPiece(vocab, UNKNOWN, prefix, limit)))


def many(engine: WordPieceEngine, batch: Sequence[str]) -> list[tiny.Tokens] | None:
    try:
        return tiny.by_word(engine.match(*tiny.code_points(batch)))
    except BadRequest:
        return None


def one(engine: WordPieceEngine, word: str) -> tiny.Tokens | None:
    try:
        return engine.match_one(word)
    except BadRequest:
        return None


def random_vocab(random: Random, alphabet: str, prefix: str) -> dict[str, int]:
    pieces = set()
    for _ in range(random.choice((0, 1, 5, 30, 200))):
        piece = "".join(random.choices(alphabet, k=min(random.randint(1, 6), random.randint(1, 9))))
        pieces.add(piece if random.random() < 0.4 else prefix + piece)
    if random.random() < 0.5:
        pieces |= {start + letter for letter in alphabet for start in ("", prefix)}
    if random.random() < 0.9:
        pieces.add(UNKNOWN)
    if random.random() < 0.2:
        pieces.add("")
    ordered = sorted(pieces)
    random.shuffle(ordered)
    return {piece: at for at, piece in enumerate(ordered)}


@pytest.mark.parametrize("seed", range(200))
def test_any_vocabulary_and_any_words_give_the_tokens_of_the_peer(seed: int) -> None:
    random = Random(seed)
    alphabet, prefix = random.choice(tiny.ALPHABETS), random.choice(("##", "##", "#", "", "a", "é#"))
    vocab, limit = random_vocab(random, alphabet, prefix), random.choice((0, 1, 5, 100, 100, 1000))
    peer = models.WordPiece(
        vocab=vocab, unk_token=UNKNOWN, continuing_subword_prefix=prefix, max_input_chars_per_word=limit
    )
    engine, batch = engine_of(vocab, prefix, limit), tiny.words(random, alphabet)
    expected = [tiny.peers_tokens(peer, word) for word in batch]
    tiny.assert_same(expected, batch, lambda word: one(engine, word), lambda words: many(engine, words))


def test_a_word_is_unknown_as_a_whole_if_one_piece_is_missing() -> None:
    engine = engine_of({"a": 0, "##b": 1, UNKNOWN: 2})
    assert many(engine, ["ab", "abc", "ca", "", "abbb"]) == [
        [(0, 1), (1, 1)],
        [(2, 3)],
        [(2, 2)],
        [],
        [(0, 1), (1, 1), (1, 1), (1, 1)],
    ]


def test_a_word_longer_than_the_limit_is_unknown_however_many_there_are() -> None:
    engine = engine_of({"a": 0, "##a": 1, UNKNOWN: 2}, limit=3)
    assert many(engine, ["aaa", "aaaa"] * 40) == [[(0, 1), (1, 1), (1, 1)], [(2, 4)]] * 40


def test_an_unknown_word_without_a_token_for_it_is_named() -> None:
    engine = engine_of({"a": 0})
    for batch in (["a", "é中"], ["a"] * 50 + ["é中"]):
        with pytest.raises(BadRequest, match="'é中'"):
            engine.match(*tiny.code_points(batch))


def test_words_that_are_walked_again_and_again_stay_cheap() -> None:
    # Every prefix of the long piece is walked before it turns out that only its first letter is a piece.
    vocab = {"a": 0, "##a": 1, "##" + "a" * 60 + "b": 2, UNKNOWN: 3}
    batch = ["a" * 100] * 2000
    start = time.process_time()
    assert many(engine_of(vocab), batch) == [[(0, 1), *[(1, 1)] * 99]] * 2000
    assert time.process_time() - start < 10


def test_arrays_may_be_read_only() -> None:
    arrays = WordPieceEngine.arrays(kinds.WordPiece({"a": 0, "##b": 1, UNKNOWN: 2}, UNKNOWN, "##", 100))
    for array in arrays.values():
        array.setflags(write=False)
    assert many(WordPieceEngine(arrays), ["abb"] * 30) == [[(0, 1), (1, 1), (1, 1)]] * 30
