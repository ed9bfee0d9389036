"""Random chains of decoders over a small vocabulary of awkward tokens, as our spec and as the peer reads them."""

from __future__ import annotations

import json
import random
from typing import Any

from tokenizers import Tokenizer, models

from edge_runtime.tokenizer.decode import Decoder
from edge_runtime.tokenizer.spec.kinds import (
    CTC,
    BPEDecoder,
    ByteFallback,
    ByteLevelDecoder,
    Fuse,
    MetaspaceDecoder,
    Pattern,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)
from edge_runtime.tokenizer.spec.kinds import Decoder as DecoderKind

WORDS = [
    *("", "a", "b", "▁", "▁▁", "▁a", "##a", "a</w>", "</w>", "|", "<pad>", "a|b", "x", "xx", "xxx", " x ", "aba"),
    *(".", "?", "!", ",", "'", "'s", " 's", "n't", " n't", "'m", "do not", " do not", "not", "do", " ", "  ", " ' "),
    *("Ġa", "Ã©", "Ã", "©", "â", "Ĥ", "¬", "âĤ", "ð", "ŁĺĢ", "ðŁ", "í", "ł", "ÿ", "不", "Ġ不", "é", "##.", "a."),
    *(f"<0x{byte:02X}>" for byte in b"A \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\xff\xc0\xe0"),
    *("<0xe2>", "<0x+f>", "<0xZZ>", "<0xé>", "<0x0", "<0x000>", "<s>", "</s>"),
]
PIECES: list[str | None] = [*WORDS[:20], None, *WORDS[20:]]  # with a gap, as real files have them
SPECIAL = frozenset({PIECES.index("<s>"), PIECES.index("</s>")})


def peer_of(document: dict[str, Any] | None) -> Tokenizer:
    """Give the peer with this decoder."""
    vocab = {piece: token_id for token_id, piece in enumerate(PIECES) if piece is not None}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="a"))
    tokenizer.add_special_tokens(["<s>", "</s>"])
    return Tokenizer.from_str(json.dumps(json.loads(tokenizer.to_str()) | {"decoder": document}))


def both(chain: list[tuple[DecoderKind, dict[str, Any]]]) -> tuple[Decoder, Tokenizer]:
    """Give ours and the peer's for a chain."""
    decoders = tuple(ours for ours, _ in chain)
    return Decoder(decoders, PIECES, SPECIAL), peer_of({"type": "Sequence", "decoders": [each for _, each in chain]})


def random_chain(rng: random.Random) -> list[tuple[DecoderKind, dict[str, Any]]]:
    return [random_decoder(rng) for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4, 5]))]


def random_ids(rng: random.Random) -> list[int]:
    """Ids of the whole vocabulary, or many of a few, so that runs and repeats are common."""
    few = rng.sample(range(len(PIECES)), rng.randrange(1, 6))
    return rng.choices(few if rng.random() < 0.5 else range(len(PIECES)), k=rng.choice([0, 1, 2, 3, 6, 12, 20]))


def random_decoder(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    """Any decoder; regular expressions are tried apart."""
    return rng.choice(
        [byte_level, word_piece, metaspace, byte_pair, ctc, replace, fuse, strip, byte_fallback],
    )(rng)


def byte_level(_: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    document = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    return ByteLevelDecoder(), document


def word_piece(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    prefix, cleanup = rng.choice(["##", "##", "", "a", "▁"]), rng.random() < 0.6
    return WordPieceDecoder(prefix, cleanup), {"type": "WordPiece", "prefix": prefix, "cleanup": cleanup}


def metaspace(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    replacement, scheme = rng.choice("▁▁▁ax"), rng.choice(["first", "never", "always"])
    document = {"type": "Metaspace", "replacement": replacement, "prepend_scheme": scheme, "split": True}
    return MetaspaceDecoder(replacement, scheme), document


def byte_pair(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    suffix = rng.choice(["</w>", "</w>", "", "a", "aba"])
    return BPEDecoder(suffix), {"type": "BPEDecoder", "suffix": suffix}


def ctc(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    pad, delimiter, cleanup = rng.choice(["<pad>", "a", "xx", ""]), rng.choice(["|", "▁", "", "x"]), rng.random() < 0.6
    document = {"type": "CTC", "pad_token": pad, "word_delimiter_token": delimiter, "cleanup": cleanup}
    return CTC(pad, delimiter, cleanup), document


def replace(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    found = rng.choice(["▁", "▁", "xx", "aa", " a", "a a", "<0xE2>", "aba"])
    content = rng.choice(["", " ", "x", "▁", "aa"])
    return ReplaceDecoder(Pattern(found, regex=False), content), replace_document({"String": found}, content)


def replace_document(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def fuse(_: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    return Fuse(), {"type": "Fuse"}


def strip(rng: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    content, start, stop = rng.choice(" ax▁"), rng.choice([0, 1, 1, 2]), rng.choice([0, 0, 1, 2])
    return StripDecoder(content, start, stop), {"type": "Strip", "content": content, "start": start, "stop": stop}


def byte_fallback(_: random.Random) -> tuple[DecoderKind, dict[str, Any]]:
    return ByteFallback(), {"type": "ByteFallback"}
