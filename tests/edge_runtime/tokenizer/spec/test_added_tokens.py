"""The `added_tokens` of a file: their flags, and ids that are those which the original would give."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import added_token, plain_document
from tests.edge_runtime.tokenizer.spec.changes import refusal_of, spec_of

GAPPED = {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "b": 10}}
UNIGRAM = {"type": "Unigram", "vocab": [["a", 0.0], ["b", 0.0], ["a", 0.0]]}
NONE = {"normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None}


@pytest.mark.parametrize("flag", ["special", "normalized", "lstrip", "rstrip", "single_word"])
def test_every_flag_is_read(flag: str) -> None:
    off = {"special": False, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
    (token,) = spec_of(added_tokens=[added_token("[SEP]", 3, **{**off, flag: True})]).added_tokens
    assert token == kinds.AddedToken("[SEP]", 3, **{**off, flag: True})


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        (GAPPED, [("b", 10), ("new", 2), ("newer", 3)]),
        (GAPPED, [("new", 2), ("b", 10), ("newer", 3)]),
        (UNIGRAM, [("a", 2), ("new", 3)]),
        ({**UNIGRAM, "vocab": []}, [("new", 0), ("newer", 1)]),
    ],
)
def test_ids_are_those_that_the_original_gives(model: dict[str, Any], tokens: list[tuple[str, int]]) -> None:
    entries = [added_token(content, token_id) for content, token_id in tokens]
    spec = spec_of(model=model, added_tokens=entries, post_processor=None)
    assert [(token.content, token.id) for token in spec.added_tokens] == tokens


@pytest.mark.parametrize(
    ("tokens", "named"),
    [
        (None, "added_tokens None"),
        ({}, "added_tokens {}"),
        (["[SEP]"], "added token '[SEP]'"),
        ([added_token("", 3)], "an added token is empty"),
        ([added_token("[SEP]", 4)], "'[SEP]' has id 4, Hugging Face tokenizers would make it 3"),
        ([added_token("<new>", 9)], "'<new>' has id 9, Hugging Face tokenizers would make it 6"),
        ([added_token("<new>", 6), added_token("<newer>", 8)], "'<newer>' has id 8"),
        ([added_token("<new>", 6), added_token("<new>", 6)], "'<new>' is listed twice"),
        ([added_token("[SEP]", -1)], "added token id -1"),
        ([added_token("\ud800", 6)], r"added token content '\ud800'"),
        ([{**added_token("[SEP]", 3), "score": 0.5}], "added token key 'score'"),
        ([{**added_token("[SEP]", 3), "lstrip": None}], "added token lstrip None"),
        ([{"id": 3, "content": "[SEP]"}], "added token lacks 'special'"),
    ],
)
def test_what_a_file_may_not_say_is_refused_by_name(tokens: object, named: str) -> None:
    assert named in refusal_of({**plain_document(["the"]), "added_tokens": tokens})


def test_a_new_token_whose_id_a_piece_has_is_refused() -> None:
    document = {**plain_document(), "model": {**GAPPED, "vocab": {"a": 0, "b": 2}}}
    assert "id 2 is that of 'b' and of an added token" in refusal_of(
        {**document, "added_tokens": [added_token("n", 2)]}
    )


@pytest.mark.parametrize("model", [GAPPED, {**GAPPED, "vocab": {"a": 1, "b": 3}}, {**GAPPED, "vocab": {}}, UNIGRAM])
def test_the_original_numbers_tokens_as_we_expect(model: dict[str, Any]) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    import json

    entries = [added_token(content, 77) for content in ("new", "b", "newer", "a", "newest")]
    peer = tokenizers.Tokenizer.from_str(
        json.dumps({**NONE, "version": "1.0", "model": model, "added_tokens": entries})
    )
    document = {**plain_document(), "model": model, "added_tokens": entries, "post_processor": None}
    for entry in entries:
        theirs = peer.token_to_id(entry["content"])
        if theirs != 77:
            assert f"{entry['content']!r} has id 77, Hugging Face tokenizers would make it {theirs}" in refusal_of(
                document
            )
        entry["id"] = theirs
