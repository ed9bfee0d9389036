"""The texts of the proof: real ones in many languages, and random ones for a family."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from typing import Any

from benchmarks.corpora import corpus
from benchmarks.corpora.machine_texts import machine_texts
from edge_runtime.errors import SourceUnavailable
from tests.edge_runtime.tokenizer.documents import BORDERS, MARKS, TOKEN_TEXTS, WORDS
from tests.edge_runtime.tokenizer.families.files import Case

CHUNK = 500  # documents in a unit of work
# What sits at the edge of a table: keys hold 15 bytes, BERT words 100 characters, byte-level words 255 of HF's cache.
EDGES = (
    "abcdefghijklmno",
    "abcdefghijklmnop",
    "q" * 99,
    "q" * 101,
    "\u4e2d" * 5,
    "\u044f" * 8,
    "x" * 256,
    "\x00",
    "\x00\x00",
)


@functools.lru_cache(maxsize=1)
def documents(size_bytes: int) -> corpus.Corpus:
    """Give the real texts: prose of `size_bytes`, and the texts of machines and for machines behind it."""
    prose = corpus.proof(size_bytes)
    others = [(kind, text) for kind, texts in machine_texts().items() for text in texts]
    try:
        others += corpus.commands().documents
    except SourceUnavailable:
        prose.sources.append("no sentences of intents: their package cannot be had")
    return corpus.Corpus(prose.documents + others, prose.sources)


def languages(size_bytes: int) -> list[str]:
    """Give the languages of the prose; the commands, which are short, have 60 more."""
    return corpus.proof(size_bytes).languages


def favorites(rng: random.Random, document: Mapping[str, Any]) -> Case:
    """Give what makes random texts for a real file: pieces of its vocabulary between the borders of all classes."""
    vocab = document["model"]["vocab"]
    pieces = list(vocab) if isinstance(vocab, dict) else [piece for piece, _ in vocab]
    chosen = [*rng.choices(BORDERS, k=14), *rng.choices(MARKS, k=3), *rng.choices(WORDS, k=5), *rng.choices(EDGES, k=2)]
    chosen += [_plain(piece) for piece in rng.choices(pieces, k=12)]
    chosen += [token["content"] for token in rng.choices(document["added_tokens"] or [{"content": "<s>"}], k=3)]
    return Case(dict(document), [*chosen, *rng.choices(TOKEN_TEXTS, k=2), " ", "  ", "\n", "a", "'s", "\u2581"])


def _plain(piece: str) -> str:
    """A piece of a vocabulary as it stands in texts; byte-level letters beyond ASCII stay what they look like."""
    return piece.replace("\u0120", " ").replace("\u010a", "\n").replace("\u2581", " ").replace("##", "")
