"""Reads the merges of a BPE model: 280,000 of them in some files, so all is done on whole arrays and long texts.

Everything here raises UnsupportedTokenizer, naming the place, when a value is not of the kind asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple, cast, overload

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.piece_index import NONE, PieceIndex, PieceText
from edge_runtime.tokenizer.spec.section import as_list, as_text, wrong

_COMMENT = "#version"  # how a line of merges starts that is none
_ASCII = 128

Index = NDArray[np.int64]


class Merges(Sequence[tuple[str, str]]):
    """The merges of a BPE model as ids, and as pairs of pieces for whoever looks at them.

    Attributes:
        ids: (3, merges) int32: of the first piece, of the second, and of what they make.
    """

    def __init__(self, ids: NDArray[np.int32], vocab: Mapping[str, int]) -> None:
        self.ids, self._vocab = ids, vocab

    @cached_property
    def _pairs(self) -> list[tuple[str, str]]:
        pieces = dict(zip(self._vocab.values(), self._vocab.keys(), strict=True))
        lefts, rights = (map(pieces.__getitem__, row.tolist()) for row in self.ids[:2])
        return list(zip(lefts, rights, strict=True))

    def __len__(self) -> int:
        return len(self.ids[0])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    @overload
    def __getitem__(self, at: int) -> tuple[str, str]: ...

    @overload
    def __getitem__(self, at: slice) -> list[tuple[str, str]]: ...

    def __getitem__(self, at: int | slice) -> tuple[str, str] | list[tuple[str, str]]:
        return self._pairs[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Merges) and self._pairs == other._pairs

    __hash__ = None  # type: ignore[assignment]


class _Pieces(NamedTuple):
    """The pieces of all merges, one behind another: in `text` without a gap, `sizes` (merges, 2) in bytes."""

    text: bytes
    sizes: Index


def read_merges(value: object, vocab: Mapping[str, int], prefix: str, where: str) -> Merges:
    """Give the merges, written `["a", "b"]` or, in files of before 2024, `"a b"`.

    Args:
        vocab: must have the two pieces of each merge and what they make, and no two pieces with the same id.
        prefix: of pieces inside a word; a merge drops it from the second piece.
    """
    entries = as_list(value, where)
    kinds = set(map(type, entries))
    if kinds <= {str}:
        pieces = _split_lines(cast("list[str]", entries), where)
    elif kinds == {list}:
        pieces = _join_pairs(cast("list[list[object]]", entries), where)
    else:
        raise UnsupportedTokenizer(f'{where} is not supported: edgert expects "a b" or ["a", "b"] throughout')
    encoded_prefix = prefix.encode()
    if encoded_prefix and len(pieces.sizes) and pieces.sizes[:, 1].min() < len(encoded_prefix):
        raise UnsupportedTokenizer(f"{where} has a second piece shorter than continuing_subword_prefix {prefix!r}")
    return Merges(_ids_of(pieces, vocab, encoded_prefix), vocab)


def _split_lines(lines: list[str], where: str) -> _Pieces:
    text = "  ".join(lines)
    if _COMMENT in text:
        lines = [line for line in lines if not line.startswith(_COMMENT)]
        text = "  ".join(lines)
    encoded = _encoded(text, lines, where)
    sizes = _sizes_in(encoded, len(lines)) if lines else np.zeros((0, 2), np.int64)
    if sizes is None:
        bad = next(line for line in lines if line.count(" ") != 1 or line[0] == " " or line[-1] == " ")
        raise wrong(bad, where, "two pieces with a space between them")
    return _Pieces(encoded.translate(None, b" "), sizes)


def _sizes_in(lines: bytes, count: int) -> Index | None:
    """Give the sizes of the pieces of lines joined by two spaces; None if not each has one space, inside."""
    spaces = np.flatnonzero(np.frombuffer(lines, np.uint8) == ord(" "))
    if len(spaces) != 3 * count - 2:
        return None
    inside, end, last = np.append(spaces, len(lines) + np.arange(2)).reshape(-1, 3).T
    sizes = np.stack([inside - np.append(-1, last[:-1]), end - inside], axis=1) - 1
    return sizes if (last == end + 1).all() and (sizes > 0).all() else None


def _join_pairs(pairs: list[list[object]], where: str) -> _Pieces:
    if set(map(len, pairs)) != {2}:
        raise wrong(next(pair for pair in pairs if len(pair) != 2), where, "two pieces")
    parts = list(chain.from_iterable(pairs))
    if not set(map(type, parts)) <= {str}:
        raise wrong(next(part for part in parts if type(part) is not str), where, "a string")
    pieces = cast("list[str]", parts)
    for mark in map(chr, range(_ASCII)):  # one that no piece holds
        text = mark.join(pieces)
        if text.count(mark) == len(pieces) - 1:
            encoded = _encoded(text, pieces, where)
            ends = np.append(np.flatnonzero(np.frombuffer(encoded, np.uint8) == ord(mark)), len(encoded))
            return _Pieces(encoded.translate(None, mark.encode()), (np.diff(ends, prepend=-1) - 1).reshape(-1, 2))
    sizes = np.array([len(piece.encode()) for piece in pieces])
    return _Pieces("".join(pieces).encode(), sizes.reshape(-1, 2))


def _encoded(text: str, parts: list[str], where: str) -> bytes:
    """Encode a text that parts are joined to; refuses the part that holds half of a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        for part in parts:
            as_text(part, where)
        raise


def _ids_of(pieces: _Pieces, vocab: Mapping[str, int], prefix: bytes) -> NDArray[np.int32]:
    """Look up the pieces of merges and what they make, and refuse what the vocabulary does not have."""
    if not len(pieces.sizes):
        return np.zeros((3, 0), np.int32)
    text, sizes = PieceText(pieces.text), pieces.sizes
    both = sizes.sum(axis=1)
    starts = np.cumsum(both) - both
    rights = starts + sizes[:, 0]
    made = _without_prefix(text, rights, both, len(prefix)) if prefix else (text, starts, both)
    spans = (text, starts, sizes[:, 0]), (text, rights, sizes[:, 1]), made
    index = PieceIndex(vocab)
    ids = np.stack([index.find(*span) for span in spans])
    missing = np.argwhere(ids.T == NONE)
    if len(missing):
        at, row = missing[0].tolist()
        left, right, result = (named.at(int(start[at]), int(size[at])) for named, start, size in spans)
        raise UnsupportedTokenizer(
            f"merge {left!r} {right!r} needs {(left, right, result)[row]!r}, which is not in the vocabulary"
        )
    return ids


def _without_prefix(text: PieceText, rights: Index, both: Index, size: int) -> tuple[PieceText, Index, Index]:
    """Take as many bytes off each second piece as the prefix has, whatever they are, as the original does."""
    keep = np.ones(len(text.content), np.bool_)
    keep[(rights[:, None] + np.arange(size)).reshape(-1)] = False
    both = both - size
    return PieceText(np.frombuffer(text.content, np.uint8)[keep].tobytes()), np.cumsum(both) - both, both
