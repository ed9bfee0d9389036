"""Our tokenizer as an application on a board uses it: compiled once, opened from the flat file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.tokenizing.hugging_face import Offsets
from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer import open_tokenizer
from edge_runtime.tokenizer.compiled import compile_tokenizer
from edge_runtime.tokenizer.encoding import Encoded, Tokenizer, Tokens


class Core(Tokenizer, Protocol):
    """A tokenizer that gives its tokens as they are, too: what is compared with a peer's list of ids."""

    def tokens(self, texts: Sequence[str], spans: bool = False) -> Tokens:
        """The tokens of texts, before truncation and special tokens."""


def opened(path: Path) -> Core:
    """A fresh tokenizer that has nothing but what is in the file."""
    return cast(Core, open_tokenizer(path))


def compiled(path: Path) -> Path:
    """Compile a `tokenizer.json` beside itself."""
    target = path.with_suffix(".edgert")
    if not compile_tokenizer(path, target):
        raise UnsupportedTokenizer(f"{path.name} has no compiled form: there is nothing to be measured")
    return target


def differing_ids(ours: list[Tokens], theirs: list[list[int]]) -> int:
    """How many documents have other ids than theirs."""
    lengths = np.concatenate([tokens.lengths for tokens in ours])
    rows = np.split(np.concatenate([tokens.ids for tokens in ours]), np.cumsum(lengths)[:-1])
    return sum(row.tolist() != own for row, own in zip(rows, theirs, strict=True))


def differing_offsets(ours: list[Encoded], theirs: list[tuple[list[int], Offsets]]) -> int:
    """How many documents have other ids or offsets than theirs."""
    rows = [row for encoded in ours for row in zip(*_with_offsets(encoded), strict=True)]
    return sum(not _equal(*row, *own) for row, own in zip(rows, theirs, strict=True))


def _with_offsets(encoded: Encoded) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    assert encoded.offsets is not None
    return encoded.input_ids, encoded.attention_mask, encoded.offsets


def _equal(
    ids: NDArray[np.int64], mask: NDArray[np.int64], spans: NDArray[np.int64], their_ids: list[int], their: Offsets
) -> bool:
    count = int(mask.sum())
    return ids[:count].tolist() == their_ids and [tuple(span) for span in spans[:count].tolist()] == their
