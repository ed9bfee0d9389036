"""Random `tokenizer.json` documents of every family, and texts that their vocabularies know something of."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer as Peer

from tests.edge_runtime.tokenizer.documents import BORDERS, MARKS, TOKEN_TEXTS, WORDS, added_token, random_text
from tests.edge_runtime.tokenizer.families import components, models
from tests.edge_runtime.tokenizer.families.components import (
    BYTE_LEVEL_SPLIT,
    LONG_PATTERNS,
    Section,
    few,
    flag,
    in_sequence,
)

FAMILIES = ("wordpiece", "byte_level_bpe", "sentencepiece_bpe", "unigram", "clip", "anything", "compiled")
_SAMPLE_TEXTS = 12
_SPACED = (
    "  ",
    " \n",
    "\r\n\n",
    "\u2581",
    "12345",
    "I'll",
    "'S",
    "'\u017ft",
    '{"a": [1, 2]}',
    "\u4e2d\u6587\u5b57",
    "a\u0301\u0323",
    "</s>",
)


@dataclass(frozen=True)
class Case:
    """A document, and the characters and words that its texts are mostly made of."""

    document: dict[str, Any]
    favorites: Sequence[str]

    def text(self, rng: random.Random) -> str:
        """Make a text; one in five is anything at all."""
        if flag(rng, 0.2):
            return random_text(rng)
        return _favorite_text(rng, self.favorites)


def _favorite_text(rng: random.Random, favorites: Sequence[str]) -> str:
    parts = [rng.choice(BORDERS) if flag(rng, 0.05) else rng.choice(favorites) for _ in range(rng.randint(0, 25))]
    if parts and flag(rng, 0.1):
        parts.append(rng.choice(parts) * rng.randint(1, 40))
    return (" " if flag(rng, 0.3) else "").join(parts)


def random_case(rng: random.Random, family: str) -> Case:
    """Make a document of a family, with every option that it leaves open drawn at random."""
    favorites = [*rng.choices(BORDERS, k=14), *rng.choices(MARKS, k=3), *rng.choices(WORDS, k=5)]
    favorites += [*rng.choices(_SPACED, k=3), *rng.choices(TOKEN_TEXTS, k=2), " ", "a", "b"]
    normalizers, pre_tokenizers, kinds = _FAMILIES[family](rng)
    pipeline: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": in_sequence("normalizers", normalizers),
        "pre_tokenizer": in_sequence("pretokenizers", pre_tokenizers),
    }
    words = _words(pipeline, [_favorite_text(rng, favorites) for _ in range(_SAMPLE_TEXTS)])
    model = rng.choice(kinds)(rng, words)
    tokens = _added_tokens(rng, model)
    document = {
        **pipeline,
        "added_tokens": tokens,
        "post_processor": _post_processor(rng),
        "decoder": in_sequence("decoders", few(rng, components.decoder, 4)),
        "model": model,
    }
    return Case(document, [*favorites, *(token["content"] for token in tokens[:3])])


def _words(pipeline: Section, texts: Sequence[str]) -> list[str]:
    """Give what the peer's normalizer and pre-tokenizer make of texts."""
    none = {
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"},
    }
    peer = Peer.from_str(json.dumps({**pipeline, **none}))
    words = []
    for text in texts:
        text = peer.normalizer.normalize_str(text) if peer.normalizer else text
        words += [word for word, _ in peer.pre_tokenizer.pre_tokenize_str(text)] if peer.pre_tokenizer else [text]
    return [word for word in words if word]


Parts = tuple[list[Section], list[Section], Sequence[Any]]


def _wordpiece(rng: random.Random) -> Parts:
    return [components.bert_normalizer(rng)], [{"type": "BertPreTokenizer"}], [models.wordpiece]


def _byte_level_bpe(rng: random.Random) -> Parts:
    normalizers = [{"type": rng.choice(("NFC", "NFKC"))}] if flag(rng, 0.3) else []
    if flag(rng):
        return normalizers, [components.byte_level(rng)], [models.bpe]
    pattern = {"Regex": rng.choice(LONG_PATTERNS)}
    first = {"type": "Split", "pattern": pattern, "behavior": rng.choice(("Isolated", "Removed")), "invert": flag(rng)}
    digits = [{"type": "Digits", "individual_digits": flag(rng)}] if flag(rng, 0.2) else []
    return normalizers, [*digits, first, {**BYTE_LEVEL_SPLIT, "add_prefix_space": flag(rng, 0.2)}], [models.bpe]


def _sentencepiece_bpe(rng: random.Random) -> Parts:
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    prepend = [{"type": "Prepend", "prepend": "\u2581"}] if flag(rng) else []
    if flag(rng):
        return [*prepend, spaces], [], [models.bpe]
    return [components.normalizer(rng)] if flag(rng, 0.3) else [], [components.metaspace(rng)], [models.bpe]


def _unigram(rng: random.Random) -> Parts:
    normalizers = few(rng, components.normalizer, 3)
    return (
        normalizers,
        [*([{"type": "WhitespaceSplit"}] if flag(rng) else []), components.metaspace(rng)],
        [models.unigram],
    )


