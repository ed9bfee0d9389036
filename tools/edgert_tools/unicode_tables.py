"""Read the character tables of BERT tokenizing out of Hugging Face `tokenizers`, over all code points.

`python -m edgert_tools.unicode_tables` writes `edge_runtime/tokenizer/unicode_tables.json` anew; with `--check` it only
says, by its exit status, whether the file is what the installed `tokenizers` gives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import tokenizers
from tokenizers import normalizers, pre_tokenizers

from edge_runtime.tokenizer import unicode
from edge_runtime.tokenizer.unicode import CodePoints, UnicodeTables

TABLES_PATH = Path(unicode.__file__).with_name(unicode.DATA_FILE)

# Put between the characters of a probe. No normalizer changes it, joins it to a neighbour or makes one.
_SEPARATOR = "0"
_CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF and chr(code) != _SEPARATOR]
_PROBE_LENGTH = 4096  # characters at a time: the library's cutting is quadratic in the length of a text

# One character of every canonical combining class that the library knows; `_combining_class` checks the order.
_CLASS_EXAMPLES = {
    1: "\u0334", 7: "\u093c", 8: "\u3099", 9: "\u094d", 10: "\u05b0", 11: "\u05b1", 12: "\u05b2", 13: "\u05b3",
    14: "\u05b4", 15: "\u05b5", 16: "\u05b6", 17: "\u05b7", 18: "\u05b8", 19: "\u05b9", 20: "\u05bb",
    21: "\u05bc", 22: "\u05bd", 23: "\u05bf", 24: "\u05c1", 25: "\u05c2", 26: "\ufb1e", 27: "\u064b",
    28: "\u064c", 29: "\u064d", 30: "\u064e", 31: "\u064f", 32: "\u0650", 33: "\u0651", 34: "\u0652",
    35: "\u0670", 36: "\u0711", 84: "\u0c55", 91: "\u0c56", 103: "\u0e38", 107: "\u0e48", 118: "\u0eb8",
    122: "\u0ec8", 129: "\u0f71", 130: "\u0f72", 132: "\u0f74", 202: "\u0321", 214: "\u1dce", 216: "\u031b",
    218: "\u302a", 220: "\u0316", 222: "\u059a", 224: "\u302e", 226: "\U0001d16d", 228: "\u05ae",
    230: "\u0301", 232: "\u0315", 233: "\u035c", 234: "\u035d", 240: "\u0345",
}  # fmt: skip


def collect_tables() -> UnicodeTables:
    """Ask the installed `tokenizers` about every code point; takes some seconds.

    Raises:
        ValueError: it does something that tables cannot say: `edge_runtime/tokenizer/bert.py` needs other code then.
    """
    decomposition = _changed(normalizers.NFD())
    cleaned = _changed(_bert(clean_text=True))
    stripped = _changed(_bert(strip_accents=True))
    white_space, punctuation = _cut_characters()
    tables = UnicodeTables(
        oracle=f"tokenizers {tokenizers.__version__}",
        removed=CodePoints.of(code for code, text in cleaned.items() if not text),
        white_space=CodePoints.of(white_space),
        chinese=CodePoints.of(_changed(_bert(handle_chinese_chars=True))),
        mark=CodePoints.of(code for code, text in stripped.items() if not text and code not in decomposition),
        punctuation=CodePoints.of(punctuation),
        combining_class=_combining_classes(decomposition),
        decomposition={code: text for code, text in decomposition.items() if not _is_hangul(code, text)},
        lower=_changed(_bert(lowercase=True)),
    )
    _check_shape(tables, cleaned)
    return tables


def _bert(
    clean_text: bool = False, handle_chinese_chars: bool = False, strip_accents: bool = False, lowercase: bool = False
) -> normalizers.Normalizer:
    return normalizers.BertNormalizer(
        clean_text=clean_text,
        handle_chinese_chars=handle_chinese_chars,
        strip_accents=strip_accents,
        lowercase=lowercase,
    )


def _chunks(probes: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(probes), _PROBE_LENGTH):
        yield probes[at : at + _PROBE_LENGTH]


def _normalize(normalizer: normalizers.Normalizer, probes: list[str]) -> list[str]:
    """Normalize each probe as if it stood alone between two digits."""
    results: list[str] = []
    for chunk in _chunks(probes):
        text = _SEPARATOR + _SEPARATOR.join(chunk) + _SEPARATOR
        results += normalizer.normalize_str(text).split(_SEPARATOR)[1:-1]
    if len(results) != len(probes):
        raise ValueError(f"{normalizer} changes the character {_SEPARATOR!r}: it cannot separate probes")
    return results


def _changed(normalizer: normalizers.Normalizer) -> dict[int, str]:
    """Give every code point that does not stay as it is, and what becomes of it."""
    results = _normalize(normalizer, [chr(code) for code in _CODE_POINTS])
    return {code: text for code, text in zip(_CODE_POINTS, results, strict=True) if text != chr(code)}


def _cut_characters() -> tuple[list[int], list[int]]:
    """Give the code points that the pre-tokenizer drops, and those that it makes a word of their own."""
    cutter = pre_tokenizers.BertPreTokenizer()
    dropped: list[int] = []
    isolated: list[int] = []
    for chunk in _chunks([chr(code) for code in _CODE_POINTS]):
        text = _SEPARATOR + _SEPARATOR.join(chunk) + _SEPARATOR
        spans = [span for _, span in cutter.pre_tokenize_str(text)]
        kept = {at for first, end in spans for at in range(first, end)}
        dropped += [ord(text[at]) for at in range(len(text)) if at not in kept]
        isolated += [ord(text[first]) for first, end in spans if end - first == 1 and text[first] != _SEPARATOR]
    return dropped, isolated


def _is_hangul(code: int, text: str) -> bool:
    return 0xAC00 <= code <= 0xD7A3 and unicode.decompose_hangul(code) == text


def _combining_classes(decomposition: Iterable[int]) -> dict[int, int]:
    """Find the canonical combining class of every code point by what it changes places with in NFD."""
    nfd = normalizers.NFD()
    decomposed = set(decomposition)
    whole = [chr(code) for code in _CODE_POINTS if code not in decomposed]
    first, last = _CLASS_EXAMPLES[1], _CLASS_EXAMPLES[240]
    behind = _normalize(nfd, [last + char for char in whole])  # changes if the class is 1 to 239
    before = _normalize(nfd, [char + first for char in whole])  # changes if the class is 2 or more
    combining = [
        char
        for char, one, other in zip(whole, behind, before, strict=True)
        if one != last + char or other != char + first
    ]
    return {ord(char): _combining_class(nfd, char) for char in combining}


def _combining_class(nfd: normalizers.Normalizer, char: str) -> int:
    """Place a combining character on the ladder of examples: the class whose example it never changes places with."""
    below = [value for value, example in _CLASS_EXAMPLES.items() if nfd.normalize_str(char + example) != char + example]
    above = [value for value, example in _CLASS_EXAMPLES.items() if nfd.normalize_str(example + char) != example + char]
    same = [value for value in _CLASS_EXAMPLES if value not in below and value not in above]
    if len(same) != 1 or below + same + above != list(_CLASS_EXAMPLES):
        raise ValueError(f"no example has the combining class of U+{ord(char):04X}: add one")
    return same[0]


def _check_shape(tables: UnicodeTables, cleaned: dict[int, str]) -> None:
    """Check what `edge_runtime/tokenizer/bert.py` takes for granted."""
    for code, text in cleaned.items():
        if text and (text != " " or code not in tables.white_space):
            raise ValueError(f"clean_text makes {text!r} of U+{code:04X}, which is no white space to the pre-tokenizer")
    for first, last in tables.white_space.ranges:
        for code in range(first, last + 1):
            if code not in tables.removed and cleaned.get(code, " ") != " ":
                raise ValueError(f"clean_text keeps U+{code:04X}, which is white space to the pre-tokenizer")


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or with `--check` compare them; exit status 1 if they differ."""
    parser = argparse.ArgumentParser(prog="python -m edgert_tools.unicode_tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit with 1 if the file would change")
    check = parser.parse_args(arguments).check
    written = unicode.write_tables(collect_tables())
    same = TABLES_PATH.is_file() and TABLES_PATH.read_text(encoding="ascii") == written
    if not check:
        TABLES_PATH.write_text(written, encoding="ascii")
    sys.stdout.write(f"{TABLES_PATH.name}: {'unchanged' if same else 'differs' if check else 'written'}\n")
    return int(check and not same)


if __name__ == "__main__":
    sys.exit(main())
