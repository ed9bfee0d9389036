"""The strict reader of tokenizer.json: what it takes, and that everything else is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.spec import Piece, parse_spec, read_spec
from tests.edge_runtime.tokenizer.documents import added_token, plain_document

Document = dict[str, Any]


def put(*path_and_value: Any) -> Callable[[Document], None]:
    """Make a change that sets one value deep inside a document."""
    *path, last, value = path_and_value

    def change(document: Document) -> None:
        inner: Any = document
        for key in path:
            inner = inner[key]
        inner[last] = value

    return change


def drop(*path: str) -> Callable[[Document], None]:
    """Make a change that takes one key away."""

    def change(document: Document) -> None:
        inner: Any = document
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("version", "2.0"), "version 2.0"),
        (put("version", 1), "version 1"),
        (drop("version"), "lacks 'version'"),
        (put("chat_template", ""), "'chat_template'"),
        (put("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": False}), "pre_tokenizer ByteLevel"),
        (put("pre_tokenizer", {"type": "Sequence", "pretokenizers": []}), "pre_tokenizer Sequence"),
        (put("pre_tokenizer", None), "pre_tokenizer None"),
        (put("pre_tokenizer", "split_digits", True), "pre_tokenizer key 'split_digits'"),
        (put("normalizer", {"type": "NFC"}), "normalizer NFC"),
        (put("normalizer", None), "normalizer None"),
        (put("normalizer", "uppercase", True), "normalizer key 'uppercase'"),
        (put("normalizer", "lowercase", 1), "normalizer lowercase 1"),
        (put("normalizer", "strip_accents", "no"), "normalizer strip_accents 'no'"),
        (drop("normalizer", "clean_text"), "normalizer lacks 'clean_text'"),
        (put("model", "type", "BPE"), "model BPE"),
        (drop("model", "type"), "model lacks 'type'"),
        (put("model", "dropout", 0.1), "model key 'dropout'"),
        (put("model", "unk_token", "<unk>"), "'<unk>'"),
        (put("model", "unk_token", None), "model unk_token None"),
        (put("model", "max_input_chars_per_word", -1), "max_input_chars_per_word -1"),
        (put("model", "max_input_chars_per_word", 2.5), "max_input_chars_per_word 2.5"),
        (put("model", "vocab", []), "vocab []"),
        (put("model", "vocab", "the", "7"), "vocab 'the' '7'"),
        (put("model", "vocab", "the", True), "vocab 'the' True"),
        (put("model", "vocab", "the", 2**32), "vocab 'the' 4294967296"),
        (put("model", "vocab", "\ud800", 9), "vocab"),
        (put("decoder", {"type": "ByteLevel"}), "decoder ByteLevel"),
        (put("decoder", "fuse", True), "decoder key 'fuse'"),
        (put("post_processor", {"type": "RobertaProcessing"}), "post_processor RobertaProcessing"),
        (put("post_processor", {"type": "BertProcessing", "cls": ["[CLS]"], "sep": ["[SEP]", 3]}), "cls has 1 items"),
        (put("post_processor", {"type": "BertProcessing", "cls": ["[CLS]", 2]}), "lacks 'sep'"),
        (put("post_processor", "special_tokens", {}), "'[CLS]'"),
        (put("post_processor", "special_tokens", "[CLS]", "ids", ["2"]), "special token '[CLS]' id '2'"),
        (put("post_processor", "single", []), "template single"),
        (put("post_processor", "single", [{"Sequence": {"id": "A", "type_id": 0}}] * 2), "template single"),
        (put("post_processor", "single", [{"Sequence": {"id": "B", "type_id": 0}}]), "template single"),
        (put("post_processor", "single", ["[CLS]"]), "template single piece '[CLS]'"),
        (put("post_processor", "pair", [{"Sequence": {"id": "C", "type_id": 0}}]), "template pair piece 'C'"),
        (put("post_processor", "pair", [{"Token": {}}]), "template pair piece lacks 'Sequence'"),
        (put("added_tokens", None), "added_tokens None"),
        (put("added_tokens", [added_token("[SEP]", 3, single_word=True)]), "'[SEP]' has single_word"),
        (put("added_tokens", [added_token("", 3)]), "empty"),
        (put("added_tokens", [added_token("[SEP]", 4)]), "'[SEP]' has id 4"),
        (put("added_tokens", [added_token("<new>", 9)]), "'<new>' has id 9"),
        (put("added_tokens", [added_token("<new>", 6), added_token("<new>", 7)]), "'<new>' is listed twice"),
        (put("added_tokens", [{**added_token("[SEP]", 3), "score": 0.5}]), "added token key 'score'"),
        (put("padding", {"pad_id": "0", "pad_type_id": 0}), "padding pad_id '0'"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(change: Callable[[Document], None], named: str) -> None:
    document = plain_document(["the"])
    change(document)
    with pytest.raises(UnsupportedTokenizer) as refusal:
        parse_spec(document)
    assert named in str(refusal.value)


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        ([added_token("Sep", 6, normalized=True), added_token("SEP", 7, normalized=True)], "'Sep' and 'SEP'"),
        ([added_token("\u0301", 6, normalized=True)], "nothing once normalized"),
    ],
)
def test_added_tokens_that_normalization_makes_ambiguous_are_refused(
    tmp_path: Path, tokens: list[Document], named: str
) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps({**plain_document(["the"]), "added_tokens": tokens}))
    with pytest.raises(UnsupportedTokenizer, match=named):
        open_tokenizer(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "not UTF-8 JSON"),
        (b"{", "not UTF-8 JSON"),
        (b"[]", "expects an object"),
        (b"\xff\xfe{}", "not UTF-8 JSON"),
        (b"\xef\xbb\xbf{}", "not UTF-8 JSON"),
        (b"[" * 200_000, "not UTF-8 JSON"),
        (b'{"version": "1.0", "version": "1.0"}', "'version' stands twice"),
    ],
)
def test_a_file_that_is_no_clean_json_object_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UnsupportedTokenizer, match=named):
        read_spec(path)


def test_a_missing_file_and_a_giant_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedTokenizer, match="cannot be read"):
        read_spec(tmp_path / "tokenizer.json")
    with pytest.raises(UnsupportedTokenizer, match="cannot be read"):
        read_spec(tmp_path)
    with (tmp_path / "giant.json").open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room, and is never read whole
    with pytest.raises(UnsupportedTokenizer, match="larger than"):
        read_spec(tmp_path / "giant.json")


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False, None])
def test_null_strip_accents_follows_lowercase(lowercase: bool, strip_accents: bool | None) -> None:
    document = plain_document()
    document["normalizer"] |= {"lowercase": lowercase, "strip_accents": strip_accents}
    assert parse_spec(document).normalizer.strip_accents == (lowercase if strip_accents is None else strip_accents)


def test_pairs_are_read_even_though_only_single_texts_are_encoded_yet() -> None:
    document = plain_document()
    written = parse_spec(document).template
    document["post_processor"] = {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]}
    bert = parse_spec(document).template
    assert written.single == bert.single == (Piece(None, (2,), 0), Piece("A", (), 0), Piece(None, (3,), 0))
    assert bert.pair == (*bert.single, Piece("B", (), 1), Piece(None, (3,), 1))
    assert [piece.sequence for piece in written.pair] == [piece.sequence for piece in bert.pair]


def test_vocab_size_covers_gaps_and_every_id_that_can_come_out() -> None:
    document = plain_document(["the"])
    assert parse_spec(document).vocab_size == 6
    document["model"]["vocab"]["the"] = 40
    assert parse_spec(document).vocab_size == 41
    document["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [99]
    assert parse_spec(document).vocab_size == 100


def test_length_and_side_in_the_file_are_not_followed_but_its_pad_id_is(tmp_path: Path) -> None:
    document = plain_document(["the"])
    document["truncation"] = {"direction": "Left", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    document["padding"] = {"strategy": {"Fixed": 128}, "direction": "Left", "pad_id": 4, "pad_type_id": 1}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(document))
    encoded = open_tokenizer(path).encode_batch(["the the", "the"], max_tokens=8)
    assert encoded.input_ids.tolist() == [[2, 5, 5, 3], [2, 5, 3, 4]]
    assert encoded.token_type_ids.tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]
