"""Token ids back to text, all at once or one by one."""

from __future__ import annotations

from edge_runtime.tokenizer.decode.decoder import Decoder
from edge_runtime.tokenizer.decode.pieces import PiecePool, pieces_of, special_ids

__all__ = ["Decoder", "PiecePool", "pieces_of", "special_ids"]
