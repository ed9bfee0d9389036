"""Our ids are those of Hugging Face `tokenizers`, whatever the file's options and whatever the text."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from tests.edge_runtime.tokenizer.documents import (
    BORDERS,
    MARKS,
    TOKEN_TEXTS,
    WORDS,
    every_code_point,
    random_document,
    random_text,
)
from tests.edge_runtime.tokenizer.oracle import tokenizers_of

TEXTS = st.lists(
    st.sampled_from(BORDERS)
    | st.sampled_from(MARKS)
    | st.sampled_from(TOKEN_TEXTS + WORDS)
    | st.characters(exclude_categories=["Cs"])
).map("".join)
DOCUMENTS = st.integers(0, 2**32).map(lambda seed: random_document(random.Random(seed)))


@settings(max_examples=500, deadline=None)
@given(document=DOCUMENTS, parse_special=st.booleans(), text=TEXTS)
def test_any_options_and_any_text_give_the_ids_of_the_peer(
    document: dict[str, Any], parse_special: bool, text: str
) -> None:
    ours, peer = tokenizers_of(document, parse_special)
    assert ours.encode(text) == peer.encode(text).ids
    assert ours.count(text) == len(peer.encode(text).ids)


@settings(max_examples=200, deadline=None)
@given(document=DOCUMENTS, texts=st.lists(TEXTS, min_size=1, max_size=5), room=st.integers(1, 12))
def test_any_batch_is_cut_and_padded_as_the_peer_does(document: dict[str, Any], texts: list[str], room: int) -> None:
    ours, peer = tokenizers_of(document, parse_special=False)
    max_tokens = room + peer.num_special_tokens_to_add(is_pair=False)
    whole_lengths = [len(encoding.ids) for encoding in peer.encode_batch(texts)]
    padding = document["padding"] or {"pad_id": document["model"]["vocab"]["[PAD]"], "pad_type_id": 0}
    peer.enable_truncation(max_tokens, strategy="longest_first")
    peer.enable_padding(pad_id=padding["pad_id"], pad_type_id=padding["pad_type_id"])
    expected = peer.encode_batch(texts)

    encoded = ours.encode_batch(texts, max_tokens, truncate=True)
    assert encoded.input_ids.tolist() == [encoding.ids for encoding in expected]
    assert encoded.attention_mask.tolist() == [encoding.attention_mask for encoding in expected]
    assert encoded.token_type_ids.tolist() == [encoding.type_ids for encoding in expected]
    assert encoded.truncated == tuple(length > max_tokens for length in whole_lengths)


@pytest.mark.parametrize("flags", [(True, True, True, True), (True, False, False, True), (False, True, True, False)])
@pytest.mark.parametrize("context", ["a{}b ", "\u302e{}\u0316\U0001d165"])
def test_every_code_point_is_normalized_as_the_peer_does(flags: tuple[bool, bool, bool, bool], context: str) -> None:
    ours = open_normalizer([kinds.BertNormalizer(*flags)])
    clean_text, handle_chinese_chars, strip_accents, lowercase = flags
    peer = normalizers.BertNormalizer(
        clean_text=clean_text,
        handle_chinese_chars=handle_chinese_chars,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )
    for text in every_code_point(context):
        assert ours.normalize(text) == peer.normalize_str(text)


def test_every_code_point_is_cut_as_the_peer_does() -> None:
    ours, peer = open_pre_tokenizer((kinds.BertPreTokenizer(),)), pre_tokenizers.BertPreTokenizer()
    for text in every_code_point("a{}b "):
        assert ours.words(text, first=True) == [word for word, _ in peer.pre_tokenize_str(text)]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("prefix", ["##", "\u2581"])
def test_a_file_trained_and_saved_by_the_peer_opens_and_agrees(tmp_path: Path, lowercase: bool, prefix: str) -> None:
    rng = random.Random(2)
    corpus = [random_text(rng) + " turn on the kitchen lights, per favore" for _ in range(300)]
    peer = Tokenizer(models.WordPiece(unk_token="[UNK]", continuing_subword_prefix=prefix))
    peer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    peer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    peer.train_from_iterator(
        corpus,
        trainers.WordPieceTrainer(
            vocab_size=900,
            special_tokens=["[UNK]", "[CLS]", "[SEP]", "<pad>"],
            continuing_subword_prefix=prefix,
            show_progress=False,
        ),
    )
    peer.post_processor = processors.BertProcessing(sep=("[SEP]", 2), cls=("[CLS]", 1))
    peer.add_tokens(["kitchen table"])
    peer.enable_padding(pad_id=3, pad_token="<pad>", length=64)
    peer.enable_truncation(4)
    peer.save(str(tmp_path / "tokenizer.json"))
    peer.no_padding()
    peer.no_truncation()
    peer.encode_special_tokens = True

    ours = open_tokenizer(tmp_path / "tokenizer.json")
    assert ours.vocab_size == peer.get_vocab_size()
    assert ours.pad_id == 3
    for text in [*corpus, "a Kitchen TABLE", "the kitchen table [SEP]", *(random_text(rng) for _ in range(300))]:
        assert ours.encode(text) == peer.encode(text).ids
