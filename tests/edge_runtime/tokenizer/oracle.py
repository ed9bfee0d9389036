"""The peer that our tokenizer must equal: Hugging Face `tokenizers`, never imported by edgert on the board."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer as Peer

from edge_runtime.tokenizer.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import parse_spec


def tokenizers_of(document: dict[str, Any], parse_special: bool) -> tuple[ReferenceTokenizer, Peer]:
    """Give ours and the peer, set to the same treatment of special tokens, without truncation and padding."""
    peer = Peer.from_str(json.dumps(document))
    peer.no_truncation()
    peer.no_padding()
    peer.encode_special_tokens = not parse_special
    return ReferenceTokenizer(parse_spec(document), parse_special), peer


def shortest_difference(text: str, ours: ReferenceTokenizer, peer: Peer) -> str:
    """Drop characters from a text for as long as the two still disagree on it."""
    at = 0
    while at < len(text):
        shorter = text[:at] + text[at + 1 :]
        if ours.encode(shorter) != peer.encode(shorter).ids:
            text, at = shorter, 0
        else:
            at += 1
    return text
