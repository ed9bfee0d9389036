"""Hugging Face `tokenizers` with one token for each word, so that tests can say what is assembled."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer, models, pre_tokenizers

from edge_runtime.tokenizer.assemble import Assembler
from edge_runtime.tokenizer.encoding import CUT, TO_LONGEST, Encoded, Padding, Tokens, Truncation
from edge_runtime.tokenizer.spec.kinds import Piece, Template

WORDS = {chr(ord("a") + index): index for index in range(21)}
SPECIALS = {"<s>": (21,), "</s>": (22,), "<many>": (23, 22, 23)}
PAD_ID, PAD_TYPE_ID = 9, 5


@dataclass(frozen=True)
class PostProcessor:
    """A post-processor as the peer reads it and as the assembler takes it."""

    document: dict[str, Any] | None
    template: Template
    overflow_type_ids: tuple[int, int] = (0, 1)

    def assembler(self) -> Assembler:
        return Assembler(self.template, PAD_ID, PAD_TYPE_ID, overflow_type_ids=self.overflow_type_ids)

    def peer(self) -> Tokenizer:
        vocab = WORDS | {"<s>": 21, "</s>": 22, "<many>": 23, "?": 24}
        tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="?"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | {"post_processor": self.document}))


def template_processing(single: str, pair: str) -> PostProcessor:
    """Read templates like `<s> $A:0 </s>:1`."""
    specials = {name: {"id": name, "ids": ids, "tokens": [name] * len(ids)} for name, ids in SPECIALS.items()}
    document = {
        "type": "TemplateProcessing",
        "single": [_piece_document(word) for word in single.split()],
        "pair": [_piece_document(word) for word in pair.split()],
        "special_tokens": specials,
    }
    return PostProcessor(document, Template(_pieces(single), _pieces(pair)))


def _named(word: str) -> tuple[str, int]:
    name, _, type_id = word.partition(":")
    return name, int(type_id or 0)


def _piece_document(word: str) -> dict[str, Any]:
    name, type_id = _named(word)
    if name.startswith("$"):
        return {"Sequence": {"id": name[1:], "type_id": type_id}}
    return {"SpecialToken": {"id": name, "type_id": type_id}}


def _pieces(template: str) -> tuple[Piece, ...]:
    found = []
    for name, type_id in map(_named, template.split()):
        if name.startswith("$"):
            found.append(Piece("A" if name == "$A" else "B", (), type_id))
        else:
            found.append(Piece(None, SPECIALS[name], type_id))
    return tuple(found)


NONE = PostProcessor(None, Template(_pieces("$A"), _pieces("$A $B:1")))
BERT = PostProcessor(
    {"type": "BertProcessing", "sep": ["</s>", 22], "cls": ["<s>", 21]},
    Template(_pieces("<s> $A </s>"), _pieces("<s> $A </s> $B:1 </s>:1")),
)
ROBERTA = PostProcessor(
    {
        "type": "RobertaProcessing",
        "sep": ["</s>", 22],
        "cls": ["<s>", 21],
        "trim_offsets": False,
        "add_prefix_space": False,
    },
    Template(_pieces("<s> $A </s>"), _pieces("<s> $A </s> </s> $B </s>")),
    overflow_type_ids=(0, 0),
)


def random_post_processor(rng: random.Random) -> PostProcessor:
    """Any template, also ones that use a text twice or put text B first."""
    if rng.random() < 0.3:
        return rng.choice([NONE, BERT, ROBERTA])
    return template_processing(_random_template(rng, ["$A"]), _random_template(rng, ["$A", "$B"]))


def _random_template(rng: random.Random, places: list[str]) -> str:
    if rng.random() < 0.2:
        rng.shuffle(places)
    if rng.random() < 0.1:
        places.append(rng.choice(places))
    words: list[str] = []
    for place in [*places, ""]:
        words += rng.choices([*SPECIALS], k=rng.choice([0, 1, 1, 2]))
        words += [place] if place else []
    return " ".join(f"{word}:{rng.choice([0, 0, 1, 2])}" for word in words)


def random_texts(rng: random.Random, count: int) -> list[str]:
    return [" ".join(rng.choices([*WORDS], k=rng.choice([0, 1, 2, 3, 5, 8, 13]))) for _ in range(count)]


def tokens_of(texts: Sequence[str]) -> Tokens:
    """Give the tokens and spans of texts of one-letter words that stand one space apart."""
    words = [word for text in texts for word in text.split()]
    starts = [2 * index for text in texts for index in range(len(text.split()))]
    return Tokens(
        np.array([WORDS[word] for word in words], np.int32),
        np.array([len(text.split()) for text in texts], np.int64),
        np.array([(start, start + 1) for start in starts], np.int32).reshape(-1, 2),
    )


@dataclass(frozen=True)
class Call:
    """Everything that can be asked of the assembler."""

    texts: list[str]
    pairs: list[str] | None = None
    max_tokens: int | None = None
    truncation: Truncation = CUT
    padding: Padding = TO_LONGEST
    special_tokens: bool = True
    offsets: bool = True

    def ours(self, processor: PostProcessor) -> Encoded:
        return processor.assembler().assemble(
            tokens_of(self.texts),
            None if self.pairs is None else tokens_of(self.pairs),
            max_tokens=self.max_tokens,
            truncate=self.truncation,
            padding=self.padding,
            special_tokens=self.special_tokens,
            offsets=self.offsets,
        )

    def theirs(self, processor: PostProcessor) -> list[list[Encoding]]:
        """Give for each text its rows, padded; whatever the peer raises, a panic included, is a ValueError."""
        peer = processor.peer()
        second: Sequence[str | None] = self.pairs or [None] * len(self.texts)
        try:
            if self.max_tokens is not None:
                cut = self.truncation
                peer.enable_truncation(
                    self.max_tokens,
                    stride=cut.stride if cut.overflow else 0,
                    strategy=cut.strategy,
                    direction=cut.side,
                )
            whole = [
                peer.encode(first, other, add_special_tokens=self.special_tokens)
                for first, other in zip(self.texts, second, strict=True)
            ]
        except BaseException as error:
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise ValueError(str(error)) from None
            raise
        rows = [[row, *(row.overflowing if self.truncation.overflow else [])] for row in whole]
        width = max([self.padding.to, *(len(row.ids) for some in rows for row in some)])
        width += -width % self.padding.multiple_of
        for row in (row for some in rows for row in some):
            row.pad(width, direction=self.padding.side, pad_id=PAD_ID, pad_type_id=PAD_TYPE_ID, pad_token="")
        return rows


def random_call(rng: random.Random) -> Call:
    count = rng.choice([1, 1, 2, 5])
    return Call(
        texts=random_texts(rng, count),
        pairs=random_texts(rng, count) if rng.random() < 0.5 else None,
        max_tokens=rng.choice([None, rng.randrange(20), rng.randrange(4, 12)]),
        truncation=Truncation(
            strategy=rng.choice(["longest_first", "only_first", "only_second"]),
            side=rng.choice(["left", "right"]),
            stride=rng.choice([0, 0, 1, 2]),
            overflow=rng.random() < 0.5,
        ),
        padding=Padding(rng.choice([0, 0, 7, 15]), rng.choice([1, 1, 4, 8]), rng.choice(["left", "right"])),
        special_tokens=rng.random() < 0.7,
        offsets=rng.random() < 0.5,
    )