def _clip(rng: random.Random) -> Parts:
    spaces = {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}
    splitting = {"type": "Split", "pattern": {"Regex": LONG_PATTERNS[5]}, "behavior": "Removed", "invert": True}
    return [{"type": "NFC"}, spaces, {"type": "Lowercase"}], [splitting, components.byte_level(rng)], [models.bpe]


def _compiled(rng: random.Random) -> Parts:
    """Of the families that have a fast path, mostly files that have one."""
    return rng.choice((_compiled_byte_level, _compiled_bpe, _compiled_unigram))(rng)


def _compiled_byte_level(rng: random.Random) -> Parts:
    normalizers = [{"type": rng.choice(("NFC", "NFKC"))}] if flag(rng, 0.3) else []
    if flag(rng, 0.3):
        prefixed = {**BYTE_LEVEL_SPLIT, "use_regex": True, "add_prefix_space": not normalizers and flag(rng)}
        return normalizers, [prefixed], [models.byte_level_bpe]
    how = rng.choice(({"behavior": "Isolated", "invert": False}, {"behavior": "Removed", "invert": True}))
    split = {"type": "Split", "pattern": {"Regex": rng.choice(LONG_PATTERNS[:4])}, **how}
    return normalizers, [split, BYTE_LEVEL_SPLIT], [models.byte_level_bpe]


def _compiled_bpe(rng: random.Random) -> Parts:
    spaces = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    if flag(rng):
        return [*([{"type": "Prepend", "prepend": "\u2581"}] if flag(rng) else []), spaces], [], [models.fallback_bpe]
    return [], [{**components.metaspace(rng), "replacement": "\u2581"}], [models.fallback_bpe]


def _compiled_unigram(rng: random.Random) -> Parts:
    normalizers = [components.normalizer(rng)] if flag(rng, 0.3) else []
    if flag(rng, 0.3):
        normalizers.append({"type": "Replace", "pattern": {"Regex": r" {2,}"}, "content": rng.choice((" ", "\u2581"))})
    return normalizers, [{**components.metaspace(rng), "replacement": "\u2581"}], [models.plain_unigram]


def _anything(rng: random.Random) -> Parts:
    kinds = (models.bpe, models.unigram, models.wordpiece, models.word_level)
    return few(rng, components.normalizer, 3), few(rng, components.pre_tokenizer, 3), kinds


_FAMILIES = {
    "wordpiece": _wordpiece,
    "byte_level_bpe": _byte_level_bpe,
    "sentencepiece_bpe": _sentencepiece_bpe,
    "unigram": _unigram,
    "clip": _clip,
    "anything": _anything,
    "compiled": _compiled,
}


def _added_tokens(rng: random.Random, model: Section) -> list[Section]:
    vocab = (
        {piece: at for at, (piece, _) in enumerate(model["vocab"])} if model["type"] == "Unigram" else model["vocab"]
    )
    size = len(model["vocab"])
    contents = [
        content for content in ("<unk>", "</s>", "[SEP]", *TOKEN_TEXTS, "  ", "\n\n", "a b", "on") if flag(rng, 0.3)
    ]
    tokens = []
    for content in dict.fromkeys(contents):
        token_id = vocab.get(content, size)
        size += content not in vocab
        special = flag(rng, 0.6)
        flags = {name: flag(rng, 0.2) for name in ("lstrip", "rstrip", "single_word")}
        tokens.append(
            added_token(content, token_id, special=special, normalized=flag(rng, 0.3 if special else 0.6), **flags)
        )
    return tokens


def _post_processor(rng: random.Random) -> Section | None:
    sections = few(rng, _processor, 1)
    if flag(rng, 0.3):
        sections.insert(rng.randint(0, len(sections)), components.byte_level(rng))
    return in_sequence("processors", sections)


def _processor(rng: random.Random) -> Section:
    ends = {"sep": ["</s>", rng.randint(0, 9)], "cls": ["<s>", rng.randint(0, 9)]}
    trim = {"trim_offsets": flag(rng), "add_prefix_space": flag(rng)}
    return rng.choice(
        (
            {"type": "BertProcessing", **ends},
            {"type": "RobertaProcessing", **ends, **trim},
            {"type": "ByteLevel", **trim, "use_regex": flag(rng)},
            _template(rng),
        )
    )


def _template(rng: random.Random) -> Section:
    names = ("<s>", "</s>", "<cls>")
    ids = {name: [rng.randint(0, 9) for _ in range(rng.randint(1, 2))] for name in names}

    def some() -> list[Section]:
        return [
            {"SpecialToken": {"id": rng.choice(names), "type_id": rng.randint(0, 2)}} for _ in range(rng.randint(0, 2))
        ]

    def text(name: str) -> Section:
        return {"Sequence": {"id": name, "type_id": rng.randint(0, 2)}}

    return {
        "type": "TemplateProcessing",
        "single": [*some(), text("A"), *some()],
        "pair": [*some(), text("A"), *some(), text("B"), *some()],
        "special_tokens": {
            name: {"id": name, "ids": numbers, "tokens": [name] * len(numbers)} for name, numbers in ids.items()
        },
    }
