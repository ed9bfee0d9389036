"""The `normalizer` of a file: what each kind is read as, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.spec.section import MAX_NESTING
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of, spec_of

BERT = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": False, "lowercase": True}
CHARSMAP = (8).to_bytes(4, "little") + bytes(8) + "a\0é\0".encode()
REPLACE = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": ""}


def precompiled(charsmap: bytes) -> dict[str, Any]:
    """Give a `Precompiled` section."""
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (BERT, kinds.BertNormalizer(True, False, True, True)),
        ({"type": "NFC"}, kinds.UnicodeForm("NFC")),
        ({"type": "NFD"}, kinds.UnicodeForm("NFD")),
        ({"type": "NFKC"}, kinds.UnicodeForm("NFKC")),
        ({"type": "NFKD"}, kinds.UnicodeForm("NFKD")),
        ({"type": "Lowercase"}, kinds.Lowercase()),
        ({"type": "StripAccents"}, kinds.StripAccents()),
        ({"type": "Strip", "strip_left": False, "strip_right": True}, kinds.Strip(False, True)),
        (REPLACE, kinds.Replace(kinds.Pattern(r"\s+", True), "")),
        ({**REPLACE, "pattern": {"String": " "}}, kinds.Replace(kinds.Pattern(" ", False), "")),
        ({"type": "Prepend", "prepend": "▁"}, kinds.Prepend("▁")),
        ({"type": "Nmt"}, kinds.Nmt()),
        (precompiled(CHARSMAP), kinds.Precompiled(CHARSMAP)),
        ({"type": "ByteLevel"}, kinds.ByteLevelNormalizer()),
    ],
)
def test_each_kind_is_read(section: dict[str, Any], expected: kinds.Normalizer) -> None:
    assert spec_of(normalizer=section).normalizers == (expected,)
    assert "key 'size'" in refusal_of({**plain_document(), "normalizer": {**section, "size": 1}})


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("strip_accents", [True, False, None])
def test_null_strip_accents_follows_lowercase(lowercase: bool, strip_accents: bool | None) -> None:
    section = {**BERT, "lowercase": lowercase, "strip_accents": strip_accents}
    (normalizer,) = spec_of(normalizer=section).normalizers
    assert isinstance(normalizer, kinds.BertNormalizer)
    assert normalizer.strip_accents == (lowercase if strip_accents is None else strip_accents)


def test_sequences_are_flattened_and_null_is_none() -> None:
    inner = {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "Sequence", "normalizers": []}]}
    outer = {"type": "Sequence", "normalizers": [{"type": "NFC"}, inner, {"type": "Lowercase"}]}
    assert spec_of(normalizer=outer).normalizers == (kinds.UnicodeForm("NFC"), kinds.Nmt(), kinds.Lowercase())
    assert spec_of(normalizer=None).normalizers == ()


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"type": "UnicodeScripts"}, "normalizer UnicodeScripts is not supported: edgert reads BertNormalizer, NFC"),
        ({"prepend": "x"}, "normalizer lacks 'type'"),
        ({"type": ["NFC"]}, "normalizer type ['NFC']"),
        ("NFC", "normalizer 'NFC'"),
        ({**BERT, "lowercase": 1}, "normalizer BertNormalizer lowercase 1"),
        ({**BERT, "strip_accents": "no"}, "normalizer BertNormalizer strip_accents 'no'"),
        ({"type": "BertNormalizer", "lowercase": True}, "normalizer BertNormalizer lacks 'clean_text'"),
        ({"type": "Strip", "strip_left": True}, "normalizer Strip lacks 'strip_right'"),
        ({**REPLACE, "pattern": " "}, "normalizer Replace pattern ' '"),
        ({**REPLACE, "pattern": {}}, "normalizer Replace pattern lacks 'String'"),
        ({**REPLACE, "pattern": {"String": ""}}, "normalizer Replace pattern is not supported: it is empty"),
        ({**REPLACE, "pattern": {"String": "a", "Regex": "a"}}, "normalizer Replace pattern key 'String'"),
        ({**REPLACE, "content": None}, "normalizer Replace content None"),
        ({**REPLACE, "content": "\ud800"}, r"normalizer Replace content '\ud800'"),
        ({"type": "Prepend"}, "normalizer Prepend lacks 'prepend'"),
        ({"type": "Precompiled", "precompiled_charsmap": None}, "precompiled_charsmap None"),
        ({"type": "Precompiled", "precompiled_charsmap": "!"}, "precompiled_charsmap cannot be decoded"),
        ({"type": "Precompiled", "precompiled_charsmap": "é"}, "precompiled_charsmap cannot be decoded"),
        ({"type": "Precompiled", "precompiled_charsmap": "AAAAAA"}, "precompiled_charsmap cannot"),
        ({"type": "Precompiled", "precompiled_charsmap": "BQAAAAAAAAB="}, "not canonical base64"),
        (precompiled(b""), "precompiled_charsmap is cut short: 0 bytes"),
        (precompiled(CHARSMAP[:11]), "precompiled_charsmap is cut short: 11 bytes, its trie alone claims 8"),
        (precompiled(CHARSMAP + b"\xff"), "precompiled_charsmap cannot be decoded"),
        ({"type": "Sequence"}, "normalizer Sequence lacks 'normalizers'"),
        ({"type": "Sequence", "normalizers": {}}, "normalizer Sequence normalizers {}"),
        ({"type": "Sequence", "normalizers": [], "extra": 1}, "normalizer Sequence key 'extra'"),
        ({"type": "Sequence", "normalizers": [None]}, "normalizer None"),
        ({"type": "Sequence", "normalizers": [{"type": "NFX"}]}, "normalizer NFX"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(section: object, named: str) -> None:
    assert named in refusal_of({**plain_document(), "normalizer": section})


def test_sequences_nested_without_end_are_refused() -> None:
    def nested(depth: int) -> dict[str, Any]:
        return {"type": "Sequence", "normalizers": [nested(depth - 1)]} if depth else {"type": "NFC"}

    assert spec_of(normalizer=nested(MAX_NESTING)).normalizers == (kinds.UnicodeForm("NFC"),)
    assert "deep" in refusal_of({**plain_document(), "normalizer": nested(MAX_NESTING + 1)})
    assert "deep" in refusal_of({**plain_document(), "normalizer": nested(200)})
