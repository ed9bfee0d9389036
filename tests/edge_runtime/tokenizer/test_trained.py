"""Files that the peer trained and saved, one of each family, open and agree."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.encoding import Padding, Truncation
from edge_runtime.tokenizer.plain.reference import ReferenceTokenizer
from edge_runtime.tokenizer.spec import read_spec
from tests.edge_runtime.tokenizer.documents import random_text
from tests.edge_runtime.tokenizer.families.comparison import (
    Call,
    decoded_by_ours,
    decoded_by_theirs,
    differing,
    rows_of_ours,
    rows_of_theirs,
)

SPECIALS = ["<unk>", "<s>", "</s>", "<pad>"]
SENTENCES = (
    "Turn on the kitchen lights, it's 12345 o'clock!",
    "Schalte bitte das Licht in der K\u00fcche ein.",
    "\u8bf7\u6253\u5f00\u53a8\u623f\u7684\u706f\u3002 \u53f0\u6240\u306e\u96fb\u6c17\u3092\u3064\u3051\u3066",
    "\u0412\u043a\u043b\u044e\u0447\u0438 \u0441\u0432\u0435\u0442 \u043d\u0430 \u043a\u0443\u0445\u043d\u0435",
    'def f(x):\n    return x  # {"a": [1, 2]}\r\n\n\n\t\U0001f600',
)
WHOLE = Call(12, Truncation(stride=2, overflow=True), Padding(), special_tokens=True)


def _wordpiece() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.WordPiece(unk_token="<unk>"))
    peer.normalizer = normalizers.BertNormalizer()
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    peer.decoder = decoders.WordPiece()
    return peer, trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIALS, show_progress=False)


def _byte_level_bpe() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.BPE())
    peer.normalizer = normalizers.NFC()
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    peer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return peer, trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )


def _sentencepiece_bpe() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    peer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    peer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokens = SPECIALS + [f"<0x{byte:02X}>" for byte in range(256)]
    return peer, trainers.BpeTrainer(vocab_size=900, special_tokens=tokens, limit_alphabet=60, show_progress=False)


def _clip() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    peer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    peer.pre_tokenizer = pre_tokenizers.Whitespace()
    peer.decoder = decoders.BPEDecoder()
    return peer, trainers.BpeTrainer(
        vocab_size=900, special_tokens=SPECIALS, end_of_word_suffix="</w>", show_progress=False
    )


def _unigram() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.Unigram())
    peer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip()])
    peer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    peer.decoder = decoders.Metaspace(prepend_scheme="first")
    return peer, trainers.UnigramTrainer(
        vocab_size=4000, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False
    )


def _word_level() -> tuple[Tokenizer, Any]:
    peer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    peer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(True)])
    return peer, trainers.WordLevelTrainer(vocab_size=900, special_tokens=SPECIALS, show_progress=False)


@pytest.mark.parametrize("make", [_wordpiece, _byte_level_bpe, _sentencepiece_bpe, _clip, _unigram, _word_level])
def test_a_file_that_the_peer_trained_and_saved_opens_and_agrees(
    make: Callable[[], tuple[Tokenizer, Any]], tmp_path: Path
) -> None:
    rng = random.Random(2)
    corpus = [random_text(rng) + rng.choice(SENTENCES) for _ in range(300)]
    peer, trainer = make()
    peer.train_from_iterator(corpus, trainer)
    peer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    peer.add_tokens(
        ["kitchen", AddedToken("<mask>", lstrip=True, normalized=False), AddedToken("it", single_word=True)]
    )
    peer.enable_padding(pad_id=3, pad_token="<pad>", length=64)
    peer.enable_truncation(4)
    peer.save(str(tmp_path / "tokenizer.json"))
    # Not the one that was trained: reading its own file changes scores of a Unigram model in the last place.
    peer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    peer.no_padding()
    peer.no_truncation()
    peer.encode_special_tokens = True

    texts = [*SENTENCES, *corpus[:40], "the <mask>  Kitchen <s>", *(random_text(rng) for _ in range(100))]
    for ours in (
        ReferenceTokenizer(read_spec(tmp_path / "tokenizer.json")),
        open_tokenizer(tmp_path / "tokenizer.json"),
    ):
        assert ours.vocab_size == peer.get_vocab_size()
        assert ours.pad_id == 3
        expected = rows_of_theirs(peer, 3, WHOLE, texts, None)
        assert differing(rows_of_ours(ours, WHOLE, texts, None), expected) == []
        for encoding in peer.encode_batch(texts):
            theirs = decoded_by_theirs(peer, encoding.ids, True)
            assert theirs in (None, decoded_by_ours(ours, encoding.ids, True))
    assert json.loads((tmp_path / "tokenizer.json").read_text())["padding"]["strategy"] == {"Fixed": 64}
