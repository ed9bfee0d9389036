"""SentencePiece's families (Unigram; BPE that falls back to bytes): unknown segments."""

from __future__ import annotations

import functools
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.normalizers import NormalizerChain, open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import PreTokenizerChain, open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import load_tables
from edge_runtime.tokenizer.unicode.graphemes import joining
from edge_runtime.tokenizer.vector.arrays import Arrays, part_of
from edge_runtime.tokenizer.vector.base import Base
from edge_runtime.tokenizer.vector.core import Pieces
from edge_runtime.tokenizer.vector.cut import SpaceCutter
from edge_runtime.tokenizer.vector.keys import Bytes, Index
from edge_runtime.tokenizer.vector.lead import NOTHING, Lead
from edge_runtime.tokenizer.vector.lockstep.bpe import BpeEngine
from edge_runtime.tokenizer.vector.lockstep.unigram import UnigramEngine
from edge_runtime.tokenizer.vector.metaspace_rules import (
    META,
    edges_of,
    inner_normalizers,
)
from edge_runtime.tokenizer.vector.overlay import Ids, spread
from edge_runtime.tokenizer.vector.scalar import BaseWords, NotSimple
from edge_runtime.tokenizer.vector.segments import Segments, totals
from edge_runtime.tokenizer.vector.words import WordTokens

BMP = 0x10000
MANY_BYTES = 0x80  # from here on a character has several bytes
NONE = -1


