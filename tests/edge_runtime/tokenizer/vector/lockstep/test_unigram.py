"""Unigram in lock-step gives the peer's tokens, as does its twin for one word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

import pytest
from tokenizers import models

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.lockstep.unigram import UnigramEngine
from tests.edge_runtime.tokenizer.vector.lockstep import tiny

Pieces = list[tuple[str, float]]

BYTES: Pieces = [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]


def engine_of(pieces: Pieces, unk_id: int | None = 0, byte_fallback: bool = False) -> UnigramEngine:
    return UnigramEngine(UnigramEngine.arrays(kinds.Unigram(pieces, unk_id, byte_fallback)))


def many(engine: UnigramEngine, batch: Sequence[str]) -> list[tiny.Tokens] | None:
    try:
        return tiny.by_word(engine.best(*tiny.code_points(batch)))
    except BadRequest:
        return None


def one(engine: UnigramEngine, word: str) -> tiny.Tokens | None:
    try:
        return engine.best_one(word)
    except BadRequest:
        return None


def random_pieces(random: Random, alphabet: str) -> Pieces:
    """Give pieces in any order, some twice, with scores that are often equal, or above 0, or differ in the last bit."""
    scores = random.choice(
        (
            [random.uniform(-10, 0) for _ in range(1000)],
            [-3.0, -2.0, -1.0, 0.0],
            [0.1, 0.2, 0.3, 0.1 + 0.2],
            [random.uniform(20, 60) for _ in range(1000)],
        )
    )
    sizes = [random.randint(1, 6) for _ in range(random.choice((1, 5, 30, 200)))]
    pieces = ["".join(random.choices(alphabet, k=size)) for size in sizes]
    pieces += list(alphabet) if random.random() < 0.5 else []
    pieces += [piece for piece in ("<unk>", "") if random.random() < 0.2]
    if random.random() < 0.3:
        pieces += [piece for piece, _ in BYTES if random.random() < random.choice((1, 0.95))]
    random.shuffle(pieces)
    return [(piece, random.choice(scores)) for piece in pieces]


@pytest.mark.parametrize("seed", range(200))
def test_any_vocabulary_and_any_words_give_the_tokens_of_the_peer(seed: int) -> None:
    random = Random(seed)
    alphabet = random.choice(tiny.ALPHABETS)
    pieces, byte_fallback = random_pieces(random, alphabet), random.random() < 0.5
    unk_id = random.choice((None, random.randrange(len(pieces)), random.randrange(len(pieces))))
    peer, engine = models.Unigram(pieces, unk_id, byte_fallback), engine_of(pieces, unk_id, byte_fallback)
    unknown = "" if unk_id is None else pieces[unk_id][0]
    batch = [word + unknown * (random.random() < 0.1) for word in tiny.words(random, alphabet)]
    expected = [tiny.peers_tokens(peer, word) for word in batch]
    tiny.assert_same(expected, batch, lambda word: one(engine, word), lambda words: many(engine, words))


@pytest.mark.parametrize("copies", [1, 40])
def test_unknown_characters_that_stand_together_are_one_token_but_not_over_two_words(copies: int) -> None:
    engine = engine_of([("<unk>", 0.0), ("a", -1.0)])
    assert (
        many(engine, ["xya", "xx", "x", "ayyaz"] * copies)
        == [
            [(0, 2), (1, 1)],
            [(0, 2)],
            [(0, 1)],
            [(1, 1), (0, 2), (1, 1), (0, 1)],
        ]
        * copies
    )


@pytest.mark.parametrize("copies", [1, 40])
def test_bytes_of_unknown_characters_follow_the_first_one_with_size_0(copies: int) -> None:
    engine = engine_of([*BYTES, ("a", -1.0), ("<unk>", -2.0)], unk_id=257, byte_fallback=True)
    assert many(engine, ["aéx", "a"] * copies) == [[(256, 1), (0xC3, 2), (0xA9, 0), (0x78, 0)], [(256, 1)]] * copies


@pytest.mark.parametrize("copies", [1, 40])
def test_unknown_characters_that_are_a_piece_together_become_that_piece(copies: int) -> None:
    # Two unknown characters, at 10 less than the worst piece, are together still better than the piece.
    engine = engine_of([("<unk>", 50.0), ("xy", 50.0)])
    assert many(engine, ["xy", "xyx"] * copies) == [[(1, 2)], [(0, 3)]] * copies


def test_an_unknown_character_without_a_token_for_it_is_refused() -> None:
    engine = engine_of([("a", -1.0)], unk_id=None)
    for batch in (["aéa"], ["aa"] * 50 + ["aéa"]):
        with pytest.raises(BadRequest, match="no token"):
            engine.best(*tiny.code_points(batch))


def test_a_word_of_100_000_letters_takes_time_linear_in_its_length() -> None:
    pieces = [("<unk>", 0.0), ("a", -1.5), ("aa", -2.0), ("a" * 16, -5.0), ("ab", -2.0), ("b", -3.0)]
    engine, seconds = engine_of(pieces), []
    for count in (25_000, 100_000):
        word = "".join(Random(7).choices("aaaab", k=count))
        start = time.process_time()
        found = many(engine, [word, "b"])
        seconds.append(time.process_time() - start)
        assert found == [tiny.peers_tokens(models.Unigram(pieces, 0, False), word), [(5, 1)]]
    assert seconds[1] < 12 * max(seconds[0], 0.01)  # four times as much; quadratic would be sixteen


def test_arrays_may_be_read_only() -> None:
    arrays = UnigramEngine.arrays(kinds.Unigram([("<unk>", 0.0), ("a", -1.0)], 0, False))
    for array in arrays.values():
        array.setflags(write=False)
    assert many(UnigramEngine(arrays), ["aax"] * 30) == [[(1, 1), (1, 1), (0, 1)]] * 30
