"""WordPiece as BERT has it: unknown segments, and what is compiled for it."""

from __future__ import annotations

import functools
import string

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.arrays import ArrayDict, Arrays, part_of, under
from edge_runtime.tokenizer.vector.base import Base, base_arrays
from edge_runtime.tokenizer.vector.bert_tables import ALONE, WHITE, BertTables, Codes, bert_arrays
from edge_runtime.tokenizer.vector.core import Pieces, from_base, merged, one_after_another, repeated
from edge_runtime.tokenizer.vector.cut import CutRules, SpaceCutter, cutter_arrays, flags_of
from edge_runtime.tokenizer.vector.keys import INLINE, PADDING, Bytes, Index, keys_of, word_view
from edge_runtime.tokenizer.vector.lead import Lead
from edge_runtime.tokenizer.vector.lockstep.wordpiece import WordPieceEngine
from edge_runtime.tokenizer.vector.overlay import Ids, spread
from edge_runtime.tokenizer.vector.plain_way import PlainWay
from edge_runtime.tokenizer.vector.rows import distinct
from edge_runtime.tokenizer.vector.scalar import BaseWords
from edge_runtime.tokenizer.vector.segments import Segments, totals
from edge_runtime.tokenizer.vector.words import WordTokens

_GRAPH = string.ascii_letters + string.digits + string.punctuation
_UTF8_STEPS = (0x80, 0x800, 0x10000)  # code points from which on a character has one byte more


class Bert:
    """BERT's tokenizer over its compiled arrays.

    Args:
        spec: the tokenizer; its vocabulary is not looked at.
        arrays: what `wordpiece_arrays` made of it.
        singles: one more than the largest id.
    """

    def __init__(self, spec: kinds.TokenizerSpec, arrays: Arrays, singles: int) -> None:
        self.whole_sections = True
        self.sizes: Ids | None = None
        self.leads_with_space, self.skips_spaces = False, True
        normalizer = spec.normalizers[0]
        assert isinstance(normalizer, kinds.BertNormalizer)
        self._lowercase = normalizer.lowercase
        self.cutter = SpaceCutter(part_of("cut", arrays))
        # Not for whole segments: the strings in it are normalized.
        self._words = Base.of(part_of("base", arrays), singles)
        self.base: Base | None = None
        self._tables = BertTables(part_of("bert", arrays))
        self._engine = WordPieceEngine(part_of("wordpiece", arrays))
        self._plain = PlainWay(spec, self.tokens_of)

    def spells(self, raw: bytes) -> bool:
        """Characters may be added, removed and unknown."""
        return False

    def lead(self, text: str, first: bool) -> Lead | None:
        """Say how a section of text begins."""
        return Lead(0, len(text), False)

    def ids_of(self, segment: str) -> list[int]:
        """Tokenize one segment."""
        if segment.isascii():
            # Punctuation is a word by itself: what stands before it is known more often than both together.
            word, mark = (segment, "") if segment.isalnum() else (segment[:-1], segment[-1:])
            if not mark or (word.isalnum() and mark in string.punctuation):
                ids = self._ids_of_word(word.lower() if self._lowercase else word)
                return ids + self._ids_of_word(mark) if mark else ids
        return [token_id for word in self._plain.words(segment) for token_id in self._ids_of_word(word)]

    def _ids_of_word(self, word: str) -> list[int]:
        known = self._base_words.get(word.encode())
        return [token_id for token_id, _ in self._engine.match_one(word)] if known is None else known

    @functools.cached_property
    def _base_words(self) -> BaseWords:
        return BaseWords(self._words)

    def tokens_of(self, words: list[str]) -> WordTokens:
        """Tokenize words as the pre-tokenizer gives them."""
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        ids, counts, sizes = self._engine.match(np.frombuffer("".join(words).encode("utf-32-le"), np.uint32), lengths)
        ends = np.cumsum(sizes) - np.repeat(np.cumsum(lengths) - lengths, counts)
        return WordTokens(ids, counts, (ends - sizes).astype(np.int32), ends.astype(np.int32))

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        """Tokenize segments."""
        segments = Segments.of(buffer, starts, lengths)
        codes = np.frombuffer(segments.text.encode("utf-32-le"), np.uint32)
        owners = np.repeat(np.arange(len(starts)), np.diff(segments.bounds))
        normalized = self._tables.normalize(codes)
        if len(normalized.moved):
            return self._partly_plain(buffer, starts, lengths, spans, np.unique(owners[normalized.moved]))
        owner = owners[normalized.sources]
        first, size = _words_of(normalized.classes, owner)
        ids, counts, sizes = self._tokens(normalized.codes, first, size)
        per_segment = totals(counts, np.bincount(owner[first], minlength=len(starts)))
        if not spans:
            return Pieces(ids, per_segment)
        ends = np.cumsum(sizes) + np.repeat(first - (np.cumsum(size) - size), counts)
        base = np.repeat(segments.bounds[:-1], per_segment)
        begin = normalized.sources[ends - sizes] - base
        stop = normalized.sources[ends - 1] + 1 - base
        return Pieces(ids, per_segment, begin.astype(np.int32), stop.astype(np.int32))

    def _tokens(self, codes: Codes, first: Index, size: Index) -> tuple[NDArray[np.int32], Index, NDArray[np.int32]]:
        """Give the ids of words, their counts, and the characters of each token."""
        content, starts, lengths = _encoded(codes, first, size)
        inline = np.flatnonzero(lengths <= INLINE)
        low, high = keys_of(word_view(content), starts[inline], lengths[inline])
        hit, known, rest = from_base(self._words, low, high)
        known = known._replace(starts=size[inline[hit]].astype(np.int32), ends=known.ids)
        unique, group = distinct(low[rest], high[rest])
        long = np.flatnonzero(lengths > INLINE)
        unknown = np.concatenate([inline[rest[unique]], long])
        found, counts, sizes = self._engine.match(codes.take(spread(first[unknown], size[unknown])), size[unknown])
        places = np.concatenate([group, len(unique) + np.arange(len(long))])
        worked_out = repeated(Pieces(found, counts, sizes.astype(np.int32), found), places)
        where = np.concatenate([inline[rest], long])
        pieces = merged([(inline[hit], known), (where, worked_out)], len(first))
        assert pieces.starts is not None
        return pieces.ids, pieces.counts, pieces.starts

    def _partly_plain(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool, slow: Index) -> Pieces:
        """Take the plain way for segments in which marks must be put in order."""
        rest = np.setdiff1d(np.arange(len(starts)), slow)
        sources = [(rest, self.resolve(buffer, starts[rest], lengths[rest], spans))] if len(rest) else []
        texts = Segments.of(buffer, starts[slow], lengths[slow]).texts
        pieces = one_after_another([self._plain.pieces(text, first=False, spans=spans) for text in texts])
        return merged([*sources, (slow, pieces)], len(starts))


