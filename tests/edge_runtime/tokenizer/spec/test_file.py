"""The file as a whole: JSON as the original reads it, its version, and the sections that are not followed."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import load_document, parse_spec, read_spec
from tests.edge_runtime.tokenizer.documents import added_token, plain_document
from tests.edge_runtime.tokenizer.spec.changes import Change, drop, put, refusal_of, spec_of

PADDING = {
    "strategy": "BatchLongest",
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 4,
    "pad_type_id": 1,
    "pad_token": "[PAD]",
}
TRUNCATION = {"direction": "Left", "max_length": 3, "strategy": "LongestFirst", "stride": 0}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("version", "2.0"), "version 2.0"),
        (put("version", 1), "version 1"),
        (put("version", None), "version None"),
        (put("chat_template", ""), "'chat_template'"),
        (drop("model"), "lacks 'model'"),
        (put("model", None), "model None"),
        (put("padding", {**PADDING, "pad_id": "0"}), "padding pad_id '0'"),
        (put("padding", {**PADDING, "pad_id": 2**31}), "padding pad_id 2147483648"),
        (put("padding", {**PADDING, "pad_type_id": -1}), "padding pad_type_id -1"),
        (put("padding", {**PADDING, "strategy": "Longest"}), "padding strategy 'Longest'"),
        (put("padding", {**PADDING, "strategy": {"Fixed": -1}}), "padding strategy Fixed -1"),
        (put("padding", {**PADDING, "strategy": {"Fixed": 1, "Most": 2}}), "padding strategy key 'Most'"),
        (put("padding", {**PADDING, "direction": "Both"}), "padding direction 'Both'"),
        (put("padding", {**PADDING, "pad_to_multiple_of": 0.5}), "padding pad_to_multiple_of 0.5"),
        (put("padding", {**PADDING, "pad_token": None}), "padding pad_token None"),
        (put("padding", {**PADDING, "side": "Left"}), "padding key 'side'"),
        (put("padding", []), "padding []"),
        (put("truncation", {**TRUNCATION, "max_length": 2**64}), "truncation max_length 18446744073709551616"),
        (put("truncation", {**TRUNCATION, "stride": None}), "truncation stride None"),
        (put("truncation", {**TRUNCATION, "strategy": "Longest"}), "truncation strategy 'Longest'"),
        (put("truncation", {**TRUNCATION, "direction": None}), "truncation direction None"),
        (put("truncation", {**TRUNCATION, "side": "Left"}), "truncation key 'side'"),
        (put("truncation", 512), "truncation 512"),
    ],
)
def test_what_a_file_may_not_say_is_refused_by_name(change: Change, named: str) -> None:
    document = plain_document(["the"])
    change(document)
    assert named in refusal_of(document)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "tokenizer.json is not UTF-8 JSON"),
        (b"{", "not UTF-8 JSON"),
        (b"[]", "expects an object"),
        (b"\xff\xfe{}", "not UTF-8 JSON"),
        (b"\xef\xbb\xbf{}", "not UTF-8 JSON"),
        (b"[" * 200_000, "not UTF-8 JSON"),
        (b"[NaN]", "NaN is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b"[1e999]", "too large"),
        (b"[" + b"1" * 5_000 + b"]", "not UTF-8 JSON"),
        (b'{"version": "1.0", "version": "1.0"}', "'version' stands twice"),
        (b'{"model": {"vocab": {"a": 0, "b": 1, "a": 2}}}', "'a' stands twice"),
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


def test_sections_that_are_null_may_be_absent_as_well() -> None:
    document = plain_document(["the"])
    document |= dict.fromkeys(("normalizer", "pre_tokenizer", "post_processor", "decoder"))
    short = {"model": document["model"], "added_tokens": document["added_tokens"]}
    assert parse_spec(short) == parse_spec(document)
    assert parse_spec({"model": document["model"]}).added_tokens == ()


def test_length_and_side_in_the_file_are_not_followed_but_its_pad_id_is() -> None:
    plain = spec_of()
    assert spec_of(truncation=TRUNCATION) == plain
    assert spec_of(truncation={key: value for key, value in TRUNCATION.items() if key != "direction"}) == plain
    for strategy in ("BatchLongest", {"Fixed": 128}):
        padded = spec_of(padding={**PADDING, "strategy": strategy, "pad_to_multiple_of": 8})
        assert (padded.pad_id, padded.pad_type_id) == (4, 1)


def test_without_a_padding_section_the_usual_pad_token_is_looked_up() -> None:
    document = plain_document(["the"])
    vocab = document["model"]["vocab"]
    vocab["[PAD]"], vocab["[UNK]"] = 1, 0
    document["added_tokens"] = []
    assert parse_spec(document).pad_id == 1
    vocab["[MASK"] = vocab.pop("[PAD]")
    assert parse_spec(document).pad_id == 0
    document["added_tokens"] = [added_token("[PAD]", 6)]
    assert parse_spec(document).pad_id == 6


def test_vocab_size_covers_gaps_and_every_id_that_can_come_out() -> None:
    document = plain_document(["the"])
    assert parse_spec(document).vocab_size == 6
    document["model"]["vocab"]["the"] = 40
    assert parse_spec(document).vocab_size == 41
    document["post_processor"]["special_tokens"]["[CLS]"]["ids"] = [99]
    assert parse_spec(document).vocab_size == 100
    assert spec_of(padding={**PADDING, "pad_id": 200}).vocab_size == 201
    assert (
        spec_of(model={"type": "Unigram", "vocab": [["a", 0.0]] * 3}, added_tokens=[], post_processor=None).vocab_size
        == 3
    )


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(was_on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        parse_spec(load_document(json.dumps(plain_document()).encode()))
        with pytest.raises(UnsupportedTokenizer):
            load_document(b"{")
        with pytest.raises(UnsupportedTokenizer):
            parse_spec({})
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
