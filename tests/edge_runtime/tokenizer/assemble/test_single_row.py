"""The cheap way for one text, and memory that is used again, give what the ordinary way gives."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import InputTooLong
from edge_runtime.tokenizer.assemble import Assembler, Buffers
from edge_runtime.tokenizer.encoding import Encoded, Padding, Tokens, Truncation
from edge_runtime.tokenizer.spec.kinds import Piece, Template

CLS, SEP, TEXT = Piece(None, (101,), 0), Piece(None, (102,), 0), Piece("A", (), 0)
BERT = Template((CLS, TEXT, SEP), (CLS, TEXT, SEP, Piece("B", (), 1), SEP))
TYPED = Template((Piece(None, (1, 2), 3), Piece("A", (), 4), Piece(None, (5,), 6)), (TEXT, Piece("B", (), 1)))
TWICE = Template((CLS, TEXT, SEP, TEXT), BERT.pair)
EMPTY = Template((CLS, SEP), BERT.pair)


def tokens(*rows: list[int]) -> Tokens:
    ids = [token_id for row in rows for token_id in row]
    return Tokens(np.array(ids, np.int32), np.array([len(row) for row in rows], np.int64))


def same(one: Encoded, other: Encoded) -> bool:
    return one.truncated == other.truncated and all(
        left.dtype == right.dtype and left.tolist() == right.tolist()
        for left, right in zip(one[:3], other[:3], strict=True)
    )


@pytest.mark.parametrize("template", [BERT, TYPED, TWICE, EMPTY], ids=["bert", "typed", "twice", "empty"])
@pytest.mark.parametrize("special_tokens", [True, False])
@pytest.mark.parametrize("length", [0, 1, 15, 4094, 4095, 5000])
def test_a_single_text_gives_what_a_batch_of_one_gives(template: Template, special_tokens: bool, length: int) -> None:
    ids = list(range(1000, 1000 + length))
    assembler = Assembler(template, pad_id=7)
    for _ in range(2):  # the second time from what the first one kept
        single = assembler.single(ids, special_tokens=special_tokens)
        assert same(single, assembler.assemble(tokens(ids), special_tokens=special_tokens))
        assert all(array.flags.c_contiguous for array in single[:3])


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("max_tokens", range(2, 9))
def test_a_single_text_is_cut_as_in_a_batch(side: str, max_tokens: int) -> None:
    ids, truncation = [1, 2, 3, 4, 5], Truncation(side=side)  # type: ignore[arg-type]
    assembler = Assembler(BERT)
    batch = assembler.assemble(tokens(ids), max_tokens=max_tokens, truncate=truncation)
    assert same(assembler.single(ids, max_tokens, truncation), batch)


@pytest.mark.parametrize("max_tokens", [0, 1, 4])
def test_a_single_text_that_is_too_long_is_refused(max_tokens: int) -> None:
    with pytest.raises(InputTooLong):
        Assembler(BERT).single([1, 2, 3], max_tokens)


def test_a_shared_mask_cannot_be_written_to() -> None:
    encoded = Assembler(BERT).single([1, 2, 3])
    for shared in (encoded.attention_mask, encoded.token_type_ids):
        with pytest.raises(ValueError, match="read-only"):
            shared[0, 0] = 5


def test_buffers_give_the_same_rows_whatever_was_in_them() -> None:
    assembler, buffers = Assembler(TYPED, pad_id=9, pad_type_id=8), Buffers()
    for rows in ([[1, 2], [3] * 9], [[4]], [[5] * 30, [], [6]], [[7, 7, 7]]):
        for padding in (Padding(), Padding(side="left"), Padding(to=40)):
            reused = assembler.assemble(tokens(*rows), padding=padding, buffers=buffers)
            assert same(reused, assembler.assemble(tokens(*rows), padding=padding))
            assert all(array.flags.c_contiguous for array in reused[:3])


def test_buffers_are_used_again_and_fresh_arrays_are_not() -> None:
    assembler, buffers = Assembler(BERT), Buffers()
    first = assembler.assemble(tokens([1, 2]), buffers=buffers).input_ids
    second = assembler.assemble(tokens([3, 4]), buffers=buffers).input_ids
    assert np.shares_memory(first, second)
    assert first.tolist() == [[101, 3, 4, 102]]
    fresh = assembler.assemble(tokens([1, 2])).input_ids
    assert not np.shares_memory(fresh, assembler.assemble(tokens([3, 4])).input_ids)
