"""Rank files as `tokenizer.json`, compared with tiktoken itself."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from edge_runtime.errors import UnsupportedTokenizer
from edgert_tools.tokenizer_sources import find_source, make_tokenizer
from edgert_tools.tokenizer_sources.tiktoken import merges_of, pattern_for, read_ranks

BYTES = [bytes([byte]) for byte in range(256)]
ALPHABET = "aaaabbcAB'sſ 12345٣ñé日本語한😀\n\t\r  .,=-_<>/\u0301\u200d"


def write_ranks(file: Path, tokens: Sequence[bytes]) -> Path:
    lines = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(tokens)]
    file.write_text("\n".join(lines) + "\n")
    return file


def made_of(folder: Path, config: dict[str, Any] | None = None) -> Tokenizer:
    """Hugging Face's reader on what was made."""
    make_tokenizer(find_source(folder), config or {}, folder / "made.json")
    tokenizer = Tokenizer.from_file(str(folder / "made.json"))
    tokenizer.encode_special_tokens = True
    return tokenizer


def random_texts(count: int) -> list[str]:
    rng = random.Random(5)
    return ["".join(rng.choices(ALPHABET, k=rng.randint(1, 50))) for _ in range(count)]


def test_every_way_to_make_a_token_is_a_merge() -> None:
    ranks = {token: rank for rank, token in enumerate([*BYTES, b"bc", b"ab", b"abc"])}
    assert merges_of(ranks) == [(b"b", b"c"), (b"a", b"b"), (b"a", b"bc"), (b"ab", b"c")]


def test_a_token_is_found_whichever_of_its_parts_is_made_first(tmp_path: Path) -> None:
    write_ranks(tmp_path / "gpt2.tiktoken", [*BYTES, b"bc", b"ab", b"abc", b"abcd"])
    assert made_of(tmp_path).encode("xabc").ids == [ord("x"), 258]  # (ab, c) alone would stop at [x, a, bc]


def test_a_word_that_is_a_token_is_that_token_even_if_no_merges_lead_to_it(tmp_path: Path) -> None:
    write_ranks(tmp_path / "gpt2.tiktoken", [*BYTES, b"lamp"])
    assert made_of(tmp_path).encode("lamp lamps").ids == [256, *b" lamps"]


@pytest.mark.parametrize("name", ["gpt2.tiktoken", "cl100k_base.tiktoken", "qwen.tiktoken"])
def test_real_ranks_give_the_ids_of_tiktoken(name: str, real_tokenizer: Callable[[str], Path]) -> None:
    tiktoken = pytest.importorskip("tiktoken", reason="the peer is missing: pip install tiktoken")
    file = real_tokenizer(name)
    ours = Tokenizer.from_file(str(real_tokenizer(name.split("_")[0].removesuffix(".tiktoken") + "-ranks")))
    pattern = pattern_for(Path(name), {})
    written = (
        r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+" if pattern == "gpt2" else pattern
    )
    peer = tiktoken.Encoding(name, pat_str=written, mergeable_ranks=read_ranks(file), special_tokens={})
    prose = real_tokenizer("botchan.txt").read_text(encoding="utf-8").splitlines()
    for text in [*prose, *random_texts(5000)]:
        normalized = ours.normalizer.normalize_str(text) if ours.normalizer else text
        assert ours.encode(text).ids == peer.encode_ordinary(normalized), ascii(text)


def test_the_pattern_follows_the_files_name_or_the_models_type() -> None:
    by_name = pattern_for(Path("cl100k_base.tiktoken"), {})
    assert pattern_for(Path("tokenizer.model"), {"model_type": "llama"}) == by_name
    with pytest.raises(UnsupportedTokenizer, match=r"tokenizer\.model.*regular expression.*'novel'"):
        pattern_for(Path("tokenizer.model"), {"model_type": "novel"})


def test_a_model_file_of_ranks_is_told_from_a_sentencepiece_model(tmp_path: Path) -> None:
    write_ranks(tmp_path / "tokenizer.model", [*BYTES, b"on"])
    assert find_source(tmp_path).kind == "tiktoken"
    assert made_of(tmp_path, {"model_type": "llama"}).encode("on").ids == [256]


@pytest.mark.parametrize("first_id", [257, 260])
def test_special_tokens_keep_their_ids(tmp_path: Path, first_id: int) -> None:
    write_ranks(tmp_path / "gpt2.tiktoken", [*BYTES, b"on"])
    entries = {str(first_id + at): {"content": name, "special": True} for at, name in enumerate(["<|end|>", "<|x|>"])}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": entries}))
    made = made_of(tmp_path)
    assert (made.token_to_id("<|end|>"), made.token_to_id("<|x|>")) == (first_id, first_id + 1)
    made.encode_special_tokens = False
    assert made.encode("on<|x|>").ids == [256, first_id + 1]
    assert made.decode([256, first_id]) == "on"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace(" 7\n", " seven\n"), "line 8"),
        (lambda text: "?" + text, "line 1"),
        (lambda text: text.replace(" 7\n", " 8\n"), "a rank twice"),
        (lambda text: "\n".join(text.splitlines()[:200]), "0xC8"),
    ],
)
def test_damaged_ranks_are_refused(tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    file = write_ranks(tmp_path / "gpt2.tiktoken", BYTES)
    file.write_text(change(file.read_text()))
    with pytest.raises(UnsupportedTokenizer, match=says):
        read_ranks(file)


@pytest.mark.parametrize("table", ["[]", '{"x": {"content": "a"}}', '{"1": {}}', '{"1": 2}'])
def test_special_tokens_that_cannot_be_read_are_refused(tmp_path: Path, table: str) -> None:
    write_ranks(tmp_path / "gpt2.tiktoken", BYTES)
    (tmp_path / "tokenizer_config.json").write_text(f'{{"added_tokens_decoder": {table}}}')
    with pytest.raises(UnsupportedTokenizer, match="added_tokens_decoder"):
        made_of(tmp_path)
