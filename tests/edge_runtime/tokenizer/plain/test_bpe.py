"""BPE merges as the peer does, in every mode, and never slower than its input is long."""

from __future__ import annotations

import time
from typing import Any

import pytest

from edge_runtime.errors import BadRequest, UnsupportedTokenizer
from edge_runtime.tokenizer.plain.bpe import BPE
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.families import models
from tests.edge_runtime.tokenizer.plain.model_oracle import assert_same


def bpe(pieces: str, merges: str = "", **options: Any) -> BPE:
    vocab = {piece: at for at, piece in enumerate(pieces.split())}
    usual: dict[str, Any] = {
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
    }
    pairs = [(left, right) for left, right in (merge.split("+") for merge in merges.split())]
    return BPE(kinds.BPE(vocab=vocab, merges=pairs, **{**usual, **options}))


@pytest.mark.parametrize("seed", range(100))
def test_any_options_and_any_word_give_the_tokens_of_the_peer(seed: int) -> None:
    assert_same(models.bpe, seed)


def test_the_pair_that_stands_first_in_the_list_is_merged_first_and_leftmost_first() -> None:
    assert bpe("a b c ab bc", "b+c a+b").ids("abc") == [0, 4]
    assert bpe("a b c ab bc", "a+b b+c").ids("abc") == [3, 2]
    assert bpe("a aa", "a+a").ids("aaaaa") == [1, 1, 0]


def test_a_pair_that_is_listed_twice_has_its_last_place() -> None:
    assert bpe("a b c ab bc", "a+b b+c a+b").ids("abc") == [0, 4]


def test_a_merge_that_was_queued_counts_only_while_its_pair_is_still_there() -> None:
    # "b"+"c" waits when "a"+"b" takes the "b" away; then "ab"+"c" comes, although it is later in the list.
    ours = bpe("a b c d ab bc abc cd", "a+b b+c ab+c c+d")
    assert ours.ids("abc") == [6]
    assert ours.ids("abcd") == [6, 3]
    assert ours.ids("bcd") == [5, 3]


def test_a_word_in_the_vocabulary_is_one_token_if_merges_are_ignored() -> None:
    assert bpe("a b ab abc", "a+b", ignore_merges=True).tokenize("abc") == [(3, 0, 3)]
    assert bpe("a b c ab abc", "a+b", ignore_merges=False).ids("abc") == [3, 2]


def test_an_unknown_character_without_unknown_token_vanishes_and_what_follows_moves_up() -> None:
    assert bpe("a b").tokenize("axb") == [(0, 0, 1), (1, 1, 2)]
    assert bpe("a b").tokenize("a\u4e2db") == [(0, 0, 1), (1, 1, 2)]
    assert bpe("a b").tokenize("xx") == []


def test_unknown_characters_are_one_token_each_or_fused() -> None:
    assert bpe("a <unk>", unk_token="<unk>").tokenize("xxa") == [(1, 0, 1), (1, 1, 2), (0, 2, 3)]
    assert bpe("a <unk>", unk_token="<unk>", fuse_unk=True).tokenize("xxa") == [(1, 0, 2), (0, 2, 3)]


def test_an_unknown_token_that_the_vocabulary_lacks_is_missed_when_it_is_needed() -> None:
    ours = bpe("a", unk_token="<unk>")
    assert ours.ids("a") == [0]
    with pytest.raises(BadRequest, match="text has 'x'"):
        ours.ids("ax")


def test_bytes_stand_for_a_character_only_if_all_of_them_are_in_the_vocabulary() -> None:
    pieces = "a <unk> <0xC3> <0xA9>"
    ours = bpe(pieces, byte_fallback=True, unk_token="<unk>")
    assert ours.tokenize("a\u00e9") == [(0, 0, 1), (2, 1, 2), (3, 1, 2)]
    assert ours.ids("a\u00e8") == [0, 1]


def test_bytes_overtake_unknown_characters_before_them() -> None:
    ours = bpe("<unk> <0x78>", byte_fallback=True, unk_token="<unk>")
    assert ours.ids("yx") == [1, 0]  # a quirk of the original


@pytest.mark.parametrize("option", ["continuing_subword_prefix", "end_of_word_suffix"])
def test_bytes_of_a_prefix_or_suffix_are_refused(option: str) -> None:
    with pytest.raises(UnsupportedTokenizer, match="byte_fallback"):
        bpe("a", byte_fallback=True, **{option: "#"})


def test_a_merge_outside_the_vocabulary_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedTokenizer, match="merge 'a' 'b' needs 'ab'"):
        bpe("a b", "a+b")


@pytest.mark.parametrize("letters", ["a", "ab", "a\u4e2d", "xa"])
def test_a_word_of_300_000_characters_takes_seconds_not_hours(letters: str) -> None:
    ours = bpe("a b \u4e2d aa aaaa ab a\u4e2d <unk>", "a+a aa+aa a+b a+\u4e2d", unk_token="<unk>", fuse_unk=True)
    word = (letters * (300_000 // len(letters)))[:300_000]
    start = time.thread_time()
    tokens = ours.tokenize(word)
    assert time.thread_time() - start < 3.0
    assert tokens[-1][2] == len(word)
