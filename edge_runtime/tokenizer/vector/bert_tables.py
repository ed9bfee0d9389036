"""What BERT's normalizer makes of each character, and how its words are cut, as tables for many characters at once.

Characters are looked up in pages of 256, most of which are alike, so the tables are small.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import load_tables
from edge_runtime.tokenizer.unicode.classes import code_point_classes
from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays
from edge_runtime.tokenizer.vector.keys import Index
from edge_runtime.tokenizer.vector.overlay import spread

Codes = NDArray[np.uint32]

WORD, WHITE, ALONE = 0, 1, 2  # classes of normalized characters; ALONE: a word by itself
_GONE = 255  # instead of a combining class: the character is removed before marks are put in order
_FIRST_MARK = 0x300
_CODE_POINTS, _PAGE_BITS, _PAGE = 0x110000, 8, 256
_HANGUL, _HANGUL_COUNT, _VOWELS, _TRAILS = 0xAC00, 11172, 21, 28
_LEAD, _VOWEL, _TRAIL = 0x1100, 0x1161, 0x11A7


class Normalized(NamedTuple):
    """Normalized characters of a text.

    Attributes:
        codes: (characters,) uint32.
        sources: (characters,) int64, the index of the character in the text that each was made of.
        classes: (characters,) uint8: WORD, WHITE or ALONE.
        moved: (n,) int64, indices of characters of the text that canonical ordering would move, which is not done here.
    """

    codes: Codes
    sources: Index
    classes: NDArray[np.uint8]
    moved: Index


class BertTables:
    """The tables over their arrays."""

    def __init__(self, arrays: Arrays) -> None:
        self._delta, self._class = ((arrays[f"{name}_pages"], arrays[name]) for name in ("delta", "class"))
        self._order = [(arrays[f"{name}_pages"], arrays[name]) for name in ("first", "last") if name in arrays]
        self._odd, self._ends, self._pool = arrays["odd"], arrays["odd_ends"], arrays["odd_pool"].view(np.uint32)

    def normalize(self, codes: Codes) -> Normalized:
        """Normalize characters."""
        delta = _look_up(self._delta, codes)
        new = (codes.astype(np.int64) + delta).astype(np.uint32)
        sources = np.arange(len(codes))
        odd = np.flatnonzero(delta == _ODD)
        gone = delta == _GONE_DELTA
        if len(odd) or gone.any():
            entry = np.searchsorted(self._odd, codes[odd])
            counts = np.ones(len(codes), np.int64)
            ends = self._ends.astype(np.int64)
            sizes = np.diff(ends, prepend=0)[entry]
            counts[odd], counts[gone] = sizes, 0
            sources = np.repeat(sources, counts)
            new = np.repeat(new, counts)
            places = (np.cumsum(counts) - counts)[odd]
            new[spread(places, sizes)] = self._pool.take(spread(ends[entry] - sizes, sizes))
        return Normalized(new, sources, _look_up(self._class, new), self._moved(codes))

    def _moved(self, codes: Codes) -> Index:
        """Give the marks that stand behind one of a higher combining class."""
        if not self._order or not len(codes) or int(codes.max()) < _FIRST_MARK:
            return np.empty(0, np.int64)
        first, last = (_look_up(table, codes) for table in self._order)
        kept = np.flatnonzero(first != _GONE)
        own, before = first[kept[1:]], last[kept[:-1]]
        return kept[1:][(own > 0) & (before > own)]


_ODD = -_CODE_POINTS  # a delta that says: one character becomes several, look in the list
_GONE_DELTA = _ODD - 1  # and one that says: nothing becomes of it


def bert_arrays(spec: kinds.BertNormalizer) -> ArrayDict:
    """Make the tables for the normalizer's flags."""
    delta, odd = np.zeros(_CODE_POINTS, np.int32), {}
    for code, new in _replaced(spec).items():
        if len(new) == 1:
            delta[code] = ord(new) - code
        elif new:
            delta[code], odd[code] = _ODD, new
        else:
            delta[code] = _GONE_DELTA
    if spec.clean_text:
        delta[code_point_classes("removed") > 0] = _GONE_DELTA
    if spec.strip_accents:
        delta[_HANGUL : _HANGUL + _HANGUL_COUNT] = _ODD
    codes, ends, pool = _odd_arrays(odd, spec.strip_accents)
    classes = np.zeros(_CODE_POINTS, np.uint8)
    classes[code_point_classes("white_space") > 0] = WHITE
    classes[code_point_classes("punctuation") > 0] = ALONE
    if spec.handle_chinese_chars:
        classes[code_point_classes("chinese") > 0] = ALONE
    arrays: ArrayDict = {"odd": codes, "odd_ends": ends, "odd_pool": pool}
    arrays["delta_pages"], arrays["delta"] = _paged(delta)
    arrays["class_pages"], arrays["class"] = _paged(classes)
    if spec.strip_accents:
        for name, place in (("first", 0), ("last", -1)):
            arrays[f"{name}_pages"], arrays[name] = _paged(_combining(spec, place))
    return arrays


