"""The real vocabulary of all-MiniLM-L6-v2: recorded ids, and the peer on everything that is at hand."""

from __future__ import annotations

import bz2
import hashlib
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.tokenizer import Tokenizer, open_tokenizer
from edge_runtime.tokenizer.spec import read_spec
from tests.edge_runtime.tokenizer.documents import every_code_point

VECTORS = Path(__file__).parents[2] / "vectors" / "wordpiece_minilm.json"
UNICODE_DATA = Path("/usr/share/unicode")  # Debian package unicode-data


@pytest.fixture(scope="module")
def ours(minilm_folder: Path) -> Tokenizer:
    return open_tokenizer(minilm_folder / "tokenizer.json")


@pytest.fixture(scope="module")
def golden() -> Any:
    return json.loads(VECTORS.read_text(encoding="ascii"))


@pytest.fixture(scope="module")
def peer(minilm_folder: Path) -> Any:
    return open_peer(minilm_folder)


def open_peer(folder: Path, parse_special: bool = False) -> Any:
    tokenizers = pytest.importorskip("tokenizers", reason="the peer is missing: pip install tokenizers")
    peer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    peer.no_truncation()
    peer.no_padding()
    peer.encode_special_tokens = not parse_special
    return peer


def differing(ours: Tokenizer, peer: Any, texts: Iterable[str]) -> list[str]:
    texts = list(texts)
    encodings = peer.encode_batch(texts)
    return [text for text, encoding in zip(texts, encodings, strict=True) if ours.encode(text) != encoding.ids]


def digest(ours: Tokenizer, texts: Iterable[str]) -> str:
    """Give the SHA-256 of all ids in order, written as decimal numbers with a space behind each."""
    sha256 = hashlib.sha256()
    for text in texts:
        sha256.update("".join(f"{token_id} " for token_id in ours.encode(text)).encode())
    return sha256.hexdigest()


def test_recorded_texts_have_their_recorded_ids(ours: Tokenizer, golden: Any) -> None:
    assert len(golden["plain"]) > 50
    for vector in golden["plain"]:
        assert ours.encode(vector["text"]) == vector["ids"], ascii(vector["text"])


def test_recorded_texts_with_special_tokens_parsed_have_their_recorded_ids(minilm_folder: Path, golden: Any) -> None:
    parsing = open_tokenizer(minilm_folder / "tokenizer.json", parse_special=True)
    for vector in golden["special_parsed"]:
        assert parsing.encode(vector["text"]) == vector["ids"], ascii(vector["text"])


def test_every_code_point_has_its_recorded_ids(ours: Tokenizer, golden: Any) -> None:
    assert digest(ours, every_code_point("a{}b ")) == golden["every_code_point_sha256"]


def test_the_records_are_what_the_peer_gives(minilm_folder: Path, golden: Any) -> None:
    for name, parse_special in (("plain", False), ("special_parsed", True)):
        peer = open_peer(minilm_folder, parse_special)
        for vector in golden[name]:
            assert peer.encode(vector["text"]).ids == vector["ids"], ascii(vector["text"])


def test_the_file_gives_vocabulary_size_and_pad_id(ours: Tokenizer) -> None:
    assert (ours.vocab_size, ours.pad_id) == (30522, 0)


def test_the_file_saved_again_by_the_peer_says_the_same(minilm_folder: Path, tmp_path: Path, peer: Any) -> None:
    peer.save(str(tmp_path / "tokenizer.json"))
    assert read_spec(tmp_path / "tokenizer.json") == read_spec(minilm_folder / "tokenizer.json")


@pytest.mark.parametrize("context", ["a{}b ", "\u302e{}\u0316 "])
def test_every_code_point_has_the_ids_of_the_peer(ours: Tokenizer, peer: Any, context: str) -> None:
    assert differing(ours, peer, every_code_point(context)) == []


@pytest.mark.parametrize(
    "name",
    [
        "NormalizationTest.txt.bz2",
        "auxiliary/GraphemeBreakTest.txt",
        "auxiliary/LineBreakTest.txt",
        "auxiliary/SentenceBreakTest.txt",
        "auxiliary/WordBreakTest.txt",
        "emoji/emoji-test.txt",
    ],
)
def test_unicode_test_files_have_the_ids_of_the_peer(ours: Tokenizer, peer: Any, name: str) -> None:
    path = UNICODE_DATA / name
    if not path.is_file():
        pytest.skip(f"{path} is missing: install the Debian package unicode-data")
    content = path.read_bytes()
    lines = (bz2.decompress(content) if name.endswith(".bz2") else content).decode().splitlines()
    texts = [text for line in lines if (text := sample_of(line))]
    assert len(texts) > 500
    assert differing(ours, peer, texts) == []
    assert differing(ours, peer, lines) == []  # the comments beside the samples are texts, too


def sample_of(line: str) -> str:
    """Give the characters of a line such as `1E0A 0323;1E0C 0307; # ...`, with a space for each semicolon."""
    words = line.partition("#")[0].replace(";", " 0020 ").split()
    codes = [int(word, 16) for word in words if len(word) >= 4 and all(digit in "0123456789ABCDEF" for digit in word)]
    return "".join(chr(code) for code in codes if not 0xD800 <= code <= 0xDFFF)


def test_smart_home_sentences_of_all_languages_have_the_ids_of_the_peer(ours: Tokenizer, peer: Any) -> None:
    package = importlib.util.find_spec("home_assistant_intents")
    if package is None or package.origin is None:
        pytest.skip("the sentences are missing: pip install home-assistant-intents")
    texts: set[str] = set()
    for path in (Path(package.origin).parent / "data").glob("*.json"):
        texts |= strings_of(json.loads(path.read_text(encoding="utf-8")))
    assert len(texts) > 10_000
    assert differing(ours, peer, sorted(texts)) == []


def strings_of(value: Any) -> set[str]:
    """Give every string anywhere in a JSON value, keys included."""
    if isinstance(value, dict):
        return strings_of([*value.keys(), *value.values()])
    if isinstance(value, list):
        return set().union(*map(strings_of, value))
    return {value} if isinstance(value, str) else set()