class Metaspace:
    """A tokenizer of SentencePiece's kind over its compiled arrays.

    Args:
        spec: the tokenizer; its vocabulary and merges are not looked at.
        arrays: what `metaspace_arrays` made of it.
        singles: one more than the largest id.
    """

    def __init__(self, spec: kinds.TokenizerSpec, arrays: Arrays, singles: int) -> None:
        inner, edges = inner_normalizers(spec), edges_of(spec)
        assert inner is not None
        assert edges is not None
        self.edges, self.skips_spaces = edges, False
        self.leads_with_space = edges.prefix != "never"
        self._spec, self._inner = spec, inner
        self.whole_sections = False
        self.cutter = SpaceCutter(part_of("cut", arrays))
        self.base: Base | None = Base.of(part_of("base", arrays), singles)
        self.sizes: Ids | None = arrays.get("sizes")
        self._literals = tuple(
            one.pattern.text for one in inner if isinstance(one, kinds.Replace) and len(one.pattern.text) > 1
        )
        self._soft = frozenset(map(chr, arrays["soft"].tolist()))
        self._plain_ascii = bool(arrays["plain_ascii"][0])
        bpe = isinstance(spec.model, kinds.BPE)
        self._model: CharacterBpe | UnigramTokens = CharacterBpe(arrays) if bpe else UnigramTokens(arrays)

    # These take milliseconds to open, and a tokenizer may never need them.

    @functools.cached_property
    def normalizer(self) -> NormalizerChain:
        """What is done to a segment from the inside of a text."""
        return open_normalizer(self._inner)

    @functools.cached_property
    def _split(self) -> PreTokenizerChain:
        return open_pre_tokenizer(inner_pre_tokenizers(self._spec))

    @functools.cached_property
    def _solid(self) -> _Solid:
        return _Solid(self.normalizer)

    @functools.cached_property
    def _white(self) -> str:
        ranges = load_tables().white_space.ranges
        return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))

    def spells(self, raw: bytes) -> bool:
        """Say whether tokens stand for the bytes of a text: only a space is written differently, and read as one."""
        return self.sizes is not None and META.encode() not in raw

    def lead(self, text: str, first: bool) -> Lead | None:
        """Say how a section of text begins and ends; None if what is there might vanish or become white space."""
        edges, start, end = self.edges, 0, len(text)
        space = edges.prefix == "always" or (edges.prefix == "first" and first)
        if not edges.looks:
            return Lead(0, end, space)
        if edges.strip_right:
            end = len(text.rstrip(self._white))
        if edges.strip_left:
            start = len(text) - len(text.lstrip(self._white))
        if start >= end:
            return NOTHING if edges.strip_left and edges.strip_right else None
        solid = self._solid
        if edges.strip_right and not solid[text[end - 1]]:
            return None
        at = start
        while text[at] == " ":
            at += 1
            if at == end:
                return None
        if self._literals and text.startswith(self._literals, at):
            return None  # the space in front stands for what the first character stands for: not the first one alone
        if not solid[text[at]] or (at + 1 < end and not (solid[text[at + 1]] or text[at + 1] == " ")):
            return None
        if edges.prefix == "first" and start > 0:
            space = False  # what is left does not begin where the text does
        return Lead(start, end, space and at == start)

    def ids_of(self, segment: str) -> list[int]:
        """Tokenize one segment."""
        self._check_simple(segment)
        known = self._base_words.get(segment.encode())
        if known is not None:
            return known
        words = self._split.words(self.normalizer.normalize(segment), False)
        return [token_id for word in words for token_id in self._model.ids_of(word)]

    @functools.cached_property
    def _base_words(self) -> BaseWords:
        assert self.base is not None
        return BaseWords(self.base)

    def _check_simple(self, segment: str) -> None:
        """Refuse a segment whose ends may change with what stands beside them."""
        solid = self._solid
        if segment[-1] in self._soft or not solid[segment[-1]]:
            raise NotSimple
        word = segment[segment[0] == " " :]
        if not word or not all(solid[character] for character in word[:2]):
            raise NotSimple

    def tokens_of(self, words: list[str]) -> WordTokens:
        """Tokenize words as the pre-tokenizers give them."""
        return self._model.tokens(words)

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        """Tokenize segments."""
        texts = Segments.of(buffer, starts, lengths).texts
        words: list[list[str]] = []
        changed: list[int] = []
        for at, text in enumerate(texts):
            if self._plain_ascii and text.isascii() and text.isprintable() and "  " not in text:
                new = text.replace(" ", META)
                words.append([new] if new.rfind(META) <= 0 else self._split.words(new, False))
                continue
            new = self.normalizer.normalize(text)
            if len(new) != len(text) or new.replace(META, " ") != text:
                changed.append(at)
            words.append(self._split.words(new, False))
        flat = list(chain.from_iterable(words))
        ids, counts, first, last = self._model.tokens(flat)
        parts = np.fromiter(map(len, words), np.int64, len(words))
        pieces = Pieces(ids, totals(counts, parts))
        return pieces if not spans else self._with_spans(pieces, counts, flat, parts, texts, changed, first, last)

    def _with_spans(
        self,
        pieces: Pieces,
        counts: Index,
        words: list[str],
        parts: Index,
        texts: list[str],
        changed: list[int],
        first: Ids,
        last: Ids,
    ) -> Pieces:
        """Turn places in words into places in segments: words follow each other, except where a normalizer was."""
        sizes = np.fromiter(map(len, words), np.int64, len(words))
        within = np.cumsum(sizes) - sizes
        firsts = np.cumsum(parts) - parts
        some = np.flatnonzero(parts)
        base = np.zeros(len(parts), np.int64)
        base[some] = within[firsts[some]]
        shift = np.repeat(within - np.repeat(base, parts), counts)
        starts, ends = (first + shift).astype(np.int32), (last + shift).astype(np.int32)
        offsets = np.cumsum(pieces.counts) - pieces.counts
        for at in changed:
            aligned = self.normalizer.align(Aligned.of(texts[at]))
            part = slice(int(offsets[at]), int(offsets[at] + pieces.counts[at]))
            ends[part] = np.array(aligned.ends, np.int32)[ends[part] - 1]
            starts[part] = np.array(aligned.starts, np.int32)[starts[part]]
        return Pieces(pieces.ids, pieces.counts, starts, ends)


class _Solid(dict[str, bool]):
    """Whether a character stays one that is no white space, and joins with none: worked out when first asked for."""

    LIMIT = 16_384

    def __init__(self, normalizer: NormalizerChain) -> None:
        super().__init__()
        self._normalizer, self._joining = normalizer, joining()
        self._white = load_tables().white_space

    def __missing__(self, character: str) -> bool:
        if len(self) >= self.LIMIT:
            self.clear()
        new = self._normalizer.normalize(character)
        ends = (new[:1], new[-1:])
        white = any(end in ("", META) or ord(end) in self._white for end in ends)
        self[character] = solid = not white and character not in (META, " ") and ord(character) not in self._joining
        return solid


