"""vocab.txt, vocab.json with merges.txt, and SentencePiece models, compared with what they were made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from edge_runtime.errors import SourceUnavailable, UnsupportedTokenizer
from edgert_tools.parity_texts import builtin_texts
from edgert_tools.tokenizer_sources import find_source, make_tokenizer
from tests.edge_runtime.tokenizer.real_files import model_folder

Real = Callable[[str], Path]


def opened(file: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer


@pytest.fixture(scope="module")
def prose(real_tokenizer: Real) -> list[str]:
    return real_tokenizer("botchan.txt").read_text(encoding="utf-8").splitlines()


def test_a_vocabulary_gives_what_the_models_own_file_gives(real_tokenizer: Real, prose: list[str]) -> None:
    made, own = opened(real_tokenizer("bert-vocab")), opened(real_tokenizer("minilm"))
    for text in [*prose, *builtin_texts(["[SEP]"], 300).lines]:
        assert made.encode(text).ids == own.encode(text).ids


def test_merges_give_what_the_ranks_of_the_same_model_give(real_tokenizer: Real, prose: list[str]) -> None:
    merges, ranks = opened(real_tokenizer("gpt2")), opened(real_tokenizer("gpt2-ranks"))
    for text in [*prose, *builtin_texts([], 300).lines]:
        assert merges.encode(text).ids == ranks.encode(text).ids, ascii(text)


@pytest.mark.parametrize(
    ("name", "source", "shift"),
    [
        ("mistral-v1", "mistral-v1.model", {}),
        ("mistral-v3", "mistral-v3.model", {}),
        ("t5", "botchan-unigram.model", {}),
        ("t5-test", "t5-test.model", {}),
        ("deberta-v2", "deberta-v3.model", {}),
        ("xlm-roberta", "kyoto-unigram.model", {0: 3, **{at: at + 1 for at in range(3, 8000)}}),
    ],
)
def test_a_sentencepiece_model_gives_its_own_ids(
    name: str, source: str, shift: dict[int, int], real_tokenizer: Real, prose: list[str]
) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="the peer is missing: pip install sentencepiece")
    peer = sentencepiece.SentencePieceProcessor(model_file=str(real_tokenizer(source)))
    made = opened(real_tokenizer(name))
    for text in prose:
        expected = [shift.get(token_id, token_id) for token_id in peer.encode(text)]
        assert made.encode(text, add_special_tokens=False).ids == expected, ascii(text)


def test_byte_fallback_of_a_bpe_model_is_kept(real_tokenizer: Real) -> None:
    sentencepiece = pytest.importorskip("sentencepiece", reason="the peer is missing: pip install sentencepiece")
    peer = sentencepiece.SentencePieceProcessor(model_file=str(real_tokenizer("mistral-v1.model")))
    made = opened(real_tokenizer("mistral-v1"))
    for text in builtin_texts([], 1500).lines:
        assert made.encode(text, add_special_tokens=False).ids == peer.encode(text), ascii(text)


@pytest.mark.parametrize("change", ["no header", "no newline at the end"])
def test_merges_of_which_one_would_be_lost_are_refused(change: str, real_tokenizer: Real, tmp_path: Path) -> None:
    real_tokenizer("gpt2-merges.txt")
    merges = model_folder("gpt2", tmp_path) / "merges.txt"
    text = merges.read_text(encoding="utf-8")
    merges.write_text(text.partition("\n")[2] if change == "no header" else text.rstrip("\n"), encoding="utf-8")
    with pytest.raises(UnsupportedTokenizer, match=r"has 50000 merges, of which transformers reads 49999"):
        make_tokenizer(find_source(tmp_path), {}, tmp_path / "made.json")


def test_a_model_class_without_a_converter_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[UNK]\na\n")
    (tmp_path / "config.json").write_text('{"model_type": "novel"}')
    with pytest.raises(UnsupportedTokenizer, match=r"vocab\.txt"):
        make_tokenizer(find_source(tmp_path), {}, tmp_path / "made.json")


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff" * 40, b"\x0a\x7fshort", b"\x1b"])
def test_a_file_that_is_no_sentencepiece_model_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(UnsupportedTokenizer, match=r"spiece\.model is not a SentencePiece model"):
        make_tokenizer(find_source(tmp_path), {}, tmp_path / "made.json")


@pytest.mark.parametrize("kind", ["word", "char"])
def test_a_sentencepiece_model_of_another_algorithm_is_refused(kind: str, tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece", reason="it makes the model: pip install sentencepiece")
    (tmp_path / "text").write_text("turn the lamp on\nturn the lamp off\n" * 20)
    spm.SentencePieceTrainer.train(
        input=str(tmp_path / "text"),
        model_prefix=str(tmp_path / "spiece"),
        model_type=kind,
        vocab_size=10,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    with pytest.raises(UnsupportedTokenizer, match=f"of the kind {kind}"):
        make_tokenizer(find_source(tmp_path), {}, tmp_path / "made.json")


def test_a_folder_without_any_tokenizer_says_what_would_do(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text(json.dumps({}))  # without its merges
    with pytest.raises(SourceUnavailable, match=r"vocab\.txt, vocab\.json with merges\.txt.*spiece\.model"):
        find_source(tmp_path)


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (["tokenizer.json", "vocab.txt", "spiece.model"], "tokenizer.json"),
        (["spiece.model", "vocab.txt"], "sentencepiece"),
        (["vocab.json", "merges.txt", "vocab.txt"], "merges"),
        (["vocab.txt"], "vocab.txt"),
    ],
)
def test_the_most_telling_file_is_taken(files: list[str], kind: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).write_bytes(b"\x0a\x00")
    assert find_source(tmp_path).kind == kind
