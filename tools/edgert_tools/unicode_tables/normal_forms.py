"""The tables of the four normal forms."""

from __future__ import annotations

from collections.abc import Collection

from tokenizers import normalizers

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.character_tables import decompose_hangul
from edge_runtime.tokenizer.unicode.tables import Table
from edgert_tools.unicode_tables.probes import CODE_POINTS, SEPARATOR, changed, normalize, partition

# One character of every canonical combining class that the library knows; `combining_class` checks the order.
CLASS_EXAMPLES = {
    1: "\u0334", 7: "\u093c", 8: "\u3099", 9: "\u094d", 10: "\u05b0", 11: "\u05b1", 12: "\u05b2", 13: "\u05b3",
    14: "\u05b4", 15: "\u05b5", 16: "\u05b6", 17: "\u05b7", 18: "\u05b8", 19: "\u05b9", 20: "\u05bb",
    21: "\u05bc", 22: "\u05bd", 23: "\u05bf", 24: "\u05c1", 25: "\u05c2", 26: "\ufb1e", 27: "\u064b",
    28: "\u064c", 29: "\u064d", 30: "\u064e", 31: "\u064f", 32: "\u0650", 33: "\u0651", 34: "\u0652",
    35: "\u0670", 36: "\u0711", 84: "\u0c55", 91: "\u0c56", 103: "\u0e38", 107: "\u0e48", 118: "\u0eb8",
    122: "\u0ec8", 129: "\u0f71", 130: "\u0f72", 132: "\u0f74", 202: "\u0321", 214: "\u1dce", 216: "\u031b",
    218: "\u302a", 220: "\u0316", 222: "\u059a", 224: "\u302e", 226: "\U0001d16d", 228: "\u05ae",
    230: "\u0301", 232: "\u0315", 233: "\u035c", 234: "\u035d", 240: "\u0345",
}  # fmt: skip


def collect() -> dict[str, Table]:
    """Ask the normalizers NFC, NFD, NFKC and NFKD.

    Raises:
        ValueError: a combining class has no example, or a normal form is not what the tables say.
    """
    canonical, compatible = changed(normalizers.NFD()), changed(normalizers.NFKD(), separator="\n")
    composed = changed(normalizers.NFC())
    classes = _combining_classes(canonical)
    by_class = [(str(value), CodePoints.of(c for c in classes if classes[c] == value)) for value in CLASS_EXAMPLES]
    if missing := set(canonical) - set(compatible):
        raise ValueError(f"NFKD keeps U+{min(missing):04X}, which NFD decomposes")
    return {
        "combining_class": partition(by_class, default="0"),
        "decomposition": {code: text for code, text in canonical.items() if not _is_hangul(code, text)},
        "compatibility": {code: text for code, text in compatible.items() if canonical.get(code) != text},
        "uncomposed": CodePoints.of(composed),
    }


def _is_hangul(code: int, text: str) -> bool:
    return 0xAC00 <= code <= 0xD7A3 and decompose_hangul(code) == text


def _combining_classes(decomposed: Collection[int]) -> dict[int, int]:
    """Find the canonical combining class of every code point by what it changes places with in NFD."""
    nfd = normalizers.NFD()
    whole = [chr(code) for code in CODE_POINTS if code not in decomposed and chr(code) != SEPARATOR]
    first, last = CLASS_EXAMPLES[1], CLASS_EXAMPLES[240]
    behind = normalize(nfd, [last + char for char in whole])  # changes if the class is 1 to 239
    before = normalize(nfd, [char + first for char in whole])  # changes if the class is 2 or more
    combining = [
        char
        for char, one, other in zip(whole, behind, before, strict=True)
        if one != last + char or other != char + first
    ]
    return {ord(char): combining_class(nfd, char) for char in combining}


def combining_class(nfd: normalizers.Normalizer, char: str) -> int:
    """Place a combining character on the ladder of examples: the class whose example it never changes places with.

    Raises:
        ValueError: no example is of its class.
    """
    below = [value for value, example in CLASS_EXAMPLES.items() if nfd.normalize_str(char + example) != char + example]
    above = [value for value, example in CLASS_EXAMPLES.items() if nfd.normalize_str(example + char) != example + char]
    same = [value for value in CLASS_EXAMPLES if value not in below and value not in above]
    if len(same) != 1 or below + same + above != list(CLASS_EXAMPLES):
        raise ValueError(f"no example has the combining class of U+{ord(char):04X}: add one")
    return same[0]
