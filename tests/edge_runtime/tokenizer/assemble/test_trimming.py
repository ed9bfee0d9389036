"""Offsets leave out white space as Hugging Face `tokenizers` does it, once or twice."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest

from edge_runtime.tokenizer.assemble import Assembler, white_edges
from edge_runtime.tokenizer.encoding import Tokens, Truncation
from edge_runtime.tokenizer.spec.kinds import OffsetTrim, Piece, Template

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, processors

# Every word of up to four of these is a token: letters, white space of three kinds, and what is none.
ALPHABET = ["a", " ", "Ġ", "\u2003", "\x85", "\u200b"]
PIECES = ["".join(word) for size in range(1, 5) for word in itertools.product(ALPHABET, repeat=size)]
MASK = len(PIECES)
WHITE = " Ġ\u2003\x85"
PARTS = Truncation(stride=1, overflow=True)
CLS, SEP = Piece(None, (1,), 0), Piece(None, (2,), 0)
TEMPLATE = Template((CLS, Piece("A", (), 0), SEP), (CLS, Piece("A", (), 0), SEP, SEP, Piece("B", (), 0), SEP))


def untrimmed(rng: random.Random) -> Tokenizer:
    """The peer without a post-processor; its added token takes white space of the text along."""
    tokenizer = Tokenizer(models.WordLevel({piece: index for index, piece in enumerate(PIECES)}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\|"), "removed")
    tokenizer.add_tokens([AddedToken("<m>", lstrip=True, rstrip=rng.random() < 0.5, normalized=rng.random() < 0.5)])
    return tokenizer


def tokens_of(peer: Tokenizer, texts: Sequence[str]) -> tuple[Tokens, np.ndarray]:
    """Give the tokens of texts, and the white space of the added ones among them."""
    encodings = [peer.encode(text) for text in texts]
    ids = [token_id for encoding in encodings for token_id in encoding.ids]
    spans = [span for encoding in encodings for span in encoding.offsets]
    owners = [text for text, encoding in zip(texts, encodings, strict=True) for _ in encoding.ids]
    blanks = []
    for index, (token_id, (start, end), text) in enumerate(zip(ids, spans, owners, strict=True)):
        if token_id == MASK:
            own = text[start:end]
            blanks.append((index, len(own) - len(own.lstrip(WHITE)), len(own) - len(own.rstrip(WHITE))))
    return (
        Tokens(
            np.array(ids, np.int32),
            np.array([len(encoding.ids) for encoding in encodings], np.int64),
            np.array(spans, np.int32).reshape(-1, 2),
        ),
        np.array(blanks, np.int32).reshape(-1, 3),
    )


def random_rules(rng: random.Random) -> tuple[list[object], tuple[OffsetTrim, ...]]:
    """Give post-processors of the peer that trim or not, and our rules for them."""
    chain, rules = [], []
    for kind in rng.choice([["roberta"], ["bytes", "roberta"]]):
        prefix, trims = rng.random() < 0.5, rng.random() < 0.8
        if kind == "bytes":
            chain.append(processors.ByteLevel(add_prefix_space=prefix, trim_offsets=trims))
        else:
            chain.append(processors.RobertaProcessing(("s", 2), ("c", 1), trims, prefix))
        rules += [OffsetTrim(prefix)] if trims else []
    return chain, tuple(rules)


@pytest.mark.parametrize("seed", range(20))
def test_offsets_are_trimmed_as_by_the_peer(seed: int) -> None:
    rng = random.Random(seed)
    edges = white_edges([*PIECES, "<m>"])
    plain = untrimmed(rng)
    for _ in range(15):
        chain, rules = random_rules(rng)
        peer = Tokenizer.from_str(plain.to_str())
        peer.post_processor = processors.Sequence(chain)
        texts = ["".join(rng.choices([*ALPHABET, "|", "|", "<m>"], k=rng.randrange(16))) for _ in range(6)]
        first, second = texts[:3], texts[3:] if rng.random() < 0.5 else None
        overflow = rng.random() < 0.5
        if overflow:
            peer.enable_truncation(10, stride=1)
        encodings = [peer.encode(*both) for both in (zip(first, second, strict=True) if second else zip(first))]
        rows = [row for encoding in encodings for row in (encoding, *encoding.overflowing)]
        peer_width = max(len(row.ids) for row in rows)
        for row in rows:
            row.pad(peer_width)
        (tokens, blanks), (pairs, pair_blanks) = tokens_of(plain, first), tokens_of(plain, second or [])
        ours = Assembler(TEMPLATE, trim=rules, edges=edges, overflow_type_ids=(0, 0)).assemble(
            tokens,
            pairs if second else None,
            max_tokens=10 if overflow else None,
            truncate=PARTS if overflow else False,
            offsets=True,
            blanks=blanks,
            pair_blanks=pair_blanks,
        )
        assert ours.offsets is not None
        assert [[*map(tuple, row)] for row in ours.offsets.tolist()] == [row.offsets for row in rows]


def test_white_space_is_counted_at_both_ends_and_a_gap_has_none() -> None:
    edges = white_edges(["Ġ\n a\t", None, " ", "", "\u200ba"])
    assert edges.leading.tolist() == [3, 0, 1, 0, 0]
    assert edges.trailing.tolist() == [1, 0, 1, 0, 0]
    assert edges.leading.dtype == np.uint8


def test_a_token_of_very_many_spaces_is_counted_whole() -> None:
    assert white_edges([" " * 300]).leading.tolist() == [300]
