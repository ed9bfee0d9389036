"""The tokenizer that runs: compiled arrays, one path for batches and one for a single short text."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from edge_runtime.tokenizer.assemble import Assembler, Buffers, WhiteEdges
from edge_runtime.tokenizer.assemble.frame import Frame
from edge_runtime.tokenizer.assemble.shared import SharedRows
from edge_runtime.tokenizer.assemble.trimming import Blanks
from edge_runtime.tokenizer.common_words import common_words
from edge_runtime.tokenizer.decode import Decoder, PiecePool
from edge_runtime.tokenizer.encoding import TO_LONGEST, DecodeStream, Encoded, Padding, Tokens, Truncation
from edge_runtime.tokenizer.plain.added import AddedTokens
from edge_runtime.tokenizer.recent import RecentTexts
from edge_runtime.tokenizer.spec import kinds, parse_spec
from edge_runtime.tokenizer.vector.arrays import Arrays
from edge_runtime.tokenizer.vector.batch import Batches
from edge_runtime.tokenizer.vector.family import open_family
from edge_runtime.tokenizer.vector.parts import PartedTexts
from edge_runtime.tokenizer.vector.plain_way import PlainWay
from edge_runtime.tokenizer.vector.scalar import ID_BYTES, LONGEST_TEXT, ShortTexts

BUDGET_BYTES = 8 * 1024 * 1024
COMMON_WORDS = 8192  # of the vocabulary, that a tokenizer knows by heart when warmed up: 2 MB
# What makes a tokenizer read its tables of characters: marks to be put in order, a script that writes no spaces.
_NUMBERS = tuple(map(str, range(101)))
_EVERY_WAY = ("Tokenize café, e\u0301 \uff21 \ufb01 ß İ 中文。한국어 ไทย नमस्ते 😀 don't 21.5°C\n\n x\t", "word by word")
_WHOLE = (False,)
_INT64 = np.dtype(np.int64)


class _ShortFrame(NamedTuple):
    """What stands around one text: ids as int64 bytes, and masks and type ids by length."""

    before: bytes
    after: bytes
    shared: SharedRows

    @classmethod
    def of(cls, template: kinds.Template) -> _ShortFrame | None:
        """Give the frame of a template; None if it is not the text with something around it."""
        frame = Frame.of(template.single)
        if frame is None:
            return None
        before, after = (np.array(ids, np.int64).tobytes() for ids in (frame.before, frame.after))
        return cls(before, after, SharedRows(frame))


class FastTokenizer:
    """A `Tokenizer` over compiled arrays. Safe to share between threads.

    Args:
        about, arrays: as `compiled` makes them.
        parse_special: let the text of a special token, such as a literal `[SEP]`, become that token. Only for texts
            that the application wrote itself: with it, whoever writes the text can forge control tokens.
        budget_bytes: what may be remembered of texts.
    """

    def __init__(
        self, about: Mapping[str, Any], arrays: Arrays, parse_special: bool = False, budget_bytes: int = BUDGET_BYTES
    ) -> None:
        spec = parse_spec(about["document"])
        pad_id, pad_type_id = about["pad"]
        self._spec = dataclasses.replace(spec, pad_id=pad_id, pad_type_id=pad_type_id)
        self._arrays, self._parse_special = arrays, parse_special
        self.pad_id, self.vocab_size = int(pad_id), int(about["size"])
        self._family = open_family(about["family"], spec, arrays, self.vocab_size)
        self._plain = PlainWay(self._spec, self._family.tokens_of)
        self._batches = Batches(self._family, self._plain, budget_bytes, self.vocab_size)
        self._may_hold_added = parse_special or bool(about["plain_added"])
        self._short_texts = ShortTexts(self._family)
        edges = WhiteEdges(arrays["edges.leading"], arrays["edges.trailing"]) if spec.trim else None
        self._template = spec.template
        self._assembler = Assembler(
            spec.template, pad_id, pad_type_id, spec.trim, edges, spec.template.overflow_type_ids
        )
        self._frame = _ShortFrame.of(spec.template)
        self._recent = RecentTexts()

    def warm_up(self, words: int = COMMON_WORDS) -> None:
        self.tokens(_EVERY_WAY)
        self._short_texts.learn(itertools.chain(_NUMBERS, common_words(self._arrays, words)))
        for text in _EVERY_WAY:
            self.encode_batch([text])

    def encode(self, text: str) -> list[int]:
        content = self._short(text, self._frame.before, self._frame.after) if self._frame else None
        if content is None:
            ids: list[int] = self._assembler.assemble(self.tokens([text])).input_ids[0].tolist()
            return ids
        return memoryview(content).cast("q").tolist()

    def count(self, text: str) -> int:
        content = self._short(text, b"", b"")
        tokens = len(self.tokens([text]).ids) if content is None else len(content) // ID_BYTES
        return tokens + self._template.added

    def encode_batch(
        self,
        texts: Sequence[str],
        max_tokens: int | None = None,
        truncate: bool | Truncation = False,
        *,
        pairs: Sequence[str] | None = None,
        padding: Padding = TO_LONGEST,
        special_tokens: bool = True,
        offsets: bool = False,
        buffers: Buffers | None = None,
    ) -> Encoded:
        frame = self._frame
        if len(texts) == 1 and frame and pairs is None and special_tokens and not offsets and padding is TO_LONGEST:
            known = self._recent.get(texts[0])
            if known is not None and (max_tokens is None or known.input_ids.size <= max_tokens):
                return known
            content = self._short(texts[0], frame.before, frame.after)
            if content is not None and (max_tokens is None or len(content) <= max_tokens * ID_BYTES):
                count = len(content) // ID_BYTES
                mask, types = frame.shared[count]
                encoded = Encoded(np.ndarray((1, count), _INT64, content), mask, types, _WHOLE)
                self._recent.add(texts[0], encoded)
                return encoded
        first, blanks = self._tokens(texts, offsets)
        second, pair_blanks = (None, None) if pairs is None else self._tokens(pairs, offsets)
        return self._assembler.assemble(
            first,
            second,
            max_tokens=max_tokens,
            truncate=truncate,
            padding=padding,
            special_tokens=special_tokens,
            offsets=offsets,
            buffers=buffers,
            blanks=blanks,
            pair_blanks=pair_blanks,
        )

    def _short(self, text: str, before: bytes, after: bytes) -> bytes | None:
        """Give the ids of a short text as int64 with others around it; None: it is not short, or not simple enough."""
        if len(text) > LONGEST_TEXT or (self._may_hold_added and self._holds_added(text)):
            return None
        try:
            return self._short_texts.framed(before, text, after)
        except UnicodeEncodeError:
            return None  # the other way says where

    def _holds_added(self, text: str) -> bool:
        """Say whether added tokens may stand in a text; quick."""
        finders = self._added.raw, self._added.normalized
        if finders[1].beginning is not None and self._spec.normalizers:
            return True
        return any(finder.beginning is not None and finder.beginning.search(text) for finder in finders)

    def tokens(self, texts: Sequence[str], spans: bool = False) -> Tokens:
        """Give the tokens of texts, without special tokens. BadRequest: a text holds a lone surrogate."""
        return self._tokens(texts, spans)[0]

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        return self._decoder.decode(ids, skip_special_tokens)

    def stream(self, skip_special_tokens: bool = True) -> DecodeStream:
        return self._decoder.stream(skip_special_tokens)

    def _tokens(self, texts: Sequence[str], spans: bool) -> tuple[Tokens, Blanks | None]:
        """Give the tokens of texts, and the white space of those that are not the vocabulary's string."""
        if self._may_hold_added and any(map(self._holds_added, texts)):
            normalizes = bool(self._spec.normalizers)
            return PartedTexts(self._added, self._batches, self._plain, normalizes, spans).tokens(texts)
        pieces = self._batches.pieces(texts, None, spans)
        return Tokens(pieces.ids, pieces.counts, pieces.spans), None

    @functools.cached_property
    def _added(self) -> AddedTokens:
        entries = json.loads(self._arrays["added_tokens"].tobytes())
        tokens = tuple(kinds.AddedToken(*entry) for entry in entries)
        return AddedTokens(tokens, self._plain.normalizer.normalize, self._parse_special)

    @functools.cached_property
    def _decoder(self) -> Decoder:
        pool = self._arrays["pieces.pool"], self._arrays["pieces.offsets"], self._arrays["pieces.gaps"]
        pieces = PiecePool(pool[0].data, pool[1], pool[2].tolist())
        return Decoder(self._spec.decoders, pieces, frozenset(self._arrays["special_ids"].tolist()))
