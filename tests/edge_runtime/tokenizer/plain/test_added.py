"""Added tokens are found where the peer finds them, under every flag, and at no cost where there are none."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.added import TEXT, AddedTokens, Part, TokenFinder
from edge_runtime.tokenizer.spec.kinds import AddedToken

ALPHABET = "ab <>[] \u3000\t\u00e9\u0301_-1"


def token(content: str, token_id: int, **flags: bool) -> AddedToken:
    usual = dict.fromkeys(("special", "normalized", "lstrip", "rstrip", "single_word"), False)
    return AddedToken(content, token_id, **{**usual, **flags})


def finder(*tokens: AddedToken, parse_special: bool = False) -> TokenFinder:
    return AddedTokens(tokens, lambda text: text, parse_special).raw


def found(text: str, *tokens: AddedToken, parse_special: bool = False) -> list[tuple[int, str]]:
    parts = finder(*tokens, parse_special=parse_special).split(text)
    return [(part.id, text[part.start : part.end]) for part in parts]


def test_the_leftmost_is_found_first_and_of_those_that_start_together_the_longest() -> None:
    tokens = token("<a>", 1), token("<a><b>", 2), token("><", 3)
    assert found("x<a><b>y", *tokens) == [(TEXT, "x"), (2, "<a><b>"), (TEXT, "y")]
    assert found("<a><a>", *tokens) == [(1, "<a>"), (1, "<a>")]


def test_a_text_without_any_token_is_one_part_and_an_empty_one_none() -> None:
    assert finder(token("<a>", 1)).split("<b> <a") == [Part(TEXT, 0, 6)]
    assert finder(token("<a>", 1)).split("") == []
    assert finder().split("<a>") == [Part(TEXT, 0, 3)]


def test_a_special_token_is_text_unless_parsed_and_yet_hides_what_overlaps_it() -> None:
    tokens = token("[SEP]", 1, special=True), token("P]x", 2)
    assert found("[SEP]x P]x", *tokens) == [(TEXT, "[SEP]x "), (2, "P]x")]
    assert found("[SEP]x", *tokens, parse_special=True) == [(1, "[SEP]"), (TEXT, "x")]


def test_with_special_tokens_only_nothing_is_even_looked_for() -> None:
    assert finder(token("[SEP]", 1, special=True)).beginning is None


def test_stripping_takes_white_space_of_every_kind_along_but_only_that() -> None:
    assert found("a \u3000\t<m>\x85\u2028b\x1c", token("<m>", 1, lstrip=True, rstrip=True)) == [
        (TEXT, "a"),
        (1, " \u3000\t<m>\x85\u2028"),
        (TEXT, "b\x1c"),  # to Python U+001C is white space, to the original it is not
    ]


def test_white_space_that_one_token_took_is_not_taken_by_the_next() -> None:
    assert found("<m>  <m>", token("<m>", 1, lstrip=True, rstrip=True)) == [(1, "<m>  "), (1, "<m>")]


def test_a_single_word_has_no_word_character_beside_it() -> None:
    on = token("on", 1, single_word=True)
    assert found("on-on", on) == [(1, "on"), (TEXT, "-"), (1, "on")]
    for text in ("only", "icon", "on_", "1on", "on\u0301", "\u4e2don"):
        assert found(text, on) == [(TEXT, text)]


def test_tokens_that_are_nothing_or_the_same_once_normalized_are_refused() -> None:
    with pytest.raises(UnsupportedTokenizer, match="'A' is nothing once normalized"):
        AddedTokens([token("A", 1, normalized=True)], lambda text: "", False)
    with pytest.raises(UnsupportedTokenizer, match="'A' and 'a' are the same"):
        AddedTokens([token("A", 1, normalized=True), token("a", 2, normalized=True)], str.lower, False)


def test_normalized_tokens_are_looked_for_in_their_normalized_form() -> None:
    added = AddedTokens([token("Lamp", 1, normalized=True), token("Lamp!", 2)], str.lower, False)
    assert added.raw.split("lamp Lamp! Lamp") == [Part(TEXT, 0, 5), Part(2, 5, 10), Part(TEXT, 10, 15)]
    assert added.normalized.split("lamp Lamp") == [Part(1, 0, 4), Part(TEXT, 4, 9)]


@pytest.mark.parametrize("seed", range(80))
def test_any_tokens_with_any_flags_are_found_where_the_peer_finds_them(seed: int) -> None:
    pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    from tests.edge_runtime.tokenizer.families.comparison import encoding_of, peer_of

    rng = random.Random(seed)
    contents = {"".join(rng.choices(ALPHABET, k=rng.randint(1, 4))) for _ in range(rng.choice((1, 3, 10, 40)))}
    tokens = [
        AddedToken(content, at, *(rng.random() < 0.35 for _ in range(5)))
        for at, content in enumerate(sorted(contents), 1)
    ]
    parse_special = rng.random() < 0.5
    peer, added = peer_of(_document(tokens), parse_special), AddedTokens(tokens, lambda text: text, parse_special)
    for _ in range(40):
        text = "".join(rng.choice((*ALPHABET, *contents)) for _ in range(rng.randint(0, 15)))
        theirs = encoding_of(peer, text)
        if theirs is None:  # white space that two tokens want: the original panics, ours drops the second
            continue
        ours = [part for raw in added.raw.split(text) for part in _second_pass(added, raw, text)]
        assert [(max(part.id, 0), (part.start, part.end)) for part in ours] == list(
            zip(theirs.ids, theirs.offsets, strict=True)
        ), (text, tokens)


def _second_pass(added: AddedTokens, part: Part, text: str) -> Sequence[Part]:
    if part.id != TEXT:
        return [part]
    parts = added.normalized.split(text[part.start : part.end])
    return [Part(inner.id, part.start + inner.start, part.start + inner.end) for inner in parts]


def _document(tokens: Sequence[AddedToken]) -> dict[str, Any]:
    """Give a file whose model makes one unknown token, id 0, of any text between added tokens."""
    none = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    return {
        "version": "1.0",
        **none,
        "added_tokens": [vars(added) for added in tokens],
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
    }


THOUSANDS = [
    *(f"<unused{number}>" for number in range(6200)),
    *("\n" * count for count in range(2, 32)),
    *("\u2581" * count for count in range(2, 32)),
    *(" " * count for count in range(2, 25)),
    *("<h1>", "</h1>", "<start_of_turn>", "[multimodal]"),
]


def test_thousands_of_tokens_cost_a_sentence_without_any_next_to_nothing() -> None:
    few, many = finder(token("<h1>", 1)), finder(*(token(content, at) for at, content in enumerate(THOUSANDS)))
    sentence = "Please turn the lights in the kitchen on, and set the lamp to fifty (%)."
    assert many.split(sentence) == [Part(TEXT, 0, len(sentence))]
    assert _seconds(many, [sentence] * 5000) < 20 * _seconds(few, [sentence] * 5000)


@pytest.mark.parametrize("unit", ["\n", " ", "\u2581", "<", "<unused", "<unused12>", "\n<", " \n"])
def test_a_megabyte_of_beginnings_of_tokens_takes_linear_time(unit: str) -> None:
    tokens = [token(content, at, lstrip=True, rstrip=at % 2 == 0) for at, content in enumerate(THOUSANDS)]
    assert _seconds(finder(*tokens), [unit * (1_000_000 // len(unit))]) < 3.0


def _seconds(ours: TokenFinder, texts: Sequence[str]) -> float:
    start = time.thread_time()  # other programs on the machine do not count
    for text in texts:
        ours.split(text)
    return time.thread_time() - start
