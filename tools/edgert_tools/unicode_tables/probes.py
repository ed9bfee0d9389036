"""How to ask the library about many characters at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
from tokenizers import pre_tokenizers

from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.code_points import ALL
from edge_runtime.tokenizer.unicode.tables import Partition

# Put between probes. But for compatibility no normalizer changes it, joins it to a neighbour or makes one.
SEPARATOR = "0"
CODE_POINTS = [code for code in range(ALL) if not 0xD800 <= code <= 0xDFFF]
WHOLE_TEXT = "".join(map(chr, CODE_POINTS))

_PROBE_LENGTH = 4096  # characters at a time: the library's cutting is quadratic in the length of a text


class Normalizing(Protocol):
    """What changes a text."""

    def normalize_str(self, text: str) -> str:
        """Give the changed text."""
        ...


def normalize(normalizer: Normalizing, probes: list[str], separator: str = SEPARATOR) -> list[str]:
    """Normalize each probe, none of which may hold the separator, as if it stood alone between two separators."""
    results: list[str] = []
    for chunk in _chunks(probes):
        text = separator + separator.join(chunk) + separator
        result = normalizer.normalize_str(text)
        results += chunk if result == text else result.split(separator)[1:-1]
    if len(results) != len(probes):
        raise ValueError(f"{normalizer} changes the character {separator!r}: it cannot separate probes")
    return results


def changed(normalizer: Normalizing, separator: str = SEPARATOR) -> dict[int, str]:
    """Give every code point that does not stay as it is, and what becomes of it."""
    codes = [code for code in CODE_POINTS if chr(code) != separator]
    results = normalize(normalizer, [chr(code) for code in codes], separator)
    return {code: text for code, text in zip(codes, results, strict=True) if text != chr(code)}


def dropped(cutter: pre_tokenizers.PreTokenizer) -> CodePoints:
    """Give the code points that a pre-tokenizer cuts at and drops."""
    found: list[str] = []
    for chunk in _chunks(list(WHOLE_TEXT)):
        text = "".join(chunk)
        kept = {at for _, (first, end) in cutter.pre_tokenize_str(text) for at in range(first, end)}
        found += [text[at] for at in range(len(text)) if at not in kept]
    return CodePoints.of(map(ord, found))


def parted(cutter: pre_tokenizers.PreTokenizer, neighbour: str) -> CodePoints:
    """Give the code points that are cut off from a neighbour on both sides."""
    found: list[str] = []
    for chunk in _chunks(list(WHOLE_TEXT)):
        text = neighbour + neighbour.join(chunk) + neighbour
        starts = {first for _, (first, _) in cutter.pre_tokenize_str(text)}
        found += [text[at] for at in range(1, len(text), 2) if at in starts and at + 1 in starts]
    return CodePoints.of(map(ord, found)) - CodePoints([(ord(neighbour), ord(neighbour))])


def sorted_code_points(text: str) -> CodePoints:
    """Give the set of the characters of a sorted text; quicker than from single code points."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.int64)
    borders = np.flatnonzero(np.diff(codes, prepend=-2, append=ALL + 1) != 1)
    return CodePoints(zip(codes[borders[:-1]].tolist(), codes[borders[1:] - 1].tolist(), strict=True))


def _chunks(probes: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(probes), _PROBE_LENGTH):
        yield probes[at : at + _PROBE_LENGTH]


def partition(sets: Iterable[tuple[str, CodePoints]], default: str) -> Partition:
    """Give every code point the name of the set that holds it.

    Raises:
        ValueError: two sets hold it.
    """
    spans = sorted((first, last, name) for name, members in sets for first, last in members.ranges)
    runs: list[tuple[str, int]] = []
    done = 0
    for first, last, name in [*spans, (ALL, ALL - 1, default)]:
        if first < done:
            raise ValueError(f"U+{first:04X} is both {runs[-1][0]} and {name}")
        runs += [(default, first - done), (name, last + 1 - first)]
        done = last + 1
    by_value = itertools.groupby((run for run in runs if run[1]), key=lambda run: run[0])
    return [(value, sum(count for _, count in group)) for value, group in by_value]
