"""The `model` of a file: what each kind is read as, what old files may leave out, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edge_runtime.tokenizer.spec import kinds, load_document, parse_spec
from edge_runtime.tokenizer.spec.merges import Merges
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of

VOCAB = {"a": 0, "b": 1, "ab": 2, "##b": 3, "a##b": 4}
PREFIXED = {"a": 7, "##b": 3, "##c": 4, "ab": 2, "abc": 5}
BPE = {"type": "BPE", "vocab": VOCAB, "merges": ["a b"]}
UNIGRAM = {"type": "Unigram", "vocab": [["a", -1.5], ["b", -2]]}
WORD_PIECE = {
    "type": "WordPiece",
    "unk_token": "a",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
    "vocab": VOCAB,
}
WORD_LEVEL = {"type": "WordLevel", "unk_token": "b", "vocab": VOCAB}


def document_of(model: object) -> dict[str, Any]:
    """Give a document with this model and nothing that depends on its ids."""
    return {**plain_document(), "model": model, "added_tokens": []}


def model_of(model: object) -> kinds.Model:
    """Read a model."""
    return parse_spec(document_of(model)).model


def merges_of(model: object) -> list[tuple[str, str]]:
    """Read the merges of a BPE model."""
    read = model_of(model)
    assert isinstance(read, kinds.BPE)
    return list(read.merges)


def test_word_piece_and_word_level_are_read() -> None:
    assert model_of(WORD_PIECE) == kinds.WordPiece(VOCAB, "a", "##", 100)
    assert model_of(WORD_LEVEL) == kinds.WordLevel(VOCAB, "b")


def test_a_token_for_the_unknown_need_not_be_there_until_it_is_needed() -> None:
    assert model_of({**WORD_PIECE, "unk_token": "<unk>"}) == kinds.WordPiece(VOCAB, "<unk>", "##", 100)
    assert model_of({**WORD_LEVEL, "unk_token": "<unk>"}) == kinds.WordLevel(VOCAB, "<unk>")
    assert model_of({**BPE, "unk_token": "<unk>"}).unk_token == "<unk>"  # type: ignore[union-attr]


def test_unigram_is_read() -> None:
    assert model_of(UNIGRAM) == kinds.Unigram([("a", -1.5), ("b", -2.0)], None, False)
    assert model_of({**UNIGRAM, "unk_id": 1, "byte_fallback": True}) == kinds.Unigram(
        [("a", -1.5), ("b", -2.0)], 1, True
    )
    assert model_of({**UNIGRAM, "vocab": []}) == kinds.Unigram([], None, False)


def test_a_unigram_piece_may_stand_twice() -> None:
    model = model_of({**UNIGRAM, "vocab": [["a", 0.0], ["b", 0.0], ["a", -1.0]]})
    assert model == kinds.Unigram([("a", 0.0), ("b", 0.0), ("a", -1.0)], None, False)


def test_what_a_bpe_model_may_leave_out_or_set_to_null() -> None:
    options = ("unk_token", "continuing_subword_prefix", "end_of_word_suffix")
    flags = ("fuse_unk", "byte_fallback", "ignore_merges")
    short = model_of(BPE)
    assert short == kinds.BPE(VOCAB, short.merges, None, None, None, False, False, False)  # type: ignore[union-attr]
    assert model_of({**BPE, **dict.fromkeys((*options, *flags, "dropout"))}) == short
    assert model_of({**BPE, "dropout": 0.0}) == model_of({**BPE, "dropout": 0}) == short
    full = model_of({**BPE, **dict.fromkeys(options, ""), **dict.fromkeys(flags, True)})
    assert full == kinds.BPE(VOCAB, short.merges, "", "", "", True, True, True)


@pytest.mark.parametrize("pairs", [[], [("a", "b")], [("a", "b"), ("a", "##b"), ("a", "b")]])
def test_merges_of_old_and_new_files_are_the_same(pairs: list[tuple[str, str]]) -> None:
    old = {**BPE, "merges": [f"{left} {right}" for left, right in pairs]}
    assert merges_of(old) == merges_of({**BPE, "merges": [list(pair) for pair in pairs]}) == pairs


def test_lines_of_old_merges_that_say_a_version_are_no_merges() -> None:
    assert merges_of({**BPE, "merges": ["#version: 0.2", "a b", "#version x y z"]}) == [("a", "b")]
    assert merges_of({**BPE, "merges": ["#version: 0.2"]}) == []
    vocab = {"#version": 0, "b": 1, "#versionb": 2}
    assert merges_of({**BPE, "vocab": vocab, "merges": [["#version", "b"]]}) == [("#version", "b")]


def test_merges_may_hold_line_breaks_and_in_new_files_spaces() -> None:
    vocab = {"\n": 0, "\n\n": 1, " ": 2, "  ": 3}
    assert merges_of({**BPE, "vocab": vocab, "merges": ["\n \n"]}) == [("\n", "\n")]
    assert merges_of({**BPE, "vocab": vocab, "merges": [[" ", " "]]}) == [(" ", " ")]


def test_merges_know_the_ids_of_their_pieces_and_of_what_they_make() -> None:
    prefixed = model_of({**BPE, "continuing_subword_prefix": "##", "merges": ["a ##b", "ab ##c"], "vocab": PREFIXED})
    plain = model_of({**BPE, "merges": ["a ##b", "a b"]})
    for model, ids in ((prefixed, [[7, 2], [3, 4], [2, 5]]), (plain, [[0, 0], [3, 1], [4, 2]])):
        assert isinstance(model, kinds.BPE)
        assert isinstance(model.merges, Merges)
        assert model.merges.ids.dtype == np.int32
        assert model.merges.ids.tolist() == ids


@pytest.mark.parametrize(
    ("model", "kind"),
    [(BPE, kinds.BPE), (UNIGRAM, kinds.Unigram), (WORD_PIECE, kinds.WordPiece), (WORD_LEVEL, kinds.WordLevel)],
)
def test_a_model_without_type_is_known_by_its_keys(model: dict[str, Any], kind: type[kinds.Model]) -> None:
    typeless = {key: value for key, value in model.items() if key != "type"}
    assert isinstance(model_of(typeless), kind)
    assert model_of(typeless) == model_of(model)
    assert f"model without type (by its keys a {model['type']}) key 'size'" in refusal_of(
        document_of({**typeless, "size": 1})
    )


def test_scores_are_those_of_the_original_not_the_nearest_ones() -> None:
    text = "-12.694054231308167"
    nearest, theirs = float(text), 12694054231308167 / 1e15
    assert nearest != -theirs
    raw = json.dumps(document_of({**UNIGRAM, "vocab": [["a", 0]]})).replace(
        '["a", 0]', f'["a", {text}], ["b", {2**70}]'
    )
    model = parse_spec(load_document(raw.encode())).model
    assert model == kinds.Unigram([("a", -theirs), ("b", float(2**70))], None, False)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ({**BPE, "type": "CharBPE"}, "model CharBPE is not supported: edgert reads BPE, Unigram, WordPiece, WordLevel"),
        ({**BPE, "dropout": 0.1}, "model BPE dropout 0.1"),
        ({**BPE, "dropout": False}, "model BPE dropout False"),
        ({**BPE, "cache_capacity": 1}, "model BPE key 'cache_capacity'"),
        ({**BPE, "fuse_unk": 1}, "model BPE fuse_unk 1"),
        ({**BPE, "unk_token": 1}, "model BPE unk_token 1"),
        ({**BPE, "merges": None}, "merges None"),
        ({**BPE, "merges": ["a b", ["a", "b"]]}, "merges is not supported"),
        ({**BPE, "merges": [1]}, "merges is not supported"),
        ({**BPE, "merges": ["a b c", "a"]}, "merges 'a b c'"),
        ({**BPE, "merges": ["a"]}, "merges 'a'"),
        ({**BPE, "merges": ["a b", ""]}, "merges ''"),
        ({**BPE, "merges": ["a ", " b"]}, "merges 'a '"),
        ({**BPE, "merges": [["a", "b", "c"]]}, "merges ['a', 'b', 'c']"),
        ({**BPE, "merges": [["a", 1]]}, "merges 1"),
        ({**BPE, "merges": ["a b", "b a"]}, "merge 'b' 'a' needs 'ba', which is not in the vocabulary"),
        ({**BPE, "merges": ["a c"]}, "merge 'a' 'c' needs 'c', which is not in the vocabulary"),
        ({**BPE, "merges": [["c", "a"]]}, "merge 'c' 'a' needs 'c', which is not in the vocabulary"),
        ({**BPE, "continuing_subword_prefix": "##"}, "a second piece shorter than continuing_subword_prefix '##'"),
        ({**BPE, "vocab": {**VOCAB, "é": 9}, "merges": ["a é"], "continuing_subword_prefix": "#"}, r"needs 'a\udca9'"),
        ({key: value for key, value in BPE.items() if key != "merges"}, "model BPE lacks 'merges'"),
        ({**WORD_LEVEL, "vocab": []}, "vocab []"),
        ({**WORD_LEVEL, "vocab": {"a": "7"}}, "vocab 'a' '7'"),
        ({**WORD_LEVEL, "vocab": {"a": True}}, "vocab 'a' True"),
        ({**WORD_LEVEL, "vocab": {"a": 2.0}}, "vocab 'a' 2.0"),
        ({**WORD_LEVEL, "vocab": {"a": -1}}, "vocab 'a' -1"),
        ({**WORD_LEVEL, "vocab": {"a": 2**31}}, "vocab 'a' 2147483648"),
        ({**WORD_LEVEL, "vocab": {"\ud800": 1}}, r"vocab '\ud800'"),
        ({**WORD_LEVEL, "vocab": {"a": 1, "b": 2, "c": 1}}, "'a' and 'c' have the same id, 1"),
        ({**WORD_LEVEL, "unk_token": None}, "model WordLevel unk_token None"),
        ({"vocab": VOCAB}, "lacks 'unk_token'"),
        ({**WORD_PIECE, "max_input_chars_per_word": -1}, "max_input_chars_per_word -1"),
        ({**WORD_PIECE, "max_input_chars_per_word": 2.5}, "max_input_chars_per_word 2.5"),
        ({**WORD_PIECE, "continuing_subword_prefix": None}, "continuing_subword_prefix None"),
        ({**UNIGRAM, "vocab": VOCAB}, "vocab {"),
        ({**UNIGRAM, "vocab": ["a"]}, "vocab 'a'"),
        ({**UNIGRAM, "vocab": [["a"]]}, "vocab ['a']"),
        ({**UNIGRAM, "vocab": [["a", "1"]]}, "vocab '1'"),
        ({**UNIGRAM, "vocab": [["a", True]]}, "vocab True"),
        ({**UNIGRAM, "vocab": [[1, 1.0]]}, "vocab 1"),
        ({**UNIGRAM, "vocab": [["\udfff", 1.0]]}, r"vocab '\udfff'"),
        ({**UNIGRAM, "vocab": [["a", 10**400]]}, "score that is too large"),
        ({**UNIGRAM, "unk_id": 2}, "unk_id 2 is outside the vocabulary of 2 pieces"),
        ({**UNIGRAM, "unk_id": -1}, "model Unigram unk_id -1"),
        ({**UNIGRAM, "unk_id": "a"}, "model Unigram unk_id 'a'"),
        ({**UNIGRAM, "byte_fallback": None}, "model Unigram byte_fallback None"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(model: object, named: str) -> None:
    assert named in refusal_of(document_of(model))
