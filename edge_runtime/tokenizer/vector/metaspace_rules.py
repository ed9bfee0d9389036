"""Which tokenizers of SentencePiece's kind may be cut before spaces, and behind which characters they may.

The cut before a space is exact if the space always begins a word, or no merge ever joins anything with a space behind
it, and if neither the space nor the character before it changes what becomes of the other.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import load_tables
from edge_runtime.tokenizer.unicode.classes import category_classes, code_point_classes
from edge_runtime.tokenizer.unicode.graphemes import KINDS
from edge_runtime.tokenizer.vector.cut import MARKS, CutRules

META = "\u2581"
_MOST_SOFT = 16  # characters that merges join with a space behind them
_CODE_BITS = 21
_WIDE_MARKS = np.array(
    list(map(ord, "\u3001\u3002\uff01\uff08\uff09\uff0c\uff1a\uff1b\uff1f")) + list(range(0x3008, 0x3012))
)
_ALWAYS_SOFT = (0x7F, ord(META))


class Edges(NamedTuple):
    """What happens at the ends of a section of text.

    Attributes:
        prefix: when a space is put in front: always, never, or only at the start of the whole text.
        looks: whether that, or what is removed, depends on the text: a section that begins with a space gets no other
            one.
        strip_left, strip_right: white space there is removed first.
    """

    prefix: kinds.PrependScheme
    looks: bool
    strip_left: bool
    strip_right: bool


def edges_of(spec: kinds.TokenizerSpec) -> Edges | None:
    """Say how sections begin and end; None: this is no tokenizer of the kind."""
    strips = [normalizer for normalizer in spec.normalizers if isinstance(normalizer, kinds.Strip)]
    left, right = any(strip.left for strip in strips), any(strip.right for strip in strips)
    prepends = [at for at, normalizer in enumerate(spec.normalizers) if isinstance(normalizer, kinds.Prepend)]
    if prepends:
        plain = spec.normalizers == (kinds.Prepend(META), SPACES)
        return Edges("always", False, left, right) if plain and not _metaspace(spec) else None
    metaspace = _metaspace(spec)
    if metaspace is not None:
        fits = metaspace.replacement == META
        return Edges(metaspace.prepend_scheme, True, left, right) if fits else None
    if spec.normalizers == (SPACES,) and spec.pre_tokenizers in ((), _NO_SPLIT):
        return Edges("never", False, left, right)
    return None


def inner_normalizers(spec: kinds.TokenizerSpec) -> tuple[kinds.Normalizer, ...] | None:
    """Give what normalizes a segment inside of a text; None if a normalizer may look across a cut."""
    inner = tuple(one for one in spec.normalizers if not isinstance(one, kinds.Strip | kinds.Prepend))
    return inner if all(map(_is_local, inner)) else None


class Joined(NamedTuple):
    """Which neighbours the strings of a vocabulary hold: only these can a merge ever join.

    Attributes:
        left, right: (pairs,) int64 code points, each pair once.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def before(self, character: str) -> NDArray[np.int64]:
        """Give what a string has before this character."""
        left: NDArray[np.int64] = self.left[self.right == ord(character)]
        return left

    def behind(self, character: str) -> NDArray[np.int64]:
        """Give what a string has behind this character."""
        right: NDArray[np.int64] = self.right[self.left == ord(character)]
        return right


_NOTHING = Joined(np.empty(0, np.int64), np.empty(0, np.int64))


def joined_by_model(spec: kinds.TokenizerSpec) -> Joined | None:
    """Give what the model may join across the border of two words; None if it is not known."""
    metaspace = _metaspace(spec)
    if metaspace is not None and metaspace.split:
        return _NOTHING
    model = spec.model
    if not isinstance(model, kinds.BPE) or model.ignore_merges or META not in model.vocab:
        return None
    results = "\0".join([left + right for left, right in model.merges])
    codes = np.frombuffer(results.encode("utf-32-le"), np.uint32).astype(np.int64)
    pairs = np.unique(codes[:-1] << _CODE_BITS | codes[1:])
    left, right = pairs >> _CODE_BITS, pairs & (1 << _CODE_BITS) - 1
    inner = (left > 0) & (right > 0)
    joined = Joined(left[inner], right[inner])
    return joined if len(before_spaces(joined)) <= _MOST_SOFT else None


def before_spaces(joined: Joined) -> NDArray[np.int64]:
    """Give the characters that a merge joins with a space behind them."""
    before = joined.before(META)
    others: NDArray[np.int64] = before[before != ord(META)]
    return others


def cut_rules(spec: kinds.TokenizerSpec) -> tuple[CutRules, NDArray[np.bool_]]:
    """Give where else a text may be cut because the model never joins there; and the letters that marks may follow."""
    metaspace, joined = _metaspace(spec), joined_by_model(spec)
    assert joined is not None
    if metaspace is not None and metaspace.split:
        return CutRules(), np.zeros(0x110000, np.bool_)
    letter = category_classes({"L": 1, "N": 1}) > 0
    ascii_alnum = np.flatnonzero(letter[:0x80])
    marks = [mark for mark in MARKS if not np.isin(joined.before(mark), ascii_alnum).any()]
    letters = letter.copy()
    for mark in marks:
        letters[joined.before(mark)] = False
    before_newline = joined.before("\n")
    graph = np.arange(0x21, 0x7F)
    after = graph[~np.isin(graph, joined.behind("\n"))]
    wide = joined.left[np.isin(joined.right, _WIDE_MARKS)]
    rules = CutRules(
        marks="".join(marks),
        newline="" if (before_newline != ord("\n")).any() else "solid",
        after_newline="".join(map(chr, after.tolist())),
        before_wide=not ((wide >= 0x5000) & (wide < 0x9000)).any(),
    )
    return rules, letters


