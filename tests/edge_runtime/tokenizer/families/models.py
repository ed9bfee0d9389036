"""Random models whose pieces come from the words of some sample, so that they are found and merged in texts like it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS
from tests.edge_runtime.tokenizer.families.components import Section, flag

_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_MERGES = 60
_PIECES = 150


def bpe(rng: random.Random, words: Sequence[str], alphabet: Sequence[str] = ()) -> Section:
    """Make a BPE model.

    Args:
        words: what merges are drawn from.
        alphabet: characters that the vocabulary has in any case.
    """
    fallback = flag(rng, 0.4)
    prefix = None if fallback else rng.choice((None, None, "##", "\u2581"))
    suffix = None if fallback else rng.choice((None, None, "</w>"))
    symbols = [_symbols(word, prefix or "", suffix or "") for word in words if word]
    known = {symbol: None for word in symbols for symbol in word if flag(rng, 0.95)} | dict.fromkeys(alphabet)
    merges = _merges(rng, symbols, known, prefix or "")
    if fallback:
        known |= {piece: None for piece in _BYTES if flag(rng, 0.99)}
    unknown = rng.choice((None, "<unk>", "<unk>"))
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": prefix,
        "end_of_word_suffix": suffix,
        "fuse_unk": flag(rng),
        "byte_fallback": fallback,
        "ignore_merges": flag(rng, 0.3),
        "vocab": _numbered(rng, ["<unk>", *known]),
        "merges": [f"{left} {right}" for left, right in merges] if flag(rng) and _plain(merges) else merges,
    }


def byte_level_bpe(rng: random.Random, words: Sequence[str]) -> Section:
    """Make a BPE model that knows every byte, as those of real files do."""
    while True:
        model = bpe(rng, words, BYTE_CHARACTERS)
        if not (model["byte_fallback"] or model["continuing_subword_prefix"] or model["end_of_word_suffix"]):
            return model


def fallback_bpe(rng: random.Random, words: Sequence[str]) -> Section:
    """Make a BPE model that falls back to bytes and has them all."""
    while True:
        model = bpe(rng, words)
        if model["byte_fallback"] and not model["ignore_merges"]:
            missing = [piece for piece in _BYTES if piece not in model["vocab"]]
            model["vocab"].update({piece: len(model["vocab"]) + at for at, piece in enumerate(missing)})
            return model


def plain_unigram(rng: random.Random, words: Sequence[str]) -> Section:
    """Make a Unigram model with an unknown token and no bytes to fall back to."""
    while True:
        model = unigram(rng, words)
        if model["unk_id"] is not None and not model["byte_fallback"]:
            return model


def _symbols(word: str, prefix: str, suffix: str) -> list[str]:
    symbols = [word[0], *(prefix + char for char in word[1:])]
    symbols[-1] += suffix
    return symbols


def _merges(rng: random.Random, words: list[list[str]], known: dict[str, None], prefix: str) -> list[tuple[str, str]]:
    """Merge neighbours at random in all words, and then shake the order."""
    merges: list[tuple[str, str]] = []
    for _ in range(_MERGES):
        word = rng.choice(words) if words else []
        if len(word) < 2:
            continue
        at = rng.randrange(len(word) - 1)
        left, right = word[at : at + 2]
        if left not in known or right not in known:
            continue
        merges.append((left, right))
        known[left + right[len(prefix) :]] = None
        word[at : at + 2] = [left + right[len(prefix) :]]
    merges += _other_ways(rng, known, prefix)
    if flag(rng, 0.3):
        rng.shuffle(merges)
    if merges and flag(rng, 0.3):
        merges.append(rng.choice(merges))
    return merges


def _other_ways(rng: random.Random, known: dict[str, None], prefix: str) -> list[tuple[str, str]]:
    """Give merges of other parts that make a piece which there is already."""
    ways = []
    for piece in known:
        at = rng.randint(1, max(len(piece) - 1, 1))
        left, right = piece[:at], prefix + piece[at:]
        if len(piece) > at and left in known and right in known and flag(rng):
            ways.append((left, right))
    return ways


def _plain(merges: list[tuple[str, str]]) -> bool:
    """Say whether the older way to write merges, with a space between, can write these."""
    return not any(" " in piece or "\n" in piece for pair in merges for piece in pair) and not (
        merges and merges[0][0].startswith("#version")
    )


def unigram(rng: random.Random, words: Sequence[str], alphabet: Sequence[str] = ()) -> Section:
    """Make a Unigram model; many scores are equal, so that ties are common."""
    pieces = [*alphabet, *(char for word in words for char in word if flag(rng, 0.8)), *_substrings(rng, words)]
    pieces = list(dict.fromkeys(pieces))
    fallback = flag(rng, 0.4)
    if fallback:
        pieces += [piece for piece in _BYTES if flag(rng, 0.99)]
    if pieces and flag(rng, 0.2):
        pieces.append(rng.choice(pieces))
    rng.shuffle(pieces)
    ties = flag(rng)
    scored: list[list[Any]] = [
        [piece, rng.choice((-1.0, -2.0, -3.0, -1.5)) if ties else round(-20 * rng.random(), rng.randint(0, 17))]
        for piece in pieces
    ]
    unknown_id = rng.randint(0, len(scored))
    scored.insert(unknown_id, ["<unk>", 0.0])
    return {
        "type": "Unigram",
        "unk_id": unknown_id if flag(rng, 0.95) else None,
        "byte_fallback": fallback,
        "vocab": scored,
    }


def wordpiece(rng: random.Random, words: Sequence[str], alphabet: Sequence[str] = ()) -> Section:
    """Make a WordPiece model."""
    prefix = rng.choice(("##", "##", "", "\u2581", "a"))
    pieces = [*alphabet, *(char for word in words for char in word), *_substrings(rng, words)]
    known = [piece for piece in pieces if flag(rng, 0.9)] + [prefix + piece for piece in pieces if flag(rng, 0.9)]
    return {
        "type": "WordPiece",
        "unk_token": "<unk>",
        "continuing_subword_prefix": prefix,
        "max_input_chars_per_word": rng.choice((0, 1, 2, 5, 100, 100, 100, 1000)),
        "vocab": _numbered(rng, ["<unk>", *known]),
    }


def word_level(rng: random.Random, words: Sequence[str], alphabet: Sequence[str] = ()) -> Section:
    """Make a WordLevel model."""
    known = [*alphabet, *(word for word in words if flag(rng, 0.8))]
    return {"type": "WordLevel", "unk_token": "<unk>", "vocab": _numbered(rng, ["<unk>", *known])}


def _substrings(rng: random.Random, words: Sequence[str]) -> list[str]:
    found = []
    for _ in range(_PIECES if words else 0):
        word = rng.choice(words)
        if len(word) > 1:
            start = rng.choice((0, rng.randrange(len(word) - 1)))
            found.append(word[start : start + rng.randint(2, 6)])
    return found


def _numbered(rng: random.Random, pieces: Sequence[str]) -> dict[str, int]:
    pieces = list(dict.fromkeys(filter(None, pieces)))
    if flag(rng):
        rng.shuffle(pieces)
    return {piece: at for at, piece in enumerate(pieces)}
