"""The table of grapheme clusters, as the normalizer `Precompiled` cuts texts into them.

It looks each cluster of less than 6 bytes up in its map of characters, and takes the entry of the longest beginning for
the whole; of a longer cluster it looks up each character. So in a text that ends with a marked character and U+0300,
the accent is lost if the two are a cluster, and stays if the marked character belongs to the cluster before it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from tokenizers import normalizers

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.graphemes import KINDS
from edge_runtime.tokenizer.unicode.tables import Table
from edgert_tools.unicode_tables.probes import CODE_POINTS, normalize, partition

_SEPARATOR = "\x01"  # a control character: always a cluster of its own
_ACCENT, _OTHER_ACCENT, _JOINER = "\u0300", "\u0301", "\u200d"
_LEAD, _VOWEL, _TRAIL, _SIGN, _CONSONANT, _LINKER = "\u1100", "\u1160", "\u11a8", "\xa9", "\u0915", "\u094d"
# The children of a node by their bytes; 0 is the place of its replacement in the pool.
_Node = dict[int, "_Node | int"]

_MARKED = ("a", _LEAD, _VOWEL, _TRAIL, _SIGN, _CONSONANT, _ACCENT)

# Two of them, and no other two characters, join; a cluster of them is longer than 6 bytes, so that nobody can tell.
_REGIONAL = CodePoints([(0x1F1E6, 0x1F1FF)])


def collect() -> dict[str, Table]:
    """Find for each character the rules of Unicode Standard Annex 29 that it takes part in.

    Raises:
        ValueError: the answers fit no kind, or more than one.
    """
    prepend = _joined_by("a")
    spacing = _joins(lambda char: "a" + char, None)
    extend = _joins(lambda char: _SIGN + char + _JOINER + _SIGN, _SIGN) & spacing
    joiner = _joins(lambda char: _SIGN + char + _SIGN, _SIGN) - prepend
    consonant = _joins(lambda char: char + _LINKER + _CONSONANT, _CONSONANT) - prepend
    linker = _joins(lambda char: _CONSONANT + char + _CONSONANT, _CONSONANT) - prepend
    inner = _joins(lambda char: _CONSONANT + char + _LINKER + _CONSONANT, _CONSONANT) - consonant - linker - joiner
    return {
        "grapheme": partition(
            [
                ("Control", _controls()),
                ("Prepend", prepend),
                ("Linker", linker),
                ("Extend", inner),
                ("OtherExtend", extend - linker - inner),
                ("ZWJ", joiner),
                ("SpacingMark", spacing - extend - joiner),
                ("Pictographic", _joins(lambda char: char + _JOINER + _SIGN, _SIGN) - prepend),
                ("Consonant", consonant),
                ("Regional", _REGIONAL),
                *_hangul(prepend),
            ],
            default=KINDS[0],
        )
    }


def _hangul(prepend: CodePoints) -> list[tuple[str, CodePoints]]:
    """Tell the kinds of Hangul by what they join with."""
    with_lead, with_vowel, with_trail = (_joined_by(jamo) - prepend for jamo in (_LEAD, _VOWEL, _TRAIL))
    marked = [chr(code) for code in with_vowel | with_trail]
    after_vowel, after_trail = (
        CodePoints.of(
            ord(char)
            for char, result in zip(marked, _normalize([jamo + char + _ACCENT for char in marked], marked), strict=True)
            if result.endswith("^~")
        )
        for jamo in (_VOWEL, _TRAIL)
    )
    syllables = with_vowel & with_trail
    return [
        ("L", with_lead),
        ("V", syllables & after_vowel),
        ("LV", syllables - after_vowel),
        ("T", after_trail - syllables),
        ("LVT", with_trail - syllables - after_trail),
    ]


def _joined_by(last: str) -> CodePoints:
    """Give the characters that a marked character right behind them joins."""
    return _joins(lambda char: char + last, last)


def _joins(probe: Callable[[str], str], last: str | None) -> CodePoints:
    """Give the characters that make a marked character at the end of a probe join what is before it.

    Args:
        probe: gives the text for a character.
        last: the marked character at the end; None: the text is one cluster if the map takes all of it.
    """
    texts = [probe(chr(code)) for code in CODE_POINTS if chr(code) != _SEPARATOR]
    codes = [code for code in CODE_POINTS if chr(code) != _SEPARATOR]
    if last is None:
        results = _normalize(texts)
        return CodePoints.of(code for code, result in zip(codes, results, strict=True) if result == "^")
    results = _normalize([text + _ACCENT for text in texts])
    pairs = zip(codes, results, strict=True)
    return CodePoints.of(code for code, result in pairs if result.endswith("^~") or result == "^")


def _controls() -> CodePoints:
    """Give what not even an accent joins; the separator, which cannot be asked about, is such a character."""
    codes = [code for code in CODE_POINTS if chr(code) != _SEPARATOR]
    results = _normalize([chr(code) + _ACCENT + _OTHER_ACCENT for code in codes])
    alone = [code for code, result in zip(codes, results, strict=True) if result == chr(code) + "~"]
    return CodePoints.of([*alone, ord(_SEPARATOR)])


def _normalize(probes: list[str], more: Iterable[str] = ()) -> list[str]:
    """Normalize with a map that turns the accent into `~` and every other marked character into `^`."""
    replacements = {**dict.fromkeys([*more, *_MARKED], "^"), _ACCENT: "~"}
    return normalize(normalizers.Precompiled(character_map(replacements)), probes, _SEPARATOR)


def character_map(replacements: dict[str, str]) -> bytes:
    """Write a map of characters as SentencePiece does: a double-array trie, and the replacements, each ended by NUL.

    Source: https://github.com/s-yata/darts-clone, `unit`; https://github.com/huggingface/spm_precompiled.
    """
    pool = sorted(set(replacements.values()))
    places = {text: sum(len(one.encode()) + 1 for one in pool[:at]) for at, text in enumerate(pool)}
    root: _Node = {}
    for source, target in replacements.items():
        node = root
        for byte in source.encode():
            child = node.setdefault(byte, {})
            assert isinstance(child, dict), "no character holds the byte 0"
            node = child
        node[0] = places[target]
    units = _double_array(root)
    blob = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(blob)) + blob + b"".join(text.encode() + b"\0" for text in pool)


def _double_array(root: _Node) -> list[int]:
    """Lay out a trie: each node's children lie at its place, exclusive-or its offset, exclusive-or their bytes."""
    units = {0: 0}
    open_nodes = [(0, root)]
    free = 1
    while open_nodes:
        place, node = open_nodes.pop()
        base = free
        while any(base ^ byte in units for byte in node):
            base += 1
        units[place] |= (place ^ base) << 10 | (0 in node) << 8
        for byte, child in node.items():
            units[base ^ byte] = (1 << 31 | child) if isinstance(child, int) else byte
            if isinstance(child, dict):
                open_nodes.append((base ^ byte, child))
        while free in units:
            free += 1
    # A place that no node has must not look like the child of one: byte 0 is never asked for.
    return [units.get(place, 0) for place in range((max(units) | 0xFF) + 1)]