def soft_characters(spec: kinds.TokenizerSpec) -> NDArray[np.bool_]:
    """Give the characters behind which a space must not begin a segment; those up to U+0020 are not listed."""
    inner, joined = inner_normalizers(spec), joined_by_model(spec)
    assert inner is not None
    assert joined is not None
    changed = np.zeros(0x110000, np.bool_)
    soft = np.zeros(0x110000, np.bool_)
    soft[[*_ALWAYS_SOFT, *before_spaces(joined).tolist()]] = True
    for first, last in load_tables().white_space.ranges:
        soft[first : last + 1] = True
    for normalizer in inner:
        if isinstance(normalizer, kinds.Precompiled):
            grapheme = code_point_classes("grapheme")
            for kind in ("Extend", "Linker", "OtherExtend", "SpacingMark", "ZWJ", "Prepend", "Control"):
                soft |= grapheme == KINDS.index(kind)
        changed |= _changed_by(normalizer)
    normalize = open_normalizer(inner).normalize
    white = load_tables().white_space
    for code in np.flatnonzero(changed & ~soft).tolist():
        new = normalize(chr(code))
        if not new or new[-1] == META or ord(new[-1]) in white:
            soft[code] = True
    return soft


SPACES = kinds.Replace(kinds.Pattern(" ", regex=False), META)
_NO_SPLIT = (kinds.Split(kinds.Pattern(" ", regex=False), "merged_with_previous", invert=False),)
_RUNS = kinds.Pattern(" {2,}", regex=True)


def _metaspace(spec: kinds.TokenizerSpec) -> kinds.Metaspace | None:
    only = spec.pre_tokenizers[0] if len(spec.pre_tokenizers) == 1 else None
    return only if isinstance(only, kinds.Metaspace) else None


def _is_local(normalizer: kinds.Normalizer) -> bool:
    """Say whether what it makes of a space and of what stands before it does not depend on each other."""
    if isinstance(normalizer, kinds.Replace):
        if normalizer == SPACES or (normalizer.pattern == _RUNS and normalizer.content in (" ", META)):
            return True
        both = normalizer.pattern.text + normalizer.content
        white = META in both or any(ord(character) in load_tables().white_space for character in both)
        return not normalizer.pattern.regex and not white and bool(normalizer.content)
    kept = kinds.UnicodeForm | kinds.Lowercase | kinds.StripAccents | kinds.Nmt | kinds.Precompiled
    return isinstance(normalizer, kept)


def _changed_by(normalizer: kinds.Normalizer) -> NDArray[np.bool_]:
    """Say which characters the normalizer may change when they stand alone."""
    changed = np.zeros(0x110000, np.bool_)
    if isinstance(normalizer, kinds.Precompiled):
        changed[mapped_code_points(normalizer.charsmap)] = True
    elif isinstance(normalizer, kinds.UnicodeForm):
        changed |= code_point_classes(normalizer.form) == 0
    elif isinstance(normalizer, kinds.Lowercase):
        changed[list(load_tables().lower)] = True
    elif isinstance(normalizer, kinds.StripAccents):
        changed |= code_point_classes("accent") > 0
    elif isinstance(normalizer, kinds.Nmt):
        changed |= (code_point_classes("nmt_removed") > 0) | (code_point_classes("nmt_space") > 0)
    return changed


def mapped_code_points(charsmap: bytes) -> NDArray[np.int64]:
    """Give the code points that a SentencePiece character map replaces, those included that only begin like one.

    All of them walk through the double array together, a byte of their UTF-8 form a step; see `plain/charsmap.py`.
    """
    size = int.from_bytes(charsmap[:4], "little") // 4
    units = np.frombuffer(charsmap, "<u4", size, 4).astype(np.int64)
    codes = np.concatenate([np.arange(1, 0xD800), np.arange(0xE000, 0x110000)])
    raw = np.frombuffer("".join(map(chr, codes.tolist())).encode(), np.uint8).astype(np.int64)
    lengths = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    at = np.cumsum(lengths) - lengths
    place = np.full(len(codes), _children(units[:1])[0])
    mapped: list[NDArray[np.int64]] = []
    alive = np.arange(len(codes))
    for step in range(4):
        byte = raw[at[alive] + step]
        here = place ^ byte
        inside = here < size
        unit = units[np.where(inside, here, 0)]
        fits = inside & ((unit & 0x8000_00FF) == byte)
        mapped.append(codes[alive[fits & ((unit & 1 << 8) != 0)]])
        alive, place = alive[fits], (here ^ _children(unit))[fits]
        keep = lengths[alive] > step + 1
        alive, place = alive[keep], place[keep]
    return np.unique(np.concatenate(mapped))


def _children(unit: NDArray[np.int64]) -> NDArray[np.int64]:
    return unit >> 10 << ((unit & 1 << 9) >> 6)
