"""BPE in lock-step gives the peer's tokens, as does its twin for one word, in time linear in what it is given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
from tokenizers import models

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.spec.merges import read_merges
from edge_runtime.tokenizer.vector.lockstep.bpe import BpeEngine
from tests.edge_runtime.tokenizer.vector.lockstep import tiny

Merges = list[tuple[str, str]]


def model_of(vocab: dict[str, int], merges: Sequence[tuple[str, str]], prefix: str = "") -> kinds.BPE:
    return kinds.BPE(vocab, merges, None, prefix or None, None, False, False, False)


def engine_of(vocab: dict[str, int], merges: Merges, prefix: str = "") -> BpeEngine:
    return BpeEngine(BpeEngine.arrays(model_of(vocab, merges, prefix)))


def many(engine: BpeEngine, batch: list[list[int]]) -> list[tiny.Tokens]:
    flat = np.array([symbol for word in batch for symbol in word], np.int32)
    return tiny.by_word(engine.merge(flat, np.array([len(word) for word in batch], np.int64)))


def symbols(vocab: dict[str, int], prefix: str, word: str) -> list[int]:
    return [vocab[(prefix if at else "") + letter] for at, letter in enumerate(word)]


def random_model(random: Random, letters: str, prefix: str) -> tuple[dict[str, int], Merges]:
    """Give pieces and merges in any order, some twice, some whose pieces do not add up or share an id."""
    pieces = [*letters, *(prefix + letter for letter in letters if prefix)]
    vocab = {piece: at for at, piece in enumerate(pieces)}
    merges: Merges = []
    for _ in range(random.choice((0, 1, 3, 10, 40, 200))):
        left, right = random.choice(pieces), random.choice(pieces)
        if prefix and random.random() < 0.9 and not right.startswith(prefix):
            right = prefix + right
        whole = left + right[len(prefix) :]
        if right not in vocab or len(whole) > 12 or not whole or len(right) < len(prefix):
            continue
        if whole not in vocab:
            vocab[whole] = len(vocab)
            pieces.append(whole)
        merges.append((left, right))
    if random.random() < 0.4:
        random.shuffle(merges)
    if merges and random.random() < 0.3:
        merges += random.choices(merges, k=3)
    ids = list(range(len(vocab)))
    if random.random() < 0.5:
        random.shuffle(ids)
    if random.random() < 0.1 and len(ids) > 3:
        ids[1] = ids[2]
    return dict(zip(vocab, ids, strict=True)), merges


@pytest.mark.parametrize("seed", range(150))
def test_any_merges_and_any_words_give_the_tokens_of_the_peer(seed: int) -> None:
    random = Random(seed)
    prefix, letters = random.choice(("", "", "", "##", "#")), "abcdefgh"[: random.randint(1, 8)]
    vocab, merges = random_model(random, letters, prefix)
    options = {"continuing_subword_prefix": prefix} if prefix else {}
    peer = models.BPE(vocab=vocab, merges=merges, cache_capacity=0, **options)
    engine = engine_of(vocab, merges, prefix)
    words = ["".join(letter for letter in word if letter in letters) for word in tiny.words(random, letters)]
    batch = [symbols(vocab, prefix, word) for word in words]
    expected = [tiny.peers_tokens(peer, word) for word in words]
    tiny.assert_same(expected, batch, engine.merge_one, lambda words: many(engine, list(words)))


def test_a_result_with_a_merge_of_lower_rank_goes_on_before_the_next_merge_of_its_own() -> None:
    vocab = {piece: at for at, piece in enumerate(["a", "b", "ab", "aba", "abaab"])}
    merges = [("ab", "a"), ("a", "b")]
    # After the first "ab" the pair "ab"+"a" has the lower rank, and takes the "a" of the next "ab" away.
    assert engine_of(vocab, merges).merge_one(symbols(vocab, "", "abab")) == [(3, 3), (1, 1)]
    assert many(engine_of(vocab, merges), [symbols(vocab, "", "abab")] * 20) == [[(3, 3), (1, 1)]] * 20


def chain(letters: str, longest: int) -> tuple[dict[str, int], Merges]:
    """Give a vocabulary with all runs of the letters up to some length, each made of two halves of that."""
    vocab, merges = {letter: at for at, letter in enumerate(letters)}, []
    pieces, size = list(letters), 1
    while 2 * size <= longest:
        new = [(left, right) for left in pieces for right in pieces][:600]
        merges += new
        pieces = [left + right for left, right in new]
        vocab |= {piece: len(vocab) + at for at, piece in enumerate(pieces)}
        size *= 2
    return vocab, merges


RARE = {letter: at for at, letter in enumerate("abcdefghij")} | {"ab": 10, "cd": 11}
LONG: dict[str, tuple[str, dict[str, int], Merges]] = {
    "one letter": ("a", *chain("a", 32)),
    "two letters": ("ab", *chain("ab", 8)),
    "four letters": ("acgt", *chain("acgt", 4)),
    "letters that rarely merge": ("abcdefghij", RARE, [("c", "d"), ("a", "b")]),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_word_of_100_000_letters_gives_the_tokens_of_the_peer_in_linear_time(kind: str) -> None:
    letters, vocab, merges = LONG[kind]
    engine = engine_of(vocab, merges)
    seconds = []
    for count in (25_000, 100_000):
        word = "".join(Random(7).choices(letters, k=count))
        batch = [symbols(vocab, "", word)]
        start = time.process_time()
        (tokens,) = many(engine, batch)
        seconds.append(time.process_time() - start)
        assert tokens == tiny.peers_tokens(models.BPE(vocab=vocab, merges=merges, cache_capacity=0), word)
    assert seconds[1] < 12 * max(seconds[0], 0.01)  # four times as much; quadratic would be sixteen


def test_words_of_the_middle_length_are_cut_where_no_merge_joins_and_still_fit_together() -> None:
    vocab = {piece: at for at, piece in enumerate(["a", "b", "c", "ab", "abab", "x"])}
    engine = engine_of(vocab, [("a", "b"), ("ab", "ab")])
    word = symbols(vocab, "", "ababxxcababcc" * 5)
    assert many(engine, [[], word, [5], word, []]) == [[], engine.merge_one(word), [(5, 1)], engine.merge_one(word), []]


def test_a_symbol_that_is_also_made_by_a_merge_is_not_cut_off() -> None:
    # "<0x41>" stands for a byte, and is at the same time what "<" and "0x41>" give.
    vocab = {piece: at for at, piece in enumerate(["<", "0x41>", "<0x41>", "b", "<0x41>b"])}
    engine = engine_of(vocab, [("<", "0x41>"), ("<0x41>", "b")])
    assert many(engine, [[2, 3] * 20]) == [[(4, 2)] * 20]


def test_arrays_may_be_read_only() -> None:
    vocab, merges = chain("ab", 8)
    arrays = BpeEngine.arrays(model_of(vocab, merges))
    for array in arrays.values():
        array.setflags(write=False)
    word = symbols(vocab, "", "ab" * 30)
    assert many(BpeEngine(arrays), [word] * 20) == [BpeEngine(arrays).merge_one(word)] * 20


def test_merges_read_from_a_file_give_the_same_arrays_as_pairs_of_pieces() -> None:
    vocab, merges = chain("ab", 8)
    pairs = BpeEngine.arrays(model_of(vocab, merges))
    read = BpeEngine.arrays(model_of(vocab, read_merges([list(pair) for pair in merges], vocab, "", "merges")))
    assert pairs.keys() == read.keys()
    assert all(np.array_equal(pairs[name], read[name]) for name in pairs)


def test_a_merge_of_what_is_not_in_the_vocabulary_is_refused() -> None:
    with pytest.raises(UnsupportedTokenizer, match="'ab'"):
        engine_of({"a": 0, "b": 1}, [("a", "b")])


def test_ids_too_large_for_a_table_of_pairs_are_refused() -> None:
    with pytest.raises(UnsupportedTokenizer, match="too large"):
        engine_of({"a": 0, "b": 1, "ab": 1 << 31}, [("a", "b")])
