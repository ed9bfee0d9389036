"""Where a text may be cut so that the ids of the parts, joined, are the ids of the whole.

Every model family here allows one cheap cut: before a U+0020 that follows a *solid* character, one that is no white
space and does not vanish or join with the space. Each caller proves for its own family which further cuts are safe.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays
from edge_runtime.tokenizer.vector.keys import Bytes, Index

FIRST_NON_ASCII = 0x80
_SPACE, _CODE_POINTS, _FIRST_OF_THREE_BYTES = 0x20, 0x110000, 0x800

Flags = NDArray[np.bool_]

_ALNUM = string.ascii_letters + string.digits
MARKS = '!"#$%&()*+,-./:;<=>?'  # not the apostrophe: it may begin a contraction

# A byte's class: what it may begin, in the low half, and what may begin behind it, in the high half. There is a cut
# between two bytes if they have a bit in common.
_SOLID_THEN_SPACE, _LETTER_THEN_MARK, _NEWLINE_THEN, _ALONE = 1, 2, 4, 8
_BEFORE = 4  # bits by which the high half is shifted

_WIDE = 3  # bytes of an ideograph and of a CJK punctuation mark
# By third byte, 256 more if the first is 0xEF instead of 0xE3: ideographic comma, full stop and brackets; full-width
# exclamation mark, brackets, comma, colon, semicolon, question mark.
_WIDE_MARK = np.zeros(512, np.bool_)
_WIDE_MARK[[0x81, 0x82, *range(0x88, 0x92)]] = True
_WIDE_MARK[[256 + third for third in (0x81, 0x88, 0x89, 0x8C, 0x9A, 0x9B, 0x9F)]] = True
# By first byte: U+5000 to U+8FFF, all of them ideographs, each of three bytes. That a byte of another character's
# middle could be taken for one is impossible: those are below 0xC0.
_IDEOGRAPH = np.zeros(256, np.bool_)
_IDEOGRAPH[0xE5:0xE9] = True


@dataclass(frozen=True)
class CutRules:
    """Which cuts a family allows, besides those before spaces.

    Attributes:
        marks: ASCII punctuation that begins a part after a letter or number.
        newline: a newline begins a part after the same characters as a space does (`solid`), or as punctuation does
            (`letter`), or nowhere.
        after_newline: characters (ASCII) that begin a part after a newline.
        before_wide, after_wide: a CJK punctuation mark begins a part after an ideograph; an ideograph after such
            a mark.
        alone: each ASCII punctuation mark is a part by itself.
        alone_wide: so is each ideograph.
    """

    marks: str = ""
    newline: str = ""
    after_newline: str = ""
    before_wide: bool = False
    after_wide: bool = False
    alone: bool = False
    alone_wide: bool = False


def cutter_arrays(rules: CutRules, soft: Flags, letters: Flags) -> ArrayDict:
    """Make a cutter's tables.

    Args:
        soft: (0x110000,), the characters after which no space begins a part. U+0000 to U+0020 never are solid.
        letters: (0x110000,), the letters and numbers beyond ASCII that count for `rules.marks`.
    """
    # By the last two bytes of a character: a few that could be cut after end like others and are not. A cut that is
    # not made costs a little time, a wrong one would cost ids.
    return {
        "classes": _classes(rules, np.flatnonzero(soft[:FIRST_NON_ASCII])),
        "solid_end": ~_ends(soft),
        "letter_end": _ends(letters) & ~_ends(~letters),
        "wide": np.array([rules.before_wide, rules.after_wide, rules.alone_wide]),
    }


def flags_of(code_points: Iterable[int]) -> Flags:
    """Give a flag for every code point that is set for these."""
    flags = np.zeros(_CODE_POINTS, np.bool_)
    flags[list(code_points)] = True
    return flags


def _classes(rules: CutRules, soft: Index) -> NDArray[np.uint8]:
    begins, behind = np.zeros(256, np.uint8), np.zeros(256, np.uint8)
    begins[_SPACE] |= _SOLID_THEN_SPACE
    behind[_SPACE + 1 :] |= _SOLID_THEN_SPACE
    behind[soft] &= ~np.uint8(_SOLID_THEN_SPACE)
    if rules.alone:
        begins[_bytes(string.punctuation)] |= _ALONE
        behind[:] |= _ALONE
        begins[:] |= _LETTER_THEN_MARK  # not used otherwise here: anything begins behind punctuation
        behind[_bytes(string.punctuation)] |= _LETTER_THEN_MARK
    if rules.marks or rules.newline == "letter":
        begins[_bytes(rules.marks)] |= _LETTER_THEN_MARK
        behind[_bytes(_ALNUM)] |= _LETTER_THEN_MARK
        behind[FIRST_NON_ASCII:] |= _LETTER_THEN_MARK
    begins[ord("\n")] |= {"": 0, "solid": _SOLID_THEN_SPACE, "letter": _LETTER_THEN_MARK}[rules.newline]
    begins[_bytes(rules.after_newline)] |= _NEWLINE_THEN
    behind[ord("\n")] |= _NEWLINE_THEN
    return (begins | behind << _BEFORE).astype(np.uint8)


class SpaceCutter:
    """Cuts before spaces, and where else the rules allow it.

    Args:
        arrays: what `cutter_arrays` made.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._classes = arrays["classes"].tobytes()
        self._solid_end, self._letter_end = arrays["solid_end"].view(np.bool_), arrays["letter_end"].view(np.bool_)
        self._before_wide, self._after_wide, self._alone_wide = arrays["wide"].tolist()

    def starts(self, raw: bytes, forced: Index) -> Index:
        """Give where parts begin, ascending.

        Args:
            raw: the texts in UTF-8, one after another.
            forced: where a text begins: always a cut.
        """
        classes = np.frombuffer(raw.translate(self._classes), np.uint8)
        cut = np.zeros(len(raw) + 1, np.bool_)
        common = classes[:-1] >> np.uint8(_BEFORE)
        common &= classes[1:]
        np.not_equal(common, 0, out=cut[1:-1])
        if not raw.isascii():
            buffer = np.frombuffer(raw, np.uint8)
            self._beyond_ascii(buffer, common, cut)
            if self._alone_wide:
                ideograph = (buffer - 0xE5) < 4
                cut[:-1] |= ideograph
                cut[_WIDE:] |= ideograph[: len(ideograph) - _WIDE + 1]
            elif (self._before_wide or self._after_wide) and (b"\xe3\x80" in raw or b"\xef\xbc" in raw):
                self._beside_wide_marks(buffer, cut)
        cut[forced] = True
        cut[-1] = False
        return np.flatnonzero(cut)

    def _beyond_ascii(self, buffer: Bytes, common: NDArray[np.uint8], cut: Flags) -> None:
        """Take back the cuts after characters that are not solid, or no letters."""
        doubtful = (common & np.uint8(_SOLID_THEN_SPACE | _LETTER_THEN_MARK)) != 0
        doubtful &= buffer[:-1] >= FIRST_NON_ASCII
        at = np.flatnonzero(doubtful)  # index of the character's last byte; it has at least two
        tail = buffer.take(at - 1).astype(np.int64) << 8 | buffer.take(at)
        right = self._solid_end.take(tail) * np.uint8(_SOLID_THEN_SPACE)
        right |= self._letter_end.take(tail) * np.uint8(_LETTER_THEN_MARK)
        rest = common.take(at)
        cut[at + 1] = (rest & (right | (_NEWLINE_THEN | _ALONE))) != 0

    def _beside_wide_marks(self, buffer: Bytes, cut: Flags) -> None:
        first, second, third = buffer[:-2], buffer[1:-1], buffer[2:]
        at = np.flatnonzero(((first == 0xE3) & (second == 0x80)) | ((first == 0xEF) & (second == 0xBC)))
        at = at[_WIDE_MARK.take(third[at].astype(np.int64) | (first[at] == 0xEF).astype(np.int64) << 8)]
        if self._before_wide:
            inner = at[at >= _WIDE]
            cut[inner[_IDEOGRAPH.take(buffer[inner - _WIDE])]] = True
        if self._after_wide:
            inner = at[at < len(buffer) - _WIDE] + _WIDE
            cut[inner[_IDEOGRAPH.take(buffer[inner])]] = True


def _ends(flags: Flags) -> Flags:
    """Say for each pair of bytes whether the UTF-8 form of a character beyond ASCII whose flag is set ends so."""
    ends = np.zeros(1 << 16, np.bool_)
    # In three bytes and more, the last two are the last twelve bits.
    longer = flags.copy()
    longer[:_FIRST_OF_THREE_BYTES] = False
    tail = np.flatnonzero(longer.reshape(-1, 1 << 12).any(axis=0))
    ends[(0x80 | tail >> 6) << 8 | 0x80 | tail & 0x3F] = True
    two = FIRST_NON_ASCII + np.flatnonzero(flags[FIRST_NON_ASCII:_FIRST_OF_THREE_BYTES])
    ends[(0xC0 | two >> 6) << 8 | 0x80 | two & 0x3F] = True
    return ends


def _bytes(characters: str) -> list[int]:
    return list(characters.encode("ascii"))
