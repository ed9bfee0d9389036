"""Tokens to a model's input arrays: truncation, pairs, templates, trimming of offsets, padding."""

from __future__ import annotations

from edge_runtime.tokenizer.assemble.assembler import Assembler
from edge_runtime.tokenizer.assemble.buffers import Buffers
from edge_runtime.tokenizer.assemble.trimming import Blanks, WhiteEdges, white_edges

__all__ = ["Assembler", "Blanks", "Buffers", "WhiteEdges", "white_edges"]
