"""SentencePiece's map of characters: which characters become which, as compiled into a model.

Source: `normalizers/precompiled.rs` of https://github.com/huggingface/tokenizers and the crate `spm_precompiled`, down
to their oddities: a cluster of less than six bytes is looked up as a whole first, and a look-up takes the shortest
beginning that is in the map and drops the rest of what was looked up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.plain.aligned import Aligned, Change
from edge_runtime.tokenizer.unicode import CharacterMap
from edge_runtime.tokenizer.unicode.graphemes import all_alone, graphemes

_LONGEST_CLUSTER = 5  # bytes of a cluster that is still looked up as a whole
_MOST_CLUSTERS = 4096  # clusters remembered; they come from texts, so there must be a limit

# A unit of the double array: label (8 bits and the top one), a flag that a value follows, and how far away its
# children are. Source: https://github.com/s-yata/darts-clone, `DoubleArrayUnit`.
_LABEL, _HAS_VALUE, _VALUE = 0x8000_00FF, 1 << 8, 0x7FFF_FFFF


class Charsmap:
    """What a `precompiled_charsmap` makes of a text.

    Args:
        data: the size of the double array in bytes, the array, and a pool of replacements that each end in a zero
            byte; numbers are little-endian, 4 bytes.

    Raises:
        UnsupportedTokenizer: the sizes do not fit or the pool is not UTF-8. So do all methods, if the array points
            outside of itself or of the pool.
    """

    def __init__(self, data: bytes) -> None:
        size = int.from_bytes(data[:4], "little")
        if len(data) < 4 or size > len(data) - 4 or size < 4:
            raise UnsupportedTokenizer(f"precompiled_charsmap of {len(data)} bytes is cut off")
        self._units = struct.unpack_from(f"<{size // 4}I", data, 4)
        self._pool = data[4 + size // 4 * 4 :]
        try:
            self._pool.decode()
        except UnicodeDecodeError as error:
            raise UnsupportedTokenizer(f"replacements of the precompiled_charsmap are not UTF-8: {error}") from error
        self._characters = CharacterMap(lambda code: self._character(chr(code)))
        self._clusters: dict[str, tuple[str, ...]] = {}

    def normalize(self, text: str) -> str:
        """Give the text with everything replaced."""
        if all_alone(text):
            return text.translate(self._characters)
        return "".join([new for cluster in graphemes(text) for new in self._parts(cluster)])

    def align(self, text: Aligned) -> Aligned:
        """Do what `normalize` does, and keep track."""
        return text.transform(_changes(self._replacements(text.text)))

    def _replacements(self, text: str) -> Iterator[tuple[int, str]]:
        """Give for each part of a text how many characters it has and what replaces them."""
        for cluster in graphemes(text):
            parts = self._parts(cluster)
            lengths = [len(cluster)] if len(parts) == 1 else [1] * len(cluster)
            yield from zip(lengths, parts, strict=True)

    def _parts(self, cluster: str) -> tuple[str, ...]:
        """Give the replacement of a cluster as a whole, or one for each of its characters."""
        parts = self._clusters.get(cluster)
        if parts is None:
            if len(self._clusters) >= _MOST_CLUSTERS:
                self._clusters.clear()
            parts = self._clusters[cluster] = self._look_up_parts(cluster)
        return parts

    def _look_up_parts(self, cluster: str) -> tuple[str, ...]:
        key = cluster.encode()
        whole = self._look_up(key) if len(key) <= _LONGEST_CLUSTER else None
        return tuple(map(self._character, cluster)) if whole is None else (whole,)

    def _character(self, char: str) -> str:
        new = self._look_up(char.encode())
        return char if new is None else new

    def _look_up(self, key: bytes) -> str | None:
        """Give what replaces the shortest beginning of the key that is in the map, None if there is none."""
        units = self._units
        try:
            at = _children(units[0])
            for byte in key:
                at ^= byte
                unit = units[at]
                if byte == 0 or unit & _LABEL != byte:
                    return None
                at ^= _children(unit)
                if unit & _HAS_VALUE:
                    return self._replacement(units[at] & _VALUE)
        except IndexError as error:
            raise UnsupportedTokenizer("double array of the precompiled_charsmap points outside of itself") from error
        return None

    def _replacement(self, start: int) -> str:
        end = self._pool.find(b"\0", start)
        try:
            if start > len(self._pool):
                raise UnsupportedTokenizer("precompiled_charsmap points outside of its replacements")
            return self._pool[start : len(self._pool) if end < 0 else end].decode()
        except UnicodeDecodeError as error:
            raise UnsupportedTokenizer("precompiled_charsmap points into a character") from error


def _children(unit: int) -> int:
    return unit >> 10 << ((unit & 1 << 9) >> 6)


def _changes(replacements: Iterator[tuple[int, str]]) -> list[Change]:
    """Say what became of each character when parts are replaced.

    A part that is replaced by nothing is counted with what was replaced before it; at the start of a text it is not
    counted at all, as in the original.
    """
    changes: list[Change] = []
    for old, new in replacements:
        kept = min(old, len(new))
        changes += [(char, 0) for char in new[:kept]]
        changes += [(char, 1) for char in new[kept:]]
        if len(new) < old and changes:
            char, change = changes[-1]
            changes[-1] = char, change + len(new) - old
    return changes
