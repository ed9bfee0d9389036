"""Many sections of text to ids and offsets, through one table of segments."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import numpy as np

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.vector.core import Pieces, SegmentCore, merged, one_after_another
from edge_runtime.tokenizer.vector.family import Family
from edge_runtime.tokenizer.vector.keys import PADDING, Bytes, Index
from edge_runtime.tokenizer.vector.lead import NOTHING, Lead
from edge_runtime.tokenizer.vector.overlay import Ids
from edge_runtime.tokenizer.vector.plain_way import PlainWay
from edge_runtime.tokenizer.vector.segments import characters_before

GROUP_BYTES = 1 << 20  # sections looked up together; what they miss is worked out together


class Batches:
    """Tokenizes sections of one family. Safe to share between threads.

    Args:
        budget_bytes: what may be remembered, without and with offsets each.
        singles: one more than the largest id.
    """

    def __init__(self, family: Family, plain: PlainWay, budget_bytes: int, singles: int) -> None:
        self._family, self._plain, self._budget, self._singles = family, plain, budget_bytes, singles
        self._lock = threading.Lock()
        self._cores: dict[bool, SegmentCore] = {}

    def pieces(self, sections: Sequence[str], firsts: Sequence[bool] | None, spans: bool) -> Pieces:
        """Give the tokens of sections, counted by section; places are characters of the section.

        Args:
            firsts: for each section whether its text begins with it; None: all do.

        Raises:
            BadRequest: a section holds a lone surrogate.
        """
        if self._family.whole_sections:
            contents, leads, odd = list(map(encoded, sections)), [NOTHING] * len(sections), list[int]()
        else:
            contents, leads, odd = self._made_ready(sections, firsts)
        with self._lock:
            pieces = self._spelled_or_not(contents, leads) if spans else self._grouped(contents, leads, False)
        if odd:
            plain = [self._plain.pieces(sections[at], firsts is None or firsts[at], spans) for at in odd]
            pieces = _with_plain(pieces, np.array(odd), plain)
        return pieces

    def _made_ready(
        self, sections: Sequence[str], firsts: Sequence[bool] | None
    ) -> tuple[list[bytes], list[Lead], list[int]]:
        """Give what of each section is cut, how it was made ready, and which sections cannot be."""
        contents: list[bytes] = []
        leads: list[Lead] = []
        odd: list[int] = []
        for at, text in enumerate(sections):
            content = encoded(text)
            lead = self._family.lead(text, firsts is None or firsts[at]) if text else NOTHING
            if lead is None:
                odd.append(at)
                lead = NOTHING
            if lead.end - lead.start != len(text):
                content = text[lead.start : lead.end].encode()
            contents.append(b" " + content if lead.space else content)
            leads.append(lead)
        return contents, leads, odd

    def _spelled_or_not(self, contents: list[bytes], leads: list[Lead]) -> Pieces:
        """Tell sections apart by where offsets come from: the tokens' sizes, or what is kept of each segment."""
        if self._family.sizes is None:
            return self._grouped(contents, leads, True)
        others = [at for at, content in enumerate(contents) if not self._family.spells(content)]
        if not others:
            return self._grouped(contents, leads, True, spelled=True)
        rest = sorted({*range(len(contents))} - {*others})
        sources = [
            (
                np.array(chosen, np.int64),
                self._grouped([contents[at] for at in chosen], [leads[at] for at in chosen], True, spelled),
            )
            for chosen, spelled in ((others, False), (rest, True))
        ]
        return merged(sources, len(contents))

    def _grouped(self, contents: list[bytes], leads: list[Lead], spans: bool, spelled: bool = False) -> Pieces:
        sizes = np.fromiter(map(len, contents), np.int64, len(contents))
        ends = np.cumsum(sizes)
        total = int(ends[-1]) if len(ends) else 0
        # The groups' ends: after the section in which a further group's worth of bytes is reached.
        cuts = np.searchsorted(ends, np.arange(GROUP_BYTES, total, GROUP_BYTES)) + 1
        bounds = np.unique(np.concatenate([[0], cuts, [len(contents)]])).tolist()
        parts = [
            self._group(contents[first:last], sizes[first:last], leads[first:last], spans, spelled)
            for first, last in itertools.pairwise(bounds)
        ]
        if not parts:
            parts = [self._group([], sizes, [], spans, spelled)]
        return parts[0] if len(parts) == 1 else one_after_another(parts)

    def _group(self, contents: list[bytes], sizes: Index, leads: list[Lead], spans: bool, spelled: bool) -> Pieces:
        raw = b"".join(contents)
        begins = np.cumsum(sizes) - sizes
        starts = self._family.cutter.starts(raw, begins)
        lengths = np.diff(starts, append=len(raw))
        buffer = np.frombuffer(b"".join([raw, bytes(PADDING)]), np.uint8)
        pieces = self._core(spans and not spelled).pieces(buffer, starts, lengths)
        before = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(pieces.counts, out=before[1:])
        # A section's segments are those that begin in it.
        counts = np.diff(before.take(np.searchsorted(starts, begins)), append=before[-1])
        if not spans:
            return Pieces(pieces.ids, counts)
        places = self._spelled(pieces.ids, raw) if spelled else _from_segments(pieces, buffer[: len(raw)], starts)
        return _counted_by_section(pieces.ids, counts, places, raw, begins, leads)

    def _core(self, spans: bool) -> SegmentCore:
        core = self._cores.get(spans)
        if core is None:
            base = None if spans else self._family.base
            core = self._cores[spans] = SegmentCore(self._family, base, self._budget, self._singles, spans)
        return core

    def _spelled(self, ids: Ids, raw: bytes) -> tuple[Index, Index]:
        """Give the first and last character of tokens that together are the bytes of the text, one after another."""
        assert self._family.sizes is not None
        sizes = self._family.sizes.take(ids)
        ends = np.cumsum(sizes, dtype=np.int64)
        assert not len(ends) or int(ends[-1]) == len(raw)
        if raw.isascii():
            return ends - sizes, ends
        begun = characters_before(np.frombuffer(raw, np.uint8))
        return begun.take(ends - sizes + 1) - 1, begun.take(ends)


