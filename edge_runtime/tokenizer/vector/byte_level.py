"""Byte-level BPE (GPT-2, RoBERTa, Llama 3, Qwen, GPT-4, DeepSeek): unknown segments."""

from __future__ import annotations

import functools

import numpy as np

from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.byte_level import BYTE_CHARACTERS
from edge_runtime.tokenizer.plain.normalizers import NormalizerChain, open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import PreTokenizerChain, open_pre_tokenizer
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode.normal_forms import NormalForm, normal_form
from edge_runtime.tokenizer.vector.arrays import Arrays, part_of
from edge_runtime.tokenizer.vector.base import Base
from edge_runtime.tokenizer.vector.byte_level_rules import rules_of, splits_of
from edge_runtime.tokenizer.vector.core import Pieces, from_base, merged, repeated
from edge_runtime.tokenizer.vector.cut import SpaceCutter
from edge_runtime.tokenizer.vector.keys import INLINE, LONGEST, PADDING, Bytes, Index, keys_of, word_view
from edge_runtime.tokenizer.vector.lead import Lead
from edge_runtime.tokenizer.vector.lockstep.bpe import BpeEngine
from edge_runtime.tokenizer.vector.overlay import Ids, spread
from edge_runtime.tokenizer.vector.rows import distinct
from edge_runtime.tokenizer.vector.scalar import BaseWords, NotSimple
from edge_runtime.tokenizer.vector.segments import Segments, byte_at, characters_before, totals
from edge_runtime.tokenizer.vector.splitting import Splitter
from edge_runtime.tokenizer.vector.words import WordTokens

NO_BYTE = -1
BYTES_OF = np.full(1 << 16, NO_BYTE, np.int16)  # by the character that stands for it
BYTES_OF[[ord(character) for character in BYTE_CHARACTERS]] = np.arange(256)


