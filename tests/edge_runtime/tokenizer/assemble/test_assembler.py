"""Truncation, pairs, overflow, templates and padding are those of Hugging Face `tokenizers`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.errors import BadRequest, InputTooLong
from edge_runtime.tokenizer.encoding import CUT, REFUSE, Encoded, Padding, Truncation
from tests.edge_runtime.tokenizer.assemble.word_peer import (
    BERT,
    NONE,
    PAD_ID,
    ROBERTA,
    Call,
    random_call,
    random_post_processor,
    template_processing,
    tokens_of,
)

LONG = "a b c d e f g h"


def compare(ours: Encoded, theirs: list[list[Any]], offsets: bool) -> None:
    """Fail unless every array is equal, and rows belong to the same texts."""
    rows = [row for some in theirs for row in some]
    assert ours.input_ids.tolist() == [row.ids for row in rows]
    assert ours.attention_mask.tolist() == [row.attention_mask for row in rows]
    assert ours.token_type_ids.tolist() == [row.type_ids for row in rows]
    assert {array.dtype for array in ours[:3]} == {np.dtype(np.int64)}
    if offsets:
        assert ours.offsets is not None
        assert ours.special_tokens_mask is not None
        assert [[*map(tuple, row)] for row in ours.offsets.tolist()] == [row.offsets for row in rows]
        assert ours.special_tokens_mask.tolist() == [row.special_tokens_mask for row in rows]
    owners = tuple(index for index, some in enumerate(theirs) for _ in some)
    assert ours.texts == (owners if len(rows) > len(theirs) else None)


@pytest.mark.parametrize("seed", range(40))
def test_any_call_gives_the_rows_of_the_peer_or_is_refused_as_there(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        processor, call = random_post_processor(rng), random_call(rng)
        specials = processor.template.added_to_pair if call.pairs else processor.template.added
        added = specials if call.special_tokens else 0
        if call.max_tokens is not None and call.max_tokens < added:  # there this is a panic or no limit at all
            with pytest.raises(InputTooLong):
                call.ours(processor)
            continue
        try:
            theirs = call.theirs(processor)
        except ValueError as error:
            if "effective max length" not in str(error):  # the peer counts special tokens that are not asked for
                with pytest.raises((BadRequest, InputTooLong)):
                    call.ours(processor)
            continue
        longest = max(sum(row.attention_mask) for some in theirs for row in some)
        if call.max_tokens is not None and longest > call.max_tokens:  # a limit that the peer does not keep
            with pytest.raises((BadRequest, InputTooLong)):
                call.ours(processor)
        elif call.truncation.overflow and call.max_tokens and call.truncation.stride >= call.max_tokens - added > 0:
            with pytest.raises(BadRequest):
                call.ours(processor)
        else:
            compare(call.ours(processor), theirs, call.offsets)


@pytest.mark.parametrize("processor", [NONE, BERT, ROBERTA], ids=["none", "bert", "roberta"])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("lengths", [(8, 8), (3, 8), (8, 3), (7, 8), (2, 8)])
def test_overflow_of_a_pair_has_every_combination_of_parts_in_the_order_of_the_peer(
    processor: Any, side: Any, lengths: tuple[int, int]
) -> None:
    first, second = (["a", "b", "c", "d", "e", "f", "g", "h"][:length] for length in lengths)
    truncation = Truncation(side=side, stride=1, overflow=True)
    call = Call([" ".join(first)], [" ".join(second)], 9, truncation)
    theirs = call.theirs(processor)
    assert len(theirs[0]) > 1
    compare(call.ours(processor), theirs, offsets=True)


@pytest.mark.parametrize("max_tokens", range(3, 20))
def test_longest_first_shares_the_room_as_the_peer_does(max_tokens: int) -> None:
    for first in ("", "a", "a b c", LONG):
        for second in ("", "b", "b c d", LONG):
            call = Call([first], [second], max_tokens)
            compare(call.ours(BERT), call.theirs(BERT), offsets=True)


def test_a_text_may_be_exactly_as_long_as_the_limit() -> None:
    encoded = Call([LONG], max_tokens=10, truncation=REFUSE).ours(BERT)
    assert encoded.input_ids.shape == (1, 10)
    assert encoded.truncated == (False,)


def test_a_text_that_is_too_long_is_refused_with_its_number_of_ids() -> None:
    with pytest.raises(InputTooLong) as refused:
        Call(["a", LONG, LONG + " i"], max_tokens=9, truncation=REFUSE).ours(BERT)
    assert (refused.value.found, refused.value.limit) in {(10, 9), (11, 9)}


def test_the_special_tokens_alone_may_be_too_many() -> None:
    with pytest.raises(InputTooLong) as refused:
        Call([""], max_tokens=1).ours(BERT)
    assert (refused.value.found, refused.value.limit) == (2, 1)


def test_truncated_says_which_rows_lost_tokens() -> None:
    assert Call(["a", LONG, "b"], max_tokens=6).ours(BERT).truncated == (False, True, False)
    assert Call(["a", "a"], [LONG, "b"], max_tokens=6).ours(BERT).truncated == (True, False)


def test_with_overflow_nothing_is_lost() -> None:
    encoded = Call(["a", LONG], max_tokens=6, truncation=Truncation(overflow=True)).ours(BERT)
    assert encoded.truncated == (False, False, False)
    assert encoded.texts == (0, 1, 1)


@pytest.mark.parametrize("stride", [-1, 4, 5])
def test_a_stride_that_a_part_cannot_have_is_refused(stride: int) -> None:
    with pytest.raises(BadRequest, match=f"stride is {stride}"):
        Call(["a"], max_tokens=6, truncation=Truncation(stride=stride, overflow=True)).ours(BERT)


def test_overflow_without_room_for_a_single_token_is_refused() -> None:
    with pytest.raises(InputTooLong):
        Call(["a"], max_tokens=2, truncation=Truncation(overflow=True)).ours(BERT)


def test_a_template_with_a_text_twice_cannot_exceed_the_limit() -> None:
    twice = template_processing("<s> $A </s> $A", "$A $B")
    with pytest.raises(InputTooLong):
        Call([LONG], max_tokens=9, truncation=CUT).ours(twice)


def test_pairs_of_another_number_than_texts_are_refused() -> None:
    with pytest.raises(BadRequest, match="2 texts have 1 second texts"):
        BERT.assembler().assemble(tokens_of(["a", "b"]), tokens_of(["c"]))


@pytest.mark.parametrize("offsets", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
def test_no_text_gives_arrays_without_rows(offsets: bool, side: Any) -> None:
    for pairs in (None, tokens_of([])):
        encoded = BERT.assembler().assemble(
            tokens_of([]), pairs, offsets=offsets, padding=Padding(7, 8, side), max_tokens=4, truncate=True
        )
        assert {array.shape for array in encoded[:3]} == {(0, 0)}
        assert encoded.truncated == ()
        assert (encoded.offsets is not None and encoded.offsets.shape == (0, 0, 2)) == offsets


def test_rows_wider_than_16_bit_columns_are_filled_as_others() -> None:
    text = " ".join("ab" * 20_000)
    encoded = Call([text, "c"], offsets=True).ours(BERT)
    assert encoded.input_ids.shape == (2, 40_002)
    assert encoded.input_ids[0].tolist() == [21, *[0, 1] * 20_000, 22]
    assert encoded.input_ids[1, :4].tolist() == [21, 2, 22, PAD_ID]
    assert encoded.offsets is not None
    assert encoded.offsets[0, 40_000].tolist() == [79_998, 79_999]
