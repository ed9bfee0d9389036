"""SentencePiece's character maps: look-ups by cluster or character, and what deletions do to the alignment."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.charsmap import Charsmap
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.plain.charsmap_file import compile_charsmap
from tests.edge_runtime.tokenizer.plain.component_oracle import differences

ACCENT, JOINER = "\u0301", "\u200d"
PARTS = (
    "a",
    "b",
    "\r",
    "\n",
    "\xe9",
    ACCENT,
    JOINER,
    "\u0308",
    "\uff21",
    "\ufb01",
    "\u1100",
    "\u1161",
    "\U0001f468",
    " ",
)
REPLACEMENTS = ("", "x", "fi", "\xe9", " ", "abc", "\U0001f600")


def random_map(rng: random.Random) -> dict[str, str]:
    keys = ("".join(rng.choices(PARTS, k=rng.choice((1, 1, 1, 2, 2, 3)))) for _ in range(rng.randint(1, 12)))
    return {key: rng.choice(REPLACEMENTS) for key in keys}


def normalize(replacements: dict[str, str], text: str) -> str:
    return Charsmap(compile_charsmap(replacements)).normalize(text)


def test_random_maps_give_the_peers_texts_and_alignments() -> None:
    rng = random.Random(5)
    different = []
    for _ in range(60):
        spec = kinds.Precompiled(compile_charsmap(random_map(rng)))
        texts = ["".join(rng.choices(PARTS, k=rng.randint(0, 9))) for _ in range(25)]
        different += differences([spec], [], texts, rng)
    assert different == []


def test_a_cluster_of_five_bytes_is_looked_up_whole_and_one_of_six_by_character() -> None:
    five, six = "\uff21" + ACCENT, "\uff21" + "\u20dd"
    assert (len(five.encode()), len(six.encode())) == (5, 6)
    replacements = {five: "five", six: "six", "\uff21": "A"}
    assert normalize(replacements | {"\uff21": "A"}, six) == "A\u20dd"
    assert normalize({five: "five"}, five) == "five"


def test_a_look_up_takes_the_shortest_key_and_drops_the_rest_of_the_cluster() -> None:
    assert normalize({"e": "E", "e" + ACCENT: "accented"}, "e" + ACCENT + "x") == "Ex"


def test_carriage_return_and_line_feed_are_one_cluster() -> None:
    assert normalize({"\r": " ", "\n": " "}, "a\r\nb\n\rc") == "a b  c"


def test_what_is_removed_at_the_start_shifts_the_alignment_as_in_the_peer() -> None:
    charsmap = Charsmap(compile_charsmap({"x": ""}))
    assert list(charsmap.align(Aligned.of("xxab")).starts) == [0, 1]
    assert list(charsmap.align(Aligned.of("axxb")).starts) == [0, 3]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "cut off"),
        (b"\x01\x00", "cut off"),
        ((1 << 20).to_bytes(4, "little") + bytes(8), "cut off"),
        (compile_charsmap({"a": "b"}) + b"\xff", "not UTF-8"),
    ],
)
def test_a_broken_map_is_refused_when_it_is_opened(data: bytes, complaint: str) -> None:
    with pytest.raises(UnsupportedTokenizer, match=complaint):
        Charsmap(data)


def test_a_map_that_points_outside_of_itself_is_refused_when_that_is_met() -> None:
    far = (1 << 20 << 10).to_bytes(4, "little")
    with pytest.raises(UnsupportedTokenizer, match="outside of itself"):
        Charsmap((4).to_bytes(4, "little") + far).normalize("a")