def _combining(spec: kinds.BertNormalizer, place: int) -> NDArray[np.uint8]:
    """Give the combining class of the first or last character that each character decomposes to."""
    tables = load_tables()
    classes = np.zeros(_CODE_POINTS, np.uint8)
    for code in {*tables.decomposition, *tables.combining_class}:
        classes[code] = tables.combining_class.get(ord(tables.decompose(code)[place]), 0)
    if spec.clean_text:
        classes[code_point_classes("removed") > 0] = _GONE
    return classes


def _replaced(spec: kinds.BertNormalizer) -> dict[int, str]:
    """Give what characters become that change, Hangul syllables excepted."""
    tables = load_tables()
    new: dict[int, str] = {}
    if spec.lowercase:
        new |= tables.lower
    if spec.strip_accents:
        gone = {code: "" for first, last in tables.mark.ranges for code in range(first, last + 1)}
        lower = tables.lower if spec.lowercase else {}
        for code in {*tables.decomposition, *gone}:
            parts = [ord(part) for part in tables.decompose(code)]
            new[code] = "".join(lower.get(part, chr(part)) for part in parts if part not in gone)
    if spec.clean_text:
        new |= {code: " " for first, last in tables.white_space.ranges for code in range(first, last + 1)}
    return {code: text for code, text in new.items() if text != chr(code)}


def _odd_arrays(odd: dict[int, str], hangul: bool) -> tuple[Codes, NDArray[np.int32], Codes]:
    codes = np.array(sorted(odd), np.uint32)
    sizes = np.array([len(odd[code]) for code in codes.tolist()], np.int32)
    pool = np.frombuffer("".join(odd[code] for code in codes.tolist()).encode("utf-32-le"), np.uint32)
    if hangul:
        at = int(np.searchsorted(codes, _HANGUL))
        split = int(sizes[:at].sum())
        syllables = np.arange(_HANGUL_COUNT)
        lead, rest = np.divmod(syllables, _VOWELS * _TRAILS)
        vowel, trail = np.divmod(rest, _TRAILS)
        jamo = np.stack([lead + _LEAD, vowel + _VOWEL, trail + _TRAIL], axis=1).astype(np.uint32)
        there = np.ones(jamo.shape, np.bool_)
        there[:, 2] = trail > 0
        pool = np.concatenate([pool[:split], jamo[there], pool[split:]])
        sizes = np.concatenate([sizes[:at], there.sum(axis=1, dtype=np.int32), sizes[at:]])
        codes = np.concatenate([codes[:at], (syllables + _HANGUL).astype(np.uint32), codes[at:]])
    return codes, np.cumsum(sizes, dtype=np.int32), pool


def _paged(values: NDArray[Any]) -> tuple[NDArray[np.uint16], NDArray[Any]]:
    """Give for each page its place among the different ones, and these."""
    pages = values.reshape(-1, _PAGE)
    different: dict[bytes, int] = {}
    places = [different.setdefault(page.tobytes(), len(different)) for page in pages]
    _, first = np.unique(np.array(places), return_index=True)
    return np.array(places, np.uint16), pages[first].reshape(-1)


def _look_up(table: tuple[NDArray[np.uint16], NDArray[Any]], codes: Codes) -> NDArray[Any]:
    pages, values = table
    place = pages.take(codes >> _PAGE_BITS).astype(np.int64)
    place <<= _PAGE_BITS
    place |= codes & (_PAGE - 1)
    return values.take(place)
