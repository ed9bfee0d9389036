"""What each id gives, worked out at its first use and kept: at most one entry for each id of the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.decode.pieces import Pieces
from edge_runtime.tokenizer.decode.plain import PieceFunction, token_bytes


class PieceTable(dict[int, str | None]):
    """Id -> its decoded piece where it is not the first one; None for an id that gives nothing.

    Args:
        functions: done to each piece, one after another.
        skipped: ids that give nothing.
    """

    def __init__(self, pieces: Pieces, functions: tuple[PieceFunction, ...], skipped: frozenset[int]) -> None:
        super().__init__()
        self._pieces, self._functions, self._skipped = pieces, functions, skipped

    def __missing__(self, token_id: int) -> str | None:
        piece = self.decoded(token_id, first=False)
        self[token_id] = piece
        return piece

    def first(self, token_id: int) -> str | None:
        """Give the piece of an id that comes first."""
        return self.decoded(token_id, first=True) if self._functions else self[token_id]

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """Give the pieces of ids, without those that give nothing."""
        rest = iter(ids)
        for token_id in rest:
            piece = self.first(token_id)
            if piece is not None:
                return [piece, *[later for later in map(self.__getitem__, rest) if later is not None]]
        return []

    def decoded(self, token_id: int, first: bool) -> str | None:
        """Work out the piece of an id, without keeping it. BadRequest: the id is outside the vocabulary."""
        if not 0 <= token_id < len(self._pieces):
            raise BadRequest(
                f"token id {token_id} is not in the vocabulary: send ids from 0 to {len(self._pieces) - 1}"
            )
        piece = None if token_id in self._skipped else self._pieces[token_id]
        if piece is not None:
            for function in self._functions:
                piece = function(piece, first)
        return piece


class ByteTable(dict[int, bytes]):
    """Id -> the bytes that its byte-level piece stands for; none for an id that gives nothing.

    Attributes:
        texts: the same as text, for ids whose bytes are whole characters.
    """

    def __init__(self, pieces: PieceTable) -> None:
        super().__init__()
        self._pieces = pieces
        self.texts = TextTable(self)

    def __missing__(self, token_id: int) -> bytes:
        data = self.decoded(token_id)
        self[token_id] = data
        return data

    def decoded(self, token_id: int) -> bytes:
        """Work out the bytes of an id, without keeping them."""
        piece = self._pieces.decoded(token_id, first=False)
        return b"" if piece is None else token_bytes(piece)


class TextTable(dict[int, str | None]):
    """Id -> the text of its bytes; None if they are not whole characters."""

    def __init__(self, table: ByteTable) -> None:
        super().__init__()
        self._bytes = table

    def __missing__(self, token_id: int) -> str | None:
        try:
            text: str | None = self._bytes.decoded(token_id).decode()
        except UnicodeDecodeError:
            text = None
        self[token_id] = text
        return text
