"""The `pre_tokenizer` of a file: what each kind is read as, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of, spec_of

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
METASPACE = {"type": "Metaspace", "replacement": "▁"}
SPLIT = {"type": "Split", "pattern": {"String": "a"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"type": "BertPreTokenizer"}, kinds.BertPreTokenizer()),
        ({**BYTE_LEVEL, "use_regex": False}, kinds.ByteLevel(False, False)),
        (BYTE_LEVEL, kinds.ByteLevel(False, True)),
        ({**METASPACE, "prepend_scheme": "first", "split": False}, kinds.Metaspace("▁", "first", False)),
        (METASPACE, kinds.Metaspace("▁", "always", True)),
        ({**METASPACE, "add_prefix_space": True, "str_rep": "▁"}, kinds.Metaspace("▁", "always", True)),
        ({**METASPACE, "add_prefix_space": None, "str_rep": None, "split": None}, kinds.Metaspace("▁", "always", True)),
        ({**METASPACE, "add_prefix_space": True, "prepend_scheme": "never"}, kinds.Metaspace("▁", "never", True)),
        ({**METASPACE, "add_prefix_space": False, "prepend_scheme": "never"}, kinds.Metaspace("▁", "never", True)),
        (SPLIT, kinds.Split(kinds.Pattern("a", False), "isolated", False)),
        (
            {**SPLIT, "pattern": {"Regex": "a+"}, "behavior": "MergedWithNext", "invert": True},
            kinds.Split(kinds.Pattern("a+", True), "merged_with_next", True),
        ),
        ({"type": "Whitespace"}, kinds.Whitespace()),
        ({"type": "WhitespaceSplit"}, kinds.WhitespaceSplit()),
        ({"type": "CharDelimiterSplit", "delimiter": "😀"}, kinds.CharDelimiterSplit("😀")),
        ({"type": "Punctuation"}, kinds.Punctuation("isolated")),
        ({"type": "Punctuation", "behavior": "Contiguous"}, kinds.Punctuation("contiguous")),
        ({"type": "Digits", "individual_digits": True}, kinds.Digits(True)),
        ({"type": "FixedLength"}, kinds.FixedLength(5)),
        ({"type": "FixedLength", "length": 1}, kinds.FixedLength(1)),
    ],
)
def test_each_kind_is_read(section: dict[str, Any], expected: kinds.PreTokenizer) -> None:
    assert spec_of(pre_tokenizer=section).pre_tokenizers == (expected,)
    assert "key 'size'" in refusal_of({**plain_document(), "pre_tokenizer": {**section, "size": 1}})


def test_sequences_are_flattened_and_null_is_none() -> None:
    inner = {"type": "Sequence", "pretokenizers": [{"type": "Whitespace"}]}
    outer = {"type": "Sequence", "pretokenizers": [inner, BYTE_LEVEL]}
    assert spec_of(pre_tokenizer=outer).pre_tokenizers == (kinds.Whitespace(), kinds.ByteLevel(False, True))
    assert spec_of(pre_tokenizer=None).pre_tokenizers == ()


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"type": "UnicodeScripts"}, "pre_tokenizer UnicodeScripts"),
        ({"type": "Delimiter", "delimiter": "a"}, "pre_tokenizer Delimiter"),
        ({"type": "Sequence", "normalizers": []}, "pre_tokenizer Sequence lacks 'pretokenizers'"),
        ({"type": "ByteLevel", "add_prefix_space": False}, "pre_tokenizer ByteLevel lacks 'trim_offsets'"),
        ({**BYTE_LEVEL, "use_regex": None}, "pre_tokenizer ByteLevel use_regex None"),
        ({**METASPACE, "replacement": "__"}, "pre_tokenizer Metaspace replacement '__'"),
        ({**METASPACE, "replacement": ""}, "pre_tokenizer Metaspace replacement ''"),
        ({**METASPACE, "prepend_scheme": "last"}, "pre_tokenizer Metaspace prepend_scheme 'last'"),
        ({**METASPACE, "prepend_scheme": None}, "pre_tokenizer Metaspace prepend_scheme None"),
        ({**METASPACE, "add_prefix_space": False}, 'add_prefix_space is false, but prepend_scheme is not "never"'),
        ({**METASPACE, "str_rep": 1}, "pre_tokenizer Metaspace str_rep 1"),
        ({**SPLIT, "behavior": "isolated"}, "pre_tokenizer Split behavior 'isolated'"),
        ({**SPLIT, "pattern": {"String": ""}}, "pre_tokenizer Split pattern is not supported: it is empty"),
        ({**SPLIT, "invert": None}, "pre_tokenizer Split invert None"),
        ({"type": "CharDelimiterSplit", "delimiter": "ab"}, "pre_tokenizer CharDelimiterSplit delimiter 'ab'"),
        ({"type": "Punctuation", "behavior": None}, "pre_tokenizer Punctuation behavior None"),
        ({"type": "Digits"}, "pre_tokenizer Digits lacks 'individual_digits'"),
        ({"type": "FixedLength", "length": 0}, "pre_tokenizer FixedLength length 0"),
        ({"type": "FixedLength", "length": None}, "pre_tokenizer FixedLength length None"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(section: object, named: str) -> None:
    assert named in refusal_of({**plain_document(), "pre_tokenizer": section})
