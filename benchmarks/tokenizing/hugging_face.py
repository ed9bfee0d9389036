"""Hugging Face `tokenizers`, each task by its fastest call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, __version__
from tokenizers.decoders import DecodeStream

IdArray = NDArray[np.int64]
Offsets = list[tuple[int, int]]
NAME = f"tokenizers {__version__}"
MAX_TOKENS = 512


class HuggingFace:
    """A tokenizer of theirs set to do what ours does: texts are plain text, special tokens in them are not parsed."""

    def __init__(self, path: Path) -> None:
        self.peer = Tokenizer.from_file(str(path))
        self.peer.encode_special_tokens = True

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [encoding.ids for encoding in self.peer.encode_batch_fast(texts, add_special_tokens=False)]

    def ids_and_offsets(self, texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
        """Ids and offsets in characters; the fast call has no offsets."""
        encodings = self.peer.encode_batch(texts, add_special_tokens=False)
        return [(encoding.ids, encoding.offsets) for encoding in encodings]

    def limited(self) -> HuggingFace:
        """The same tokenizer, cutting at `MAX_TOKENS`, for the two calls below."""
        self.peer.enable_truncation(MAX_TOKENS)
        return self

    def padded_by_them(self, texts: Sequence[str]) -> tuple[IdArray, IdArray, IdArray]:
        """Ids, mask and type ids, padded by them and turned into arrays; `enable_padding` is on."""
        encodings = self.peer.encode_batch_fast(texts)
        return (
            np.array([encoding.ids for encoding in encodings], np.int64),
            np.array([encoding.attention_mask for encoding in encodings], np.int64),
            np.array([encoding.type_ids for encoding in encodings], np.int64),
        )

    def padded_here(self, texts: Sequence[str]) -> tuple[IdArray, IdArray, IdArray]:
        """The same, the rows filled in NumPy: less crosses into Python."""
        rows = [encoding.ids for encoding in self.peer.encode_batch_fast(texts)]
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
        ids = np.zeros_like(mask)
        for row, own in zip(ids, rows, strict=True):
            row[: len(own)] = own
        return ids, mask, np.zeros_like(mask)

    def request(self, text: str) -> tuple[IdArray, IdArray, IdArray]:
        """One text with its special tokens as a model's input."""
        encoding = self.peer.encode(text)
        return (
            np.array([encoding.ids], np.int64),
            np.array([encoding.attention_mask], np.int64),
            np.array([encoding.type_ids], np.int64),
        )

    def stream(self, ids: Sequence[int]) -> Callable[[], str]:
        """Decode ids one by one, as a chat shows them."""

        def run() -> str:
            stream: Any = DecodeStream(skip_special_tokens=True)
            return "".join(stream.step(self.peer, token_id) or "" for token_id in ids)

        return run