def _words_of(classes: NDArray[np.uint8], owner: Index) -> tuple[Index, Index]:
    """Give where words begin and how many characters they have; no word reaches over two segments."""
    count = len(classes)
    begins = np.ones(count + 1, np.bool_)
    np.not_equal(classes[1:], classes[:-1], out=begins[1:-1])
    begins[1:-1] |= owner[1:] != owner[:-1]
    begins[:-1] |= classes == ALONE
    bounds = np.flatnonzero(begins)
    word = np.flatnonzero(classes.take(bounds[:-1]) != WHITE)
    return bounds[:-1].take(word), np.diff(bounds).take(word)


def _encoded(codes: Codes, first: Index, size: Index) -> tuple[Bytes, Index, Index]:
    """Give a padded buffer of the UTF-8 form of characters, and where words begin in it and their bytes."""
    if not len(codes) or int(codes.max()) < _UTF8_STEPS[0]:
        return np.concatenate([codes.astype(np.uint8), np.zeros(PADDING, np.uint8)]), first, size
    content = np.frombuffer(codes.tobytes().decode("utf-32-le").encode() + bytes(PADDING), np.uint8)
    widths = np.ones(len(codes), np.int64)
    for step in _UTF8_STEPS:
        widths += codes >= step
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(widths)])
    starts = ends.take(first)
    return content, starts, ends.take(first + size) - starts


def supports(spec: kinds.TokenizerSpec) -> bool:
    """Say whether this is BERT's WordPiece; any other takes the slow way."""
    normalizer = spec.normalizers[0] if len(spec.normalizers) == 1 else None
    bert = isinstance(normalizer, kinds.BertNormalizer) and spec.pre_tokenizers == (kinds.BertPreTokenizer(),)
    return bert and isinstance(spec.model, kinds.WordPiece)


def wordpiece_arrays(spec: kinds.TokenizerSpec, singles: int) -> ArrayDict:
    """Make what `Bert` opens, of a spec that is supported."""
    normalizer, model = spec.normalizers[0], spec.model
    assert isinstance(normalizer, kinds.BertNormalizer)
    assert isinstance(model, kinds.WordPiece)
    # A space, a newline and ASCII punctuation cut whatever stands beside them.
    rules = CutRules(newline="solid", after_newline=_GRAPH, alone=True, alone_wide=normalizer.handle_chinese_chars)
    words = {
        piece: token_id for piece, token_id in model.vocab.items() if 0 < len(piece) <= model.max_input_chars_per_word
    }
    ids = np.fromiter(words.values(), np.int32, len(words))
    return {
        **under("cut", cutter_arrays(rules, flags_of(()), flags_of(()))),
        **under("bert", bert_arrays(normalizer)),
        **under("wordpiece", WordPieceEngine.arrays(model)),
        **under("base", base_arrays([word.encode() for word in words], ids, np.ones(len(ids), np.int64), singles)),
    }