class CharacterBpe:
    """BPE whose symbols are characters; one that is not in the vocabulary becomes its bytes."""

    def __init__(self, arrays: Arrays) -> None:
        self._engine = BpeEngine(part_of("bpe", arrays))
        self._bmp: Ids = arrays["bmp_ids"]
        self._byte_ids: Ids = arrays["byte_ids"]
        self._bmp_view = self._bmp.data.cast("B").cast("i")
        self._beyond = dict(zip(arrays["beyond"].tolist(), arrays["beyond_ids"].tolist(), strict=True))

    def tokens(self, words: list[str]) -> WordTokens:
        """Give the ids of words, their counts, and where tokens begin and end, in characters of their word."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        symbols, owners = self._symbols(codes)
        each = len(symbols) == len(codes)
        sizes = lengths if each else totals(np.bincount(owners, minlength=len(codes)), lengths)
        ids, counts, spans = self._engine.merge(symbols, sizes)
        ends = np.cumsum(spans)
        begin = np.repeat(np.cumsum(lengths) - lengths, counts)
        first, last = owners[ends - spans] - begin, owners[ends - 1] + 1 - begin
        return WordTokens(ids, counts, first.astype(np.int32), last.astype(np.int32))

    def ids_of(self, word: str) -> list[int]:
        """Tokenize one word."""
        symbols: list[int] = []
        for code in map(ord, word):
            symbol = self._bmp_view[code] if code < BMP else self._beyond.get(code, NONE)
            if symbol == NONE:
                symbols += self._byte_ids[list(chr(code).encode())].tolist()
            else:
                symbols.append(symbol)
        return [token_id for token_id, _ in self._engine.merge_one(symbols)]

    def _symbols(self, codes: NDArray[np.uint32]) -> tuple[Ids, Index]:
        """Give the symbols of characters, and for each symbol the index of its character."""
        symbols = self._bmp.take(np.minimum(codes, BMP))
        for at in np.flatnonzero(codes >= BMP).tolist():
            symbols[at] = self._beyond.get(int(codes[at]), NONE)
        unknown = np.flatnonzero(symbols == NONE)
        if not len(unknown):
            return symbols, np.arange(len(codes))
        text = codes[unknown].tobytes().decode("utf-32-le")
        raw = np.frombuffer(text.encode(), np.uint8)
        counts = np.ones(len(codes), np.int64)
        code = codes[unknown]
        counts[unknown] = 1 + (code >= MANY_BYTES) + (code >= 0x800).astype(np.int64) + (code >= BMP)
        owners = np.repeat(np.arange(len(codes)), counts)
        spelled = np.repeat(symbols, counts)
        places = np.cumsum(counts) - counts
        spelled[spread(places[unknown], counts[unknown])] = self._byte_ids.take(raw)
        return spelled, owners


class UnigramTokens:
    """The Unigram model; its symbols are characters."""

    def __init__(self, arrays: Arrays) -> None:
        self._engine = UnigramEngine(part_of("unigram", arrays))

    def tokens(self, words: list[str]) -> WordTokens:
        """Give the ids of words, their counts, and where tokens begin and end, in characters of their word."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32)
        ids, counts, sizes = self._engine.best(codes, lengths)
        ends = np.cumsum(sizes) - np.repeat(np.cumsum(lengths) - lengths, counts)
        return WordTokens(ids, counts, (ends - sizes).astype(np.int32), ends.astype(np.int32))

    def ids_of(self, word: str) -> list[int]:
        """Tokenize one word."""
        return [token_id for token_id, _ in self._engine.best_one(word)]


def inner_pre_tokenizers(spec: kinds.TokenizerSpec) -> tuple[kinds.PreTokenizer, ...]:
    """Give the pre-tokenizers for segments inside of a text: nothing is put in front of these."""
    return tuple(
        kinds.Metaspace(one.replacement, "never", one.split) if isinstance(one, kinds.Metaspace) else one
        for one in spec.pre_tokenizers
    )
