"""Many pieces looked up at once are found exactly as one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest

from edge_runtime.tokenizer.spec import piece_index
from edge_runtime.tokenizer.spec.merges import read_merges
from edge_runtime.tokenizer.spec.piece_index import NONE, PieceIndex, PieceText

LETTERS = ("\0", "a", "é", "中", "😀")
SIZES = (1, 2, 6, 7, 8, 9, 14, 15, 16, 17, 40)  # in bytes, at the borders of words


def pieces(rng: random.Random, count: int) -> list[str]:
    """Make pieces of few letters, so that many begin or end alike; NUL among them, which looks like no byte at all."""
    made = []
    for _ in range(count):
        text = "".join(rng.choices(LETTERS, k=rng.choice(SIZES)))
        made.append(text.encode()[: rng.choice(SIZES)].decode(errors="ignore"))
    return [*made, "", "\0", "\0\0", "\0" * 7, "\0" * 8, "\0" * 15, "\0" * 16]


def find(vocab: dict[str, int], wanted: list[str]) -> list[int]:
    """Look pieces up all at once."""
    encoded = [piece.encode() for piece in wanted]
    sizes = np.array([len(piece) for piece in encoded], np.int64)
    found: list[int] = PieceIndex(vocab).find(PieceText(b"".join(encoded)), np.cumsum(sizes) - sizes, sizes).tolist()
    return found


@pytest.mark.parametrize("seed", range(8))
def test_pieces_of_every_length_are_found_and_others_are_not(seed: int) -> None:
    rng = random.Random(seed)
    known = list(dict.fromkeys(pieces(rng, rng.choice((0, 3, 300, 3_000)))))
    ids = rng.sample(range(10 * len(known)), len(known))
    vocab = dict(zip(known, ids, strict=True))
    wanted = rng.choices(known, k=500) + pieces(rng, 500)
    assert find(vocab, wanted) == [vocab.get(piece, NONE) for piece in wanted]


def test_an_empty_vocabulary_has_no_piece() -> None:
    assert find({}, ["a", ""]) == [NONE, NONE]
    assert find({"a": 2**31 - 1}, []) == []


def test_pieces_that_crowd_in_one_place_are_found_without_a_look_at_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(piece_index, "_GOLDEN", np.uint64(0))  # every piece wants the first slot
    vocab = {f"{number:05}": number for number in range(5_000)}
    wanted = [f"{number:05}" for number in range(0, 6_000, 7)]
    assert find(vocab, wanted) == [vocab.get(piece, NONE) for piece in wanted]


def test_merges_of_pieces_with_every_ascii_character_are_read() -> None:
    letters = [chr(code) for code in range(128)]
    pairs = [[left, right] for left, right in zip(letters, letters[1:] + letters[:1], strict=True)]
    vocab = {piece: at for at, piece in enumerate([*letters, *map("".join, pairs), "é", "éa"])}
    merges = read_merges([*pairs, ["é", "a"]], vocab, "", "merges")
    assert [list(pair) for pair in merges] == [*pairs, ["é", "a"]]
    assert merges.ids[2].tolist() == [*range(128, 256), vocab["éa"]]