class ByteLevel:
    """Byte-level BPE over its compiled arrays.

    Args:
        spec: the tokenizer; its vocabulary and merges are not looked at.
        arrays: what `byte_level_arrays` made of it.
        singles: one more than the largest id.
    """

    def __init__(self, spec: kinds.TokenizerSpec, arrays: Arrays, singles: int) -> None:
        found = splits_of(spec.pre_tokenizers)
        assert found is not None
        self._split_specs, self.leads_with_space = found
        self.skips_spaces = False
        self._spec, self._normalizes = spec, bool(spec.normalizers)
        self.whole_sections = not self.leads_with_space
        self.cutter = SpaceCutter(part_of("cut", arrays))
        self.base: Base | None = Base.of(part_of("base", arrays), singles)
        self._engine = BpeEngine(part_of("bpe", arrays))
        self._byte_ids: Ids = arrays["byte_ids"]
        self._byte_sizes: Ids = arrays["sizes"]
        self.sizes: Ids | None = self._byte_sizes
        self._long = _LongWords(arrays)

    # These read tables of characters, which takes milliseconds, and a vocabulary may know all that ever comes.

    @functools.cached_property
    def _normalizer(self) -> NormalizerChain:
        return open_normalizer(self._spec.normalizers)

    @functools.cached_property
    def _forms(self) -> list[NormalForm]:
        return [normal_form(form.form) for form in unicode_forms(self._spec)]

    @functools.cached_property
    def _splits(self) -> PreTokenizerChain:
        return open_pre_tokenizer(self._split_specs)

    @functools.cached_property
    def _splitter(self) -> Splitter:
        return Splitter(self._split_specs)

    @functools.cached_property
    def _marks(self) -> frozenset[str]:
        rules = rules_of(self._split_specs)
        assert rules is not None
        return frozenset(rules.marks)

    def spells(self, raw: bytes) -> bool:
        """Say whether no normalizer changes the text."""
        return not self._normalizes or raw.isascii() or all(form.is_stable(raw.decode()) for form in self._forms)

    def lead(self, text: str, first: bool) -> Lead | None:
        """Say how a section of text begins."""
        return Lead(0, len(text), self.leads_with_space and text[0] != " ")

    def ids_of(self, segment: str) -> list[int]:
        """Tokenize one segment."""
        if segment[1:2].isspace() and segment[0] == " ":
            raise NotSimple  # how much of a run of white space goes together shows at its end
        known = self._base_words.get(segment.encode())
        if known is not None:
            return known
        if segment[-1:] in self._marks and segment[-2:-1].isalnum() and segment.isascii():
            return self.ids_of(segment[:-1]) + self.ids_of(segment[-1])  # a cut that is safe, for parts that are known
        text = self._normalizer.normalize(segment) if self._normalizes and not segment.isascii() else segment
        return [token_id for word in self._splits.words(text, False) for token_id in self._ids_of_word(word.encode())]

    def _ids_of_word(self, word: bytes) -> list[int]:
        known = self._base_words.get(word)
        if known is not None:
            return known
        long = self._long.get(word) if len(word) > INLINE else None
        if long is not None:
            return [long]
        return [token_id for token_id, _ in self._engine.merge_one(self._byte_ids[list(word)].tolist())]

    @functools.cached_property
    def _base_words(self) -> BaseWords:
        assert self.base is not None
        return BaseWords(self.base)

    def tokens_of(self, words: list[str]) -> WordTokens:
        """Tokenize words as the pre-tokenizers give them: each character stands for a byte."""
        codes = np.frombuffer("".join(words).encode("utf-16-le"), np.uint16)
        lengths = np.fromiter(map(len, words), np.int64, len(words))
        content = np.concatenate([BYTES_OF.take(codes).astype(np.uint8), np.zeros(PADDING, np.uint8)])
        pieces = self._pieces(content, np.cumsum(lengths) - lengths, lengths)
        sizes = self._byte_sizes.take(pieces.ids)
        ends = np.cumsum(sizes) - np.repeat(np.cumsum(lengths) - lengths, pieces.counts)
        return WordTokens(pieces.ids, pieces.counts, (ends - sizes).astype(np.int32), ends.astype(np.int32))

    def resolve(self, buffer: Bytes, starts: Index, lengths: Index, spans: bool) -> Pieces:
        """Tokenize segments."""
        segments = Segments.of(buffer, starts, lengths)
        text, bounds, content = segments.text, segments.bounds, segments.content
        changed: dict[int, str] = {}
        if self._normalizes and len(text) != len(content) and not all(form.is_stable(text) for form in self._forms):
            texts = segments.texts
            normalized = list(map(self._normalizer.normalize, texts))
            changed = {at: old for at, (old, new) in enumerate(zip(texts, normalized, strict=True)) if old != new}
            text = "".join(normalized)
            bounds = np.concatenate([[0], np.cumsum(np.fromiter(map(len, normalized), np.int64, len(texts)))])
            content = np.frombuffer(text.encode(), np.uint8)
        words = self._splitter.bounds(text, bounds)
        places = words if len(text) == len(content) else byte_at(content, words)
        padded = np.concatenate([content, np.zeros(PADDING, np.uint8)])
        pieces = self._pieces(padded, places[:-1], np.diff(places))
        counts = totals(pieces.counts, np.diff(np.searchsorted(words, bounds)))
        if not spans:
            return Pieces(pieces.ids, counts)
        return self._with_spans(Pieces(pieces.ids, counts), content, bounds, changed)

    def _pieces(self, buffer: Bytes, starts: Index, lengths: Index) -> Pieces:
        """Give the tokens of words, which are ranges of a padded buffer."""
        assert self.base is not None
        keyed = np.flatnonzero(lengths <= LONGEST)
        first, second = keys_of(word_view(buffer), starts.take(keyed), lengths.take(keyed))
        hit, known, rest = from_base(self.base, first, second)
        unique, group = distinct(first.take(rest), second.take(rest))
        huge = np.flatnonzero(lengths > LONGEST)
        unknown = np.concatenate([keyed.take(rest.take(unique)), huge])
        worked_out = self._worked_out(buffer, starts.take(unknown), lengths.take(unknown))
        again = np.concatenate([group, len(unique) + np.arange(len(huge))])
        sources = [(keyed.take(hit), known), (np.concatenate([keyed.take(rest), huge]), repeated(worked_out, again))]
        return merged(sources, len(lengths))

    def _worked_out(self, buffer: Bytes, starts: Index, lengths: Index) -> Pieces:
        """Give the tokens of words that are not in the frozen table."""
        symbols = self._byte_ids.take(buffer.take(spread(starts, lengths)))
        ids, counts, _ = self._engine.merge(symbols, lengths)
        pieces = Pieces(ids, counts)
        if not len(self._long):
            return pieces
        # Too long for the table, and yet one token whatever the merges say.
        found: dict[int, int] = {}
        for at in np.flatnonzero(lengths > INLINE).tolist():
            token_id = self._long.get(buffer[starts[at] : starts[at] + lengths[at]].tobytes())
            if token_id is not None:
                found[at] = token_id
        if not found:
            return pieces
        whole = np.array(list(found), np.int64)
        rest = np.setdiff1d(np.arange(len(lengths)), whole)
        one = Pieces(np.array(list(found.values()), np.int32), np.ones(len(whole), np.int64))
        kept = np.ones(len(lengths), np.bool_)
        kept[whole] = False
        return merged([(whole, one), (rest, Pieces(ids[np.repeat(kept, counts)], counts[rest]))], len(lengths))

    def _with_spans(self, pieces: Pieces, content: Bytes, bounds: Index, changed: dict[int, str]) -> Pieces:
        """Add where tokens begin and end: each has as many bytes as its own string, one behind the other."""
        sizes = self._byte_sizes.take(pieces.ids)
        ends = np.cumsum(sizes)
        begun = characters_before(content)
        base = np.repeat(bounds[:-1], pieces.counts)
        starts = (begun.take(ends - sizes + 1) - 1 - base).astype(np.int32)
        stops = (begun.take(ends) - base).astype(np.int32)
        offsets = np.cumsum(pieces.counts) - pieces.counts
        for at, original in changed.items():
            aligned = self._normalizer.align(Aligned.of(original))
            part = slice(int(offsets[at]), int(offsets[at] + pieces.counts[at]))
            stops[part] = np.array(aligned.ends, np.int32)[stops[part] - 1]
            starts[part] = np.array(aligned.starts, np.int32)[starts[part]]
        return Pieces(pieces.ids, pieces.counts, starts, stops)


class _LongWords:
    """The vocabulary's strings that are too long for the frozen table and are one token whatever the merges say."""

    def __init__(self, arrays: Arrays) -> None:
        self._ids, self._bytes, self._ends = arrays["long_ids"], arrays["long_bytes"], arrays["long_ends"]
        self._words: dict[bytes, int] | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def get(self, word: bytes) -> int | None:
        """Give the id of a word."""
        if self._words is None:
            raw, ends = self._bytes.tobytes(), self._ends.tolist()
            words = [raw[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            self._words = dict(zip(words, self._ids.tolist(), strict=True))
        return self._words.get(word)


def unicode_forms(spec: kinds.TokenizerSpec) -> list[kinds.UnicodeForm]:
    """Give the Unicode normal forms that a tokenizer asks for."""
    return [normalizer for normalizer in spec.normalizers if isinstance(normalizer, kinds.UnicodeForm)]
