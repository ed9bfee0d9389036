"""The `decoder` of a file: what each kind is read as, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of, spec_of

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
CTC = {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (BYTE_LEVEL, kinds.ByteLevelDecoder()),
        ({"type": "WordPiece", "prefix": "##", "cleanup": False}, kinds.WordPieceDecoder("##", False)),
        ({"type": "Metaspace", "replacement": "_"}, kinds.MetaspaceDecoder("_", "always")),
        (
            {"type": "Metaspace", "replacement": "_", "add_prefix_space": False, "prepend_scheme": "never"},
            kinds.MetaspaceDecoder("_", "never"),
        ),
        ({"type": "BPEDecoder", "suffix": "</w>"}, kinds.BPEDecoder("</w>")),
        (CTC, kinds.CTC("<pad>", "|", True)),
        (
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            kinds.ReplaceDecoder(kinds.Pattern("▁", False), " "),
        ),
        ({"type": "Fuse"}, kinds.Fuse()),
        (STRIP, kinds.StripDecoder(" ", 1, 0)),
        ({"type": "ByteFallback"}, kinds.ByteFallback()),
    ],
)
def test_each_kind_is_read(section: dict[str, Any], expected: kinds.Decoder) -> None:
    assert spec_of(decoder=section).decoders == (expected,)
    assert "key 'size'" in refusal_of({**plain_document(), "decoder": {**section, "size": 1}})


def test_sequences_are_flattened_and_an_empty_one_is_not_null() -> None:
    inner = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    outer = {"type": "Sequence", "decoders": [inner, STRIP]}
    assert spec_of(decoder=outer).decoders == (kinds.ByteFallback(), kinds.Fuse(), kinds.StripDecoder(" ", 1, 0))
    assert spec_of(decoder={"type": "Sequence", "decoders": []}).decoders == ()
    assert spec_of(decoder=None).decoders is None


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"type": "Whitespace"}, "decoder Whitespace"),
        ({"type": "ByteLevel"}, "decoder ByteLevel lacks 'add_prefix_space'"),
        ({"type": "WordPiece", "prefix": "##"}, "decoder WordPiece lacks 'cleanup'"),
        ({"type": "BPEDecoder"}, "decoder BPEDecoder lacks 'suffix'"),
        ({**CTC, "pad_token": 0}, "decoder CTC pad_token 0"),
        ({"type": "Replace", "pattern": {"String": "a"}}, "decoder Replace lacks 'content'"),
        ({**STRIP, "content": ""}, "decoder Strip content ''"),
        ({**STRIP, "start": -1}, "decoder Strip start -1"),
        ({**STRIP, "stop": 1.0}, "decoder Strip stop 1.0"),
        ({"type": "Sequence", "decoders": [{"type": "Sequence"}]}, "decoder Sequence lacks 'decoders'"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(section: object, named: str) -> None:
    assert named in refusal_of({**plain_document(), "decoder": section})
