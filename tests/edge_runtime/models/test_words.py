"""Where words begin, told from the text, against the words that transformers' WordPiece joins."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.models.texts.words import without_blanks, word_starts
from edge_runtime.tokenizer import open_tokenizer
from tests import tiny


def pieces(text: str, starts: list[int], spans: list[tuple[int, int]]) -> list[str]:
    """The words, as text."""
    return [text[spans[a][0] : spans[b - 1][1]] for a, b in itertools.pairwise([*starts, len(spans)])]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("turned on", ["turned", "on"]),
        ("the kitchen's on-off.", ["the", "kitchen", "'", "s", "on", "-", "off", "."]),
        ("Mr. Z, a@b.de!", ["Mr", ".", "Z", ",", "a", "@", "b", ".", "de", "!"]),
        ("漢字abc", ["漢", "字", "abc"]),
        ("caféstyle  x", ["caféstyle", "x"]),
        ("a\u2019b", ["a", "\u2019", "b"]),
        ("", []),
    ],
)
def test_wordpiece_tokens_are_joined_to_the_words_they_were_cut_from(
    tmp_path: Path, text: str, words: list[str]
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(tiny.tokenizer_json()))
    tokenizer = open_tokenizer(tmp_path / "tokenizer.json")
    encoded = tokenizer.encode_batch([text], special_tokens=False, offsets=True)
    assert encoded.offsets is not None
    starts = np.flatnonzero(word_starts(text, encoded.offsets[0])).tolist()
    assert pieces(text, starts, [tuple(span) for span in encoded.offsets[0].tolist()]) == words


@pytest.mark.parametrize(
    ("text", "spans", "starts"),
    [
        (" Berlin wall", [(0, 7), (7, 12)], [0, 1]),  # tokens that took their space along
        ("a Berlin", [(0, 1), (1, 2), (2, 5), (5, 8)], [0, 1]),  # the space is a token: it goes with what follows
        ("x😀y", [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)], [0]),  # bytes of one character
        ("ab", [(0, 1), (1, 1), (1, 2)], [0]),  # a token of nothing
        ("a, b", [(0, 1), (1, 2), (3, 4)], [0, 1, 2]),
    ],
)
def test_tokens_of_other_kinds_are_joined_as_well(text: str, spans: list[tuple[int, int]], starts: list[int]) -> None:
    assert np.flatnonzero(word_starts(text, np.array(spans, np.int64))).tolist() == starts


@pytest.mark.parametrize(("piece", "left"), [((0, 4), (1, 3)), ((0, 1), (1, 1)), ((3, 5), (5, 5)), ((2, 2), (2, 2))])
def test_blanks_at_the_ends_are_no_part_of_a_piece(piece: tuple[int, int], left: tuple[int, int]) -> None:
    assert without_blanks(" ab  ", *piece) == left
