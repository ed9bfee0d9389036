"""What a SentencePiece `.model` says of itself: enough of its protocol buffer to refuse what cannot be converted.

Source: https://github.com/google/sentencepiece, `sentencepiece_model.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UnsupportedTokenizer

_PIECES, _TRAINER = 1, 2  # fields of ModelProto
_MODEL_TYPE, _BYTE_FALLBACK = 3, 35  # fields of TrainerSpec
_TYPES = {1: "unigram", 2: "bpe", 3: "word", 4: "char"}
_SIZES = {1: 8, 5: 4}  # wire type -> bytes of a fixed value


@dataclass(frozen=True)
class ModelFacts:
    """Its algorithm, how many pieces it has, and whether unknown characters become bytes."""

    algorithm: str
    pieces: int
    byte_fallback: bool


def check_model(file: Path) -> ModelFacts:
    """Read a `.model`.

    Raises:
        UnsupportedTokenizer: it is not one, or its algorithm is neither unigram nor bpe.
    """
    facts = read_model(file)
    if facts.algorithm not in ("unigram", "bpe"):
        raise UnsupportedTokenizer(
            f"{file.name} is a SentencePiece model of the kind {facts.algorithm}: only unigram and bpe can be converted"
        )
    return facts


def read_model(file: Path) -> ModelFacts:
    """Give the facts of a `.model`; UnsupportedTokenizer if it is no SentencePiece model."""
    try:
        fields = list(_fields(file.read_bytes()))
        trainer = dict(_fields(next(value for name, value in fields if name == _TRAINER and isinstance(value, bytes))))
    except (IndexError, ValueError, StopIteration) as error:
        raise UnsupportedTokenizer(f"{file.name} is not a SentencePiece model") from error
    algorithm = _TYPES.get(int(trainer.get(_MODEL_TYPE, 1)), "unknown")
    pieces = sum(name == _PIECES for name, _ in fields)
    return ModelFacts(algorithm, pieces, bool(trainer.get(_BYTE_FALLBACK, 0)))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a message; ValueError or IndexError if it is none."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = _SIZES.get(key & 7)
        if size is None:
            if key & 7 != 2:
                raise ValueError(f"wire type {key & 7}")
            size, at = _varint(data, at)
        if at + size > len(data):
            raise ValueError("cut short")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
        if shift > 63:
            raise ValueError("a number is too long")
