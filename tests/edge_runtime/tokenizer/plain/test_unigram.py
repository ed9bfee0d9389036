"""Unigram finds the peer's pieces, ties and all."""

from __future__ import annotations

import time

import pytest

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.plain.unigram import Unigram
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.families import models
from tests.edge_runtime.tokenizer.plain.model_oracle import assert_same

UNK = ("<unk>", 0.0)


def unigram(*pieces: tuple[str, float], unk_id: int | None = 0, byte_fallback: bool = False) -> Unigram:
    return Unigram(kinds.Unigram(pieces=pieces, unk_id=unk_id, byte_fallback=byte_fallback))


@pytest.mark.parametrize("seed", range(100))
def test_any_options_and_any_word_give_the_tokens_of_the_peer(seed: int) -> None:
    assert_same(models.unigram, seed)


def test_the_most_likely_pieces_win_not_the_longest() -> None:
    ours = unigram(UNK, ("a", -1.0), ("b", -1.0), ("ab", -3.0))
    assert ours.tokenize("ab") == [(1, 0, 1), (2, 1, 2)]


def test_of_equally_likely_ways_that_whose_last_piece_starts_first_wins() -> None:
    ours = unigram(UNK, ("a", -1.0), ("b", -1.0), ("ab", -2.0))
    assert ours.tokenize("ab") == [(3, 0, 2)]


def test_an_unknown_character_is_less_likely_by_ten_than_the_rarest_piece() -> None:
    def pieces_of_xyzw(score: float) -> list[int]:
        ours = unigram(UNK, ("yzw", 0.0), ("xy", -5.0), ("z", -5.0), ("w", score))
        return ours.ids("xyzw")

    assert pieces_of_xyzw(-4.9) == [2, 3, 4]  # -14.9 in all
    assert pieces_of_xyzw(-5.0) == [0, 1]  # -15.0 both: the last piece starts first


def test_unknown_characters_that_stand_together_are_one_token() -> None:
    ours = unigram(UNK, ("a", -1.0))
    assert ours.tokenize("xya\u4e2dz") == [(0, 0, 2), (1, 2, 3), (0, 3, 5)]


def test_the_unknown_piece_written_out_is_fused_with_unknown_characters_beside_it() -> None:
    assert unigram(UNK, ("a", -1.0)).tokenize("x<unk>") == [(0, 0, 6)]


def test_bytes_each_cover_all_unknown_characters_that_stand_together() -> None:
    pieces = (UNK, ("a", -1.0), ("<0x78>", -9.0), ("<0x79>", -9.0))
    assert unigram(*pieces, byte_fallback=True).tokenize("xya") == [(2, 0, 2), (3, 0, 2), (1, 2, 3)]
    assert unigram(*pieces, byte_fallback=True).tokenize("xz") == [(0, 0, 2)]


def test_without_unknown_token_only_a_text_with_an_unknown_character_is_refused() -> None:
    ours = unigram(("a", -1.0), unk_id=None)
    assert ours.ids("aa") == [0, 0]
    with pytest.raises(BadRequest, match="text has 'x'"):
        ours.ids("ax")


def test_of_a_piece_that_is_listed_twice_the_last_place_and_score_count() -> None:
    ours = unigram(UNK, ("ab", -1.0), ("a", -1.0), ("b", -1.0), ("ab", -9.0))
    assert ours.ids("ab") == [2, 3]


@pytest.mark.parametrize("word", ["a" * 300_000, "x" * 300_000, "ab\u4e2d" * 100_000])
def test_a_word_of_300_000_characters_takes_seconds_not_hours(word: str) -> None:
    ours = unigram(UNK, *(("a" * length, -1.0) for length in range(1, 17)), ("b", -2.0))
    start = time.thread_time()
    tokens = ours.tokenize(word)
    assert time.thread_time() - start < 3.0
    assert tokens[-1][2] == len(word)
