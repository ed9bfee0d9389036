"""What the plain tokenizer promises by itself, on a vocabulary small enough to check by eye."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge_runtime.errors import BadRequest, InputTooLong
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import parse_spec
from edge_runtime.tokenizer.unicode import CharacterMap
from tests.edge_runtime.tokenizer.documents import BORDERS, added_token, plain_document

PIECES = ("the", "lamp", "##s", "la", "##mp", "[", "]", "sep", "'", "q", "##q", "caf", "##e", "\u03bf", "##\u03c3")
PAD, UNK, CLS, SEP, MASK = range(5)
ID = {piece: at for at, piece in enumerate(PIECES, start=5)}


def tokenizer(parse_special: bool = False) -> ReferenceTokenizer:
    return ReferenceTokenizer(parse_spec(plain_document(PIECES)), parse_special)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", []),
        (" \t\n\u3000", []),
        ("\x00\u200b\ufffd", []),
        ("The LAMPS", [ID["the"], ID["lamp"], ID["##s"]]),
        ("caf\u00e9 cafe\u0301", [ID["caf"], ID["##e"]] * 2),
        ("la\x85mp", [ID["lamp"]]),  # a deleted control character joins its neighbours
        ("la\u00admp", [ID["lamp"]]),
        ("la\u00a0mp", [ID["la"], UNK]),
        ("''", [ID["'"], ID["'"]]),
        ("lampx", [UNK]),  # one unknown part spoils the word
        ("q" * 100, [ID["q"], *[ID["##q"]] * 99]),
        ("q" * 101, [UNK]),
        ("\u039f\u03a3", [ID["\u03bf"], ID["##\u03c3"]]),  # no final sigma
        ("the\u4e00the", [ID["the"], UNK, ID["the"]]),
        ("the\u4dc0the", [UNK]),  # a hexagram is no Chinese character
    ],
)
def test_text_becomes_these_ids(text: str, ids: list[int]) -> None:
    assert tokenizer().encode(text) == [CLS, *ids, SEP]
    assert tokenizer().count(text) == len(ids) + 2


def test_a_special_token_written_in_a_text_is_plain_text_unless_asked_for() -> None:
    assert tokenizer().encode("the[SEP]") == [CLS, ID["the"], ID["["], ID["sep"], ID["]"], SEP]
    assert tokenizer(parse_special=True).encode("the[SEP]") == [CLS, ID["the"], SEP, SEP]
    assert tokenizer(parse_special=True).encode("the[sep]") == tokenizer().encode("the[sep]")


def test_an_added_token_may_take_the_space_around_it_along() -> None:
    document = plain_document(PIECES)
    document["added_tokens"] = [
        added_token("[MASK]", MASK, lstrip=True),
        added_token("s\u00e9p", ID["##\u03c3"] + 1, special=False, normalized=True, rstrip=True),
    ]
    parsing = ReferenceTokenizer(parse_spec(document), parse_special=True)
    assert parsing.encode("the \u3000[MASK] S\u00c9P  the") == [CLS, ID["the"], MASK, 20, ID["the"], SEP]
    plain = ReferenceTokenizer(parse_spec(document))
    assert plain.encode("[MASK] S\u00c9P") == [CLS, ID["["], UNK, ID["]"], 20, SEP]


@pytest.mark.parametrize("text", ["\ud800", "the \udfff lamp", "\ud83d\u2014\ude00"])
def test_half_of_a_surrogate_pair_is_one_clear_refusal(text: str) -> None:
    ours = tokenizer()
    for call in (ours.encode, ours.count, lambda text: ours.encode_batch(["the", text], 8)):
        with pytest.raises(BadRequest, match=r"half of a surrogate pair, U\+D"):
            call(text)


def test_a_batch_is_padded_to_its_longest_text() -> None:
    encoded = tokenizer().encode_batch(["the", "the lamps", ""], max_tokens=8)
    assert encoded.input_ids.tolist() == [
        [CLS, ID["the"], SEP, PAD, PAD],
        [CLS, ID["the"], ID["lamp"], ID["##s"], SEP],
        [CLS, SEP, PAD, PAD, PAD],
    ]
    assert encoded.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    assert not encoded.token_type_ids.any()
    assert encoded.truncated == (False, False, False)
    assert {array.dtype for array in (encoded.input_ids, encoded.attention_mask, encoded.token_type_ids)} == {
        np.dtype(np.int64)
    }


def test_no_text_gives_empty_arrays() -> None:
    encoded = tokenizer().encode_batch([], max_tokens=8)
    assert encoded.input_ids.shape == encoded.attention_mask.shape == encoded.token_type_ids.shape == (0, 0)
    assert encoded.truncated == ()


def test_a_text_over_the_limit_is_refused_with_both_numbers_or_cut_at_its_end() -> None:
    ours = tokenizer()
    assert ours.encode_batch(["the the the"], max_tokens=5).truncated == (False,)
    with pytest.raises(InputTooLong) as refusal:
        ours.encode_batch(["the", "the the the"], max_tokens=4)
    assert (refusal.value.found, refusal.value.limit) == (5, 4)
    encoded = ours.encode_batch(["the", "lamp the the"], max_tokens=4, truncate=True)
    assert encoded.input_ids.tolist() == [[CLS, ID["the"], SEP, PAD], [CLS, ID["lamp"], ID["the"], SEP]]
    assert encoded.truncated == (False, True)
    assert ours.encode_batch(["the"], max_tokens=2, truncate=True).input_ids.tolist() == [[CLS, SEP]]


def test_a_limit_below_the_special_tokens_is_refused_even_when_cutting() -> None:
    with pytest.raises(InputTooLong) as refusal:
        tokenizer().encode_batch([""], max_tokens=1, truncate=True)
    assert (refusal.value.found, refusal.value.limit) == (2, 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("q" * 300_000, id="one word"),
        pytest.param(" " * 300_000, id="spaces"),
        pytest.param("'" * 300_000, id="apostrophes"),
        pytest.param("\x00" * 300_000, id="NUL"),
        pytest.param(("q" * 100 + " ") * 3_000, id="words of the greatest length"),
        pytest.param("a" + "\u302f\u302e\u0301" * 100_000, id="one run of combining marks"),
        pytest.param("[SEP]" * 60_000, id="special tokens"),
        pytest.param("".join(map(chr, range(0x10000, 0x10000 + 100_000))), id="ever new characters"),
    ],
)
def test_300_000_characters_of_anything_take_seconds_not_hours(text: str) -> None:
    ours = tokenizer()
    start = time.thread_time()  # other programs on the machine do not count
    ours.count(text)
    assert time.thread_time() - start < 3.0


def test_threads_share_a_tokenizer_even_while_its_tables_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CharacterMap, "LIMIT", 8)
    texts = [BORDERS[at : at + 40] for at in range(len(BORDERS))]
    shared = tokenizer()
    expected = [shared.encode(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(shared.encode, texts * 4)) == expected * 4


def test_a_token_stands_for_all_characters_of_the_text_that_it_has_a_part_of() -> None:
    encoded = tokenizer(parse_special=True).encode_batch(["the\x00 CAFE\u0301[MASK]\u4e00x"], offsets=True)
    assert encoded.offsets is not None
    assert encoded.input_ids.tolist() == [[CLS, ID["the"], ID["caf"], ID["##e"], MASK, UNK, UNK, SEP]]
    assert encoded.offsets.tolist() == [
        [[0, 0], [0, 3], [5, 8], [8, 9], [10, 16], [16, 17], [17, 18], [0, 0]],
    ]


def test_pairs_have_the_second_text_in_the_second_place_of_the_template() -> None:
    encoded = tokenizer().encode_batch(["the"], pairs=["lamps"], offsets=True)
    assert encoded.input_ids.tolist() == [[CLS, ID["the"], SEP, ID["lamp"], ID["##s"], SEP]]
    assert encoded.token_type_ids.tolist() == [[0, 0, 0, 1, 1, 0]]


def test_what_was_encoded_is_decoded_at_once_and_as_a_stream() -> None:
    ours = tokenizer()
    ids = ours.encode("the lamps'")
    stream = ours.stream()
    assert ours.decode(ids) == "the lamps '"
    assert "".join(map(stream.step, ids)) + stream.finish() == "the lamps '"


def test_ids_and_tokens_of_texts_are_the_same_with_and_without_spans() -> None:
    ours, texts = tokenizer(parse_special=True), ["", "the [SEP]lamp", " ", "caf\u00e9"]
    plain, with_spans = ours.tokens(texts, spans=False), ours.tokens(texts, spans=True)
    assert plain.ids.tolist() == with_spans.ids.tolist() == [ID["the"], SEP, ID["lamp"], ID["caf"], ID["##e"]]
    assert plain.lengths.tolist() == with_spans.lengths.tolist() == [0, 3, 0, 2]
    assert plain.spans is None
    assert with_spans.spans is not None
    assert with_spans.spans.tolist() == [[0, 3], [4, 9], [9, 13], [0, 3], [3, 4]]
