"""What the fast path of byte-level BPE must not take for a known segment."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from edge_runtime.tokenizer.fast import FastTokenizer
from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS
from tests.edge_runtime.tokenizer.oracle import tokenizers_of

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def document(tokens: list[str], normalizer: str | None = None) -> dict[str, Any]:
    """Give a file with a token for each byte and for each beginning of each of the texts."""
    vocab = {character: at for at, character in enumerate(BYTE_CHARACTERS)}
    merges: list[list[str]] = []
    for token in tokens:
        written = "".join(BYTE_CHARACTERS[byte] for byte in token.encode())
        for end in range(2, len(written) + 1):
            if written[:end] not in vocab:
                vocab[written[:end]] = len(vocab)
                merges.append([written[: end - 1], written[end - 1]])
    return {
        "version": "1.0",
        "normalizer": normalizer and {"type": normalizer},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": QWEN}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    }


@pytest.mark.parametrize("text", ["\u212b", "a \u212b", " \u212b,", "\ufb4e \u2126", "\u0958,"])
def test_a_vocabulary_string_that_the_normalizer_changes_is_not_found_as_it_stands(text: str) -> None:
    ours, peer = tokenizers_of(document(["\u212b", " \u212b", "\ufb4e", "\u2126", "\u0958"], "NFC"), False)
    assert isinstance(ours, FastTokenizer)
    for _ in range(2):
        assert ours.encode(text) == peer.encode(text).ids
        assert ours.encode_batch([text, text]).input_ids.tolist() == [peer.encode(text).ids] * 2


@pytest.mark.parametrize(
    "text", ["\u3000 \u3000", " \u3000", "a\u3000 b", "a \u3000b", "a\u3000  b", "\u2003 x \n y", "x  "]
)
def test_white_space_goes_together_as_in_the_whole_text(text: str) -> None:
    ours, peer = tokenizers_of(document(["\u3000 \u3000", " \u3000", "\u3000 ", "  ", " b"]), False)
    assert isinstance(ours, FastTokenizer)
    assert ours.encode(text) == peer.encode(text).ids
    assert ours.encode_batch([text, text]).input_ids.tolist() == [peer.encode(text).ids] * 2
