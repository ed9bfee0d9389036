"""Compiles a map of characters as SentencePiece does: into a double array and a pool of replacements."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

_BLOCK = 256  # the children of a node lie in a block of their own: simple, not small
_HAS_VALUE, _SHIFT, _IS_VALUE = 1 << 8, 10, 1 << 31


def compile_charsmap(replacements: Mapping[str, str]) -> bytes:
    """Give the bytes of a `precompiled_charsmap`; keys are not empty and hold no U+0000."""
    root: dict[int, Any] = {}
    pool = b""
    for key, replacement in replacements.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[0] = len(pool)  # no byte of a key is 0
        pool += replacement.encode() + b"\0"
    units = [0] * _BLOCK
    _place(units, root, at=0, label=0)
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + pool


def _place(units: list[int], node: dict[int, Any], at: int, label: int) -> None:
    base = len(units)
    units += [0] * _BLOCK
    units[at] = (at ^ base) << _SHIFT | (_HAS_VALUE if 0 in node else 0) | label
    for byte, child in node.items():
        if byte == 0:
            units[base] = _IS_VALUE | child
        else:
            _place(units, child, base ^ byte, byte)
