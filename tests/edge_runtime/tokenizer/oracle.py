"""The peer that our tokenizer must equal: Hugging Face `tokenizers`, never imported by edgert on the board."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer as Peer

from edge_runtime.tokenizer.compiled import compiled_form
from edge_runtime.tokenizer.encoding import Tokenizer
from edge_runtime.tokenizer.fast import FastTokenizer
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import load_document, parse_spec


def tokenizers_of(document: dict[str, Any], parse_special: bool) -> tuple[Tokenizer, Peer]:
    """Give ours and the peer, set to the same treatment of special tokens, without truncation and padding.

    Ours is the fast one, or the plain one where there is none.
    """
    text = json.dumps(document)
    peer = Peer.from_str(text)
    peer.no_truncation()
    peer.no_padding()
    peer.encode_special_tokens = not parse_special
    ours = load_document(text.encode())
    spec = parse_spec(ours)
    compiled = compiled_form(ours, spec, "")
    if compiled is None:
        return ReferenceTokenizer(spec, parse_special), peer
    return FastTokenizer(compiled.about, compiled.arrays, parse_special), peer


def shortest_difference(text: str, ours: Tokenizer, peer: Peer) -> str:
    """Drop characters from a text for as long as the two still disagree on it."""
    at = 0
    while at < len(text):
        shorter = text[:at] + text[at + 1 :]
        if ours.encode(shorter) != peer.encode(shorter).ids:
            text, at = shorter, 0
        else:
            at += 1
    return text