def _from_segments(pieces: Pieces, content: Bytes, starts: Index) -> tuple[Index, Index]:
    """Give the first and last character of tokens, counted from the start of the text instead of their segment."""
    assert pieces.starts is not None
    assert pieces.ends is not None
    shift = np.repeat(characters_before(content).take(starts), pieces.counts)
    return pieces.starts + shift, pieces.ends + shift


def _counted_by_section(
    ids: Ids, counts: Index, places: tuple[Index, Index], raw: bytes, begins: Index, leads: list[Lead]
) -> Pieces:
    """Count characters from the beginning of each section."""
    before = begins if raw.isascii() else characters_before(np.frombuffer(raw, np.uint8)).take(begins)
    starts, _, spaces = np.array(leads, np.int64).reshape(-1, 3).T
    shift = np.repeat(starts - spaces - before, counts)
    first, last = (places[0] + shift).astype(np.int32), (places[1] + shift).astype(np.int32)
    if spaces.any():
        # The space put in front stands for what the first character stands for.
        led, start = np.repeat(spaces > 0, counts), np.repeat(starts, counts)
        np.maximum(first, start, out=first, where=led, casting="unsafe")
        np.maximum(last, start + 1, out=last, where=led, casting="unsafe")
    return Pieces(ids, counts, first, last)


def encoded(text: str) -> bytes:
    """Give the UTF-8 form of a text. BadRequest: it holds a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X} at character {error.start}"
        raise BadRequest(f"text has half of a surrogate pair, {half}: send whole characters") from error


def _with_plain(pieces: Pieces, at: Index, plain: list[Pieces]) -> Pieces:
    """Put in the sections that took the plain way."""
    rest = np.setdiff1d(np.arange(len(pieces.counts)), at)
    regular = Pieces(pieces.ids, pieces.counts[rest], pieces.starts, pieces.ends)
    return merged([(at, one_after_another(plain)), (rest, regular)], len(pieces.counts))
