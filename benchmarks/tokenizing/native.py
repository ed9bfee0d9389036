"""Native peers, each behind one call from texts to lists of ids. A peer that is not here is left out and named."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.tokenizing.clock import Call

Encode = Callable[[Sequence[str]], Any]
# GPT-2's pattern, which its file only names.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class NativePeer:
    """A peer that loaded the file.

    Attributes:
        name: with its version.
        encode: from texts to something in that library's own form.
        rows: that as a list of ids for each text, for counting.
    """

    name: str
    encode: Encode
    rows: Callable[[Any], list[list[int]]] = list

    def call(self, batches: Sequence[Sequence[str]]) -> Call:
        """What is timed."""
        return lambda: [self.encode(batch) for batch in batches]

    def differing(self, texts: Sequence[str], expected: Sequence[Sequence[int]]) -> int:
        """How many documents have other ids than `tokenizers` gives."""
        own = self.rows(self.encode(texts))
        return sum(list(row) != list(other) for row, other in zip(own, expected, strict=True))


def load_peers(path: Path, kind: str) -> tuple[list[NativePeer], list[str]]:
    """Give the peers for this kind of tokenizer, and a line for each that is not here or refuses the file."""
    peers, missing = [], []
    for package, kinds, load in _LOADERS:
        if kind not in kinds:
            continue
        try:
            version = importlib.metadata.version(package)
            peers += [NativePeer(f"{package} {version}{form}", *calls) for form, calls in load(path).items()]
        except Exception as error:  # noqa: BLE001  a peer may fail in any way of its own: the others are measured
            missing.append(f"{package}: {type(error).__name__}: {str(error)[:120]}")
    return peers, missing


Loaded = dict[str, tuple[Any, ...]]


def _nanotoken(path: Path) -> Loaded:
    tokenizer = importlib.import_module("nanotoken").Tokenizer(str(path))
    return {"": (lambda texts: tokenizer.encode_batch(texts, add_special_tokens=False, parallel=False),)}


def _snaptokens(path: Path) -> Loaded:
    tokenizer = importlib.import_module("snaptokens").Tokenizer.from_file(str(path))

    def lists(texts: Sequence[str]) -> Any:
        encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def flat(texts: Sequence[str]) -> Any:
        return tokenizer.encode_batch_flat(texts, add_special_tokens=False)

    def rows(result: Any) -> list[list[int]]:
        ids, ends = np.frombuffer(result[0], np.uint32), np.frombuffer(result[1], np.uint64)
        return [row.tolist() for row in np.split(ids, ends[1:-1].astype(np.int64))]

    return {"": (lists,), " flat": (flat, rows)}


def _tiktoken(path: Path) -> Loaded:
    """The vocabulary of a byte-level file as ranks: right where ids were given in the order of merging."""
    document = json.loads(path.read_text(encoding="utf-8"))
    added = {token["content"] for token in document["added_tokens"]}
    letters = _byte_letters()
    vocab = {token: rank for token, rank in document["model"]["vocab"].items() if token not in added}
    ranks = {bytes(map(letters.__getitem__, token)): rank for token, rank in vocab.items()}
    steps = document["pre_tokenizer"].get("pretokenizers", [])
    pattern = next((step["pattern"]["Regex"] for step in steps if step["type"] == "Split"), GPT2_PATTERN)
    encoding = importlib.import_module("tiktoken").Encoding(
        path.stem, pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )
    return {"": (lambda texts: [encoding.encode_ordinary(text) for text in texts],)}


def _byte_letters() -> dict[str, int]:
    """The letters that byte-level vocabularies write bytes with. Source: `bytes_to_unicode` of GPT-2's encoder.py."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(0x100 + at): byte for at, byte in enumerate(rest)}


def _tuetoken(path: Path) -> Loaded:
    tokenizer = importlib.import_module("tuetoken").Tokenizer(str(path))
    return {"": (lambda texts: tokenizer.encode_ordinary_batch(texts, 1),)}


def _tokie(path: Path) -> Loaded:
    tokenizer = importlib.import_module("tokie").Tokenizer.from_json(str(path))
    return {"": (lambda texts: [encoding.ids for encoding in tokenizer.encode_batch(texts, False)],)}


def _sentencepiece(path: Path) -> Loaded:
    from tests.edge_runtime.tokenizer.real_files import real_file

    model = str(real_file(f"{path.stem}.model"))
    processor = importlib.import_module("sentencepiece").SentencePieceProcessor(model_file=model)
    return {"": (lambda texts: processor.encode(texts, num_threads=1),)}


_LOADERS: tuple[tuple[str, tuple[str, ...], Callable[[Path], Loaded]], ...] = (
    ("nanotoken", ("WordPiece",), _nanotoken),
    ("snaptokens", ("byte-level BPE",), _snaptokens),
    ("tiktoken", ("byte-level BPE",), _tiktoken),
    ("tuetoken", ("byte-level BPE",), _tuetoken),
    ("tokie", ("WordPiece", "byte-level BPE", "Unigram", "SentencePiece BPE"), _tokie),
    ("sentencepiece", ("Unigram",), _sentencepiece),
)
