"""Random sections of a `tokenizer.json`, every option flipped: all but the model and what depends on its ids."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Sequence
from typing import Any

from tests.edge_runtime.tokenizer.documents import BORDERS
from tests.edge_runtime.tokenizer.plain.charsmap_file import compile_charsmap

Section = dict[str, Any]

BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
SCHEMES = ("first", "always", "never")
# The patterns of real files: GPT-2, Llama 3, Qwen 2, o200k, DeepSeek, CLIP, BLOOM; and smaller ones.
LONG_PATTERNS = (
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+",
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+",
)
SHORT_PATTERNS = (
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"\s+",
    r"[0-9]",
    r"[\r\n]",
    r"\w+|[^\w\s]+",
    r"\p{L}+",
    r"'",
    r" {2,}",
)
BYTE_LEVEL_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def flag(rng: random.Random, share: float = 0.5) -> bool:
    """Toss a coin."""
    return rng.random() < share


def few(rng: random.Random, make: Callable[[random.Random], Section], most: int) -> list[Section]:
    """Make up to `most` sections."""
    return [make(rng) for _ in range(rng.randint(0, most))]


def in_sequence(kind: str, sections: Sequence[Section]) -> Section | None:
    """Join sections under the name that their kind of component has for it."""
    if len(sections) <= 1:
        return sections[0] if sections else None
    return {"type": "Sequence", kind: list(sections)}


def normalizer(rng: random.Random) -> Section:
    """Make any normalizer."""
    return _NORMALIZERS[rng.choice(list(_NORMALIZERS))](rng)


def bert_normalizer(rng: random.Random) -> Section:
    """Make a `BertNormalizer`, mostly like those of real files."""
    return {
        "type": "BertNormalizer",
        "clean_text": flag(rng, 0.7),
        "handle_chinese_chars": flag(rng, 0.7),
        "strip_accents": rng.choice((None, None, True, False)),
        "lowercase": flag(rng, 0.6),
    }


def replacement(rng: random.Random) -> Section:
    """Make a `Replace`."""
    pattern = rng.choice(
        (
            {"String": rng.choice((" ", "``", "a", "on", "\n", "  "))},
            {"Regex": rng.choice((r"\s+", r" {2,}", r"[\n\r\t]", r"\s", r"[a-c]+", r"\p{N}"))},
        )
    )
    return {"type": "Replace", "pattern": pattern, "content": rng.choice(("", " ", "\u2581", '"', "xy", "\u00e9"))}


def _charsmap(rng: random.Random) -> str:
    """Make a map of some characters, clusters of them and beginnings of words, to anything or nothing."""
    keys = [*rng.choices(BORDERS, k=30), *rng.choices(("a\u0301", "e\u0301", "\r\n", "tu", "caf", "\u1100\u1161"), k=4)]
    values = ("", " ", "x", "\u2581", "\u00e9", "ab", "\U0001f600")
    replacements = {key: rng.choice((*values, key.lower())) for key in keys if key != "\x00"}
    return base64.b64encode(compile_charsmap(replacements)).decode()


_NORMALIZERS: dict[str, Callable[[random.Random], Section]] = {
    "BertNormalizer": bert_normalizer,
    "form": lambda rng: {"type": rng.choice(("NFC", "NFD", "NFKC", "NFKD"))},
    "Lowercase": lambda rng: {"type": "Lowercase"},
    "StripAccents": lambda rng: {"type": "StripAccents"},
    "Strip": lambda rng: {"type": "Strip", "strip_left": flag(rng), "strip_right": flag(rng)},
    "Replace": replacement,
    "Prepend": lambda rng: {"type": "Prepend", "prepend": rng.choice(("\u2581", "\u2581", " ", "ab"))},
    "Nmt": lambda rng: {"type": "Nmt"},
    "Precompiled": lambda rng: {"type": "Precompiled", "precompiled_charsmap": _charsmap(rng)},
    "ByteLevel": lambda rng: {"type": "ByteLevel"},
}


def byte_level(rng: random.Random) -> Section:
    """Make a `ByteLevel` pre-tokenizer."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": flag(rng),
        "trim_offsets": flag(rng),
        "use_regex": flag(rng, 0.7),
    }


def metaspace(rng: random.Random) -> Section:
    """Make a `Metaspace` pre-tokenizer."""
    return {
        "type": "Metaspace",
        "replacement": rng.choice(("\u2581", "\u2581", "_")),
        "prepend_scheme": rng.choice(SCHEMES),
        "split": flag(rng, 0.7),
    }


def split(rng: random.Random) -> Section:
    """Make a `Split` at a pattern of a real file, mostly as real files do it, or at a short text."""
    pattern = rng.choice(
        (
            {"Regex": rng.choice(LONG_PATTERNS)},
            {"Regex": rng.choice(SHORT_PATTERNS)},
            {"String": rng.choice((" ", "a", ", ", "\n"))},
        )
    )
    usual = flag(rng)
    return {
        "type": "Split",
        "pattern": pattern,
        "behavior": "Isolated" if usual else rng.choice(BEHAVIORS),
        "invert": not usual and flag(rng),
    }


_PRE_TOKENIZERS: tuple[Callable[[random.Random], Section], ...] = (
    lambda rng: {"type": "BertPreTokenizer"},
    lambda rng: {"type": "Whitespace"},
    lambda rng: {"type": "WhitespaceSplit"},
    lambda rng: {"type": "CharDelimiterSplit", "delimiter": rng.choice(" ae\u2581\n")},
    lambda rng: {"type": "Punctuation", "behavior": rng.choice(BEHAVIORS)},
    lambda rng: {"type": "Digits", "individual_digits": flag(rng)},
    lambda rng: {"type": "FixedLength", "length": rng.randint(1, 5)},
    byte_level,
    metaspace,
    split,
    split,
)


def pre_tokenizer(rng: random.Random) -> Section:
    """Make any pre-tokenizer."""
    return rng.choice(_PRE_TOKENIZERS)(rng)


_DECODERS: tuple[Callable[[random.Random], Section], ...] = (
    lambda rng: {"type": "ByteLevel", "add_prefix_space": flag(rng), "trim_offsets": flag(rng), "use_regex": flag(rng)},
    lambda rng: {"type": "WordPiece", "prefix": rng.choice(("##", "a")), "cleanup": flag(rng)},
    metaspace,
    lambda rng: {"type": "BPEDecoder", "suffix": rng.choice(("</w>", "a", ""))},
    lambda rng: {
        "type": "CTC",
        "pad_token": rng.choice(("a", "<pad>")),
        "word_delimiter_token": "|",
        "cleanup": flag(rng),
    },
    replacement,
    lambda rng: {"type": "Fuse"},
    lambda rng: {
        "type": "Strip",
        "content": rng.choice(" a\u2581"),
        "start": rng.randint(0, 2),
        "stop": rng.randint(0, 2),
    },
    lambda rng: {"type": "ByteFallback"},
)


def decoder(rng: random.Random) -> Section:
    """Make any decoder."""
    return rng.choice(_DECODERS)(rng)
