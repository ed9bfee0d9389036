"""Ids to text, by the decoders of a `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from edge_runtime.tokenizer.decode.pieces import Pieces
from edge_runtime.tokenizer.decode.plain import (
    PieceDecoder,
    PieceFunction,
    decoded,
    list_functions,
    piece_function,
)
from edge_runtime.tokenizer.decode.streams import BytesStream, PieceStream, StagedStream
from edge_runtime.tokenizer.decode.tables import ByteTable, PieceTable
from edge_runtime.tokenizer.encoding import DecodeStream
from edge_runtime.tokenizer.spec.kinds import ByteLevelDecoder
from edge_runtime.tokenizer.spec.kinds import Decoder as DecoderKind


class Decoder:
    """Gives the text of ids, exactly as Hugging Face `tokenizers`. Safe to share between threads.

    Args:
        decoders: what the file says; None joins tokens with spaces.
        pieces: the string of each id; None is an id that stands for nothing and gives nothing.
        special_ids: the ids that can be skipped.

    Raises:
        UnsupportedTokenizer: a `Replace` has a regular expression that is not implemented.
    """

    def __init__(self, decoders: tuple[DecoderKind, ...] | None, pieces: Pieces, special_ids: frozenset[int]) -> None:
        functions, self._rest = _split(decoders)
        self._tables = {
            skip: PieceTable(pieces, functions, special_ids if skip else frozenset()) for skip in (True, False)
        }
        self._byte_tables: dict[bool, ByteTable] | None = None
        if not functions and self._rest[:1] == (ByteLevelDecoder(),):
            self._byte_tables = {skip: ByteTable(table) for skip, table in self._tables.items()}
        behind = self._rest if self._byte_tables is None else self._rest[1:]
        self._functions = list_functions(behind)

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """Give the text of ids.

        Raises:
            BadRequest: an id is outside the vocabulary.
        """
        if isinstance(ids, np.ndarray):
            ids = ids.tolist()
        if self._byte_tables is not None:
            table = self._byte_tables[skip_special_tokens]
            return decoded(self._functions, [b"".join(map(table.__getitem__, ids)).decode("utf-8", "replace")])
        return decoded(self._functions, self._tables[skip_special_tokens].tokens(ids))

    def stream(self, skip_special_tokens: bool = True) -> DecodeStream:
        """Begin to decode ids that come one by one.

        What its steps and `finish` give, joined, is what `decode` gives. Text is held back only while a later id could
        change it: an unfinished character, a run of byte tokens, white space that the end would strip. Behind a decoder
        that joins all tokens, a regular expression (and a few decoders that no file has there) holds back everything.
        """
        if self._byte_tables is not None:
            return BytesStream(self._byte_tables[skip_special_tokens], self._rest[1:])
        table = self._tables[skip_special_tokens]
        return StagedStream(table, self._rest) if self._rest else PieceStream(table)


def _split(
    decoders: tuple[DecoderKind, ...] | None,
) -> tuple[tuple[PieceFunction, ...], tuple[DecoderKind, ...]]:
    """Part decoders into what each token needs by itself, done once for each id, and the rest."""
    if decoders is None:
        return (lambda token, first: token if first else f" {token}",), ()
    functions = []
    for decoder in decoders:
        if not isinstance(decoder, PieceDecoder):
            break
        functions.append(piece_function(decoder))
    return tuple(functions), decoders[len(functions) :]
