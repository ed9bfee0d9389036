"""The plain definition of tokenizing: one exact step after another, and not in a hurry.

Its ids and offsets are those of Hugging Face `tokenizers`; faster code is compared with this file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np

from edge_runtime.errors import BadRequest
from edge_runtime.tokenizer.assemble import Assembler, Blanks, white_edges
from edge_runtime.tokenizer.decode import Decoder, pieces_of, special_ids
from edge_runtime.tokenizer.encoding import TO_LONGEST, DecodeStream, Encoded, Padding, Tokens, Truncation
from edge_runtime.tokenizer.plain.added import TEXT, AddedTokens
from edge_runtime.tokenizer.plain.aligned import Aligned
from edge_runtime.tokenizer.plain.bpe import BPE
from edge_runtime.tokenizer.plain.normalizers import open_normalizer
from edge_runtime.tokenizer.plain.pre_tokenizers import open_pre_tokenizer
from edge_runtime.tokenizer.plain.unigram import Unigram
from edge_runtime.tokenizer.plain.word_level import WordLevel
from edge_runtime.tokenizer.plain.wordpiece import WordPiece
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import LONE_SURROGATE


class _Token(NamedTuple):
    """A token of a text; `text` is its string where that is not the vocabulary's."""

    id: int
    start: int
    end: int
    text: str | None


class _Batch(NamedTuple):
    """The tokens of several texts, and the white space of those that are not the vocabulary's string."""

    tokens: Tokens
    blanks: Blanks | None


class Model(Protocol):
    """What makes tokens of a word."""

    def ids(self, word: str) -> list[int]:
        """Give the ids of a word."""

    def tokenize(self, word: str) -> list[tuple[int, int, int]]:
        """Give the tokens of a word."""


def open_model(spec: kinds.Model) -> Model:
    """Build the model that a spec describes. UnsupportedTokenizer: see the models."""
    match spec:
        case kinds.BPE():
            return BPE(spec)
        case kinds.Unigram():
            return Unigram(spec)
        case kinds.WordPiece():
            return WordPiece(spec)
        case kinds.WordLevel():
            return WordLevel(spec)


def check_text(text: str) -> None:
    """Refuse a text that is not made of characters.

    Raises:
        BadRequest: it holds a lone surrogate.
    """
    lone = None if text.isascii() else LONE_SURROGATE.search(text)
    if lone:
        half = f"U+{ord(lone[0]):04X} at character {lone.start()}"
        raise BadRequest(f"text has half of a surrogate pair, {half}: send whole characters")


class ReferenceTokenizer:
    """A `Tokenizer` made of one plain step after another.

    Args:
        spec: what the `tokenizer.json` says.
        parse_special: let the text of a special token, such as a literal `[SEP]`, become that token. Only for
            texts that the application wrote itself: with it, whoever writes the text can forge control tokens.

    Raises:
        UnsupportedTokenizer: a part of the spec is not supported.
    """

    def __init__(self, spec: kinds.TokenizerSpec, parse_special: bool = False) -> None:
        self.normalizer = open_normalizer(spec.normalizers)
        self.pre_tokenizer = open_pre_tokenizer(spec.pre_tokenizers)
        self.model = open_model(spec.model)
        self.added = AddedTokens(spec.added_tokens, self.normalizer.normalize, parse_special)
        # Only then a word depends on where it stands in the text, and ids cannot be had without alignment.
        self._places_count = any(
            isinstance(step, kinds.Metaspace) and step.prepend_scheme == "first" for step in spec.pre_tokenizers
        )
        # What stands for the unknown in a Unigram model is, to the original, the unknown text itself.
        self._verbatim_id = spec.model.unk_id if isinstance(spec.model, kinds.Unigram) else None
        pieces = pieces_of(spec, self.normalizer.normalize)
        self._decoder = Decoder(spec.decoders, pieces, special_ids(spec, pieces))
        self._template = spec.template
        self.pad_id = spec.pad_id
        self.vocab_size = max(len(pieces), 1 + max(_template_ids(spec.template), default=-1))
        edges = white_edges(model_pieces(spec, len(pieces))) if spec.trim else None
        self._assembler = Assembler(
            spec.template, spec.pad_id, spec.pad_type_id, spec.trim, edges, spec.template.overflow_type_ids
        )

    def warm_up(self) -> None:
        self.tokens(["a"], False)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._assembler.single(self._ids(text)).input_ids[0].tolist()
        return ids

    def count(self, text: str) -> int:
        return len(self._ids(text)) + self._template.added

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
    ) -> Encoded:
        first, second = self._tokens(texts, offsets), None if pairs is None else self._tokens(pairs, offsets)
        return self._assembler.assemble(
            first.tokens,
            second and second.tokens,
            max_tokens=max_tokens,
            truncate=truncate,
            padding=padding,
            special_tokens=special_tokens,
            offsets=offsets,
            blanks=first.blanks,
            pair_blanks=second and second.blanks,
        )

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        return self._decoder.decode(ids, skip_special_tokens)

    def stream(self, skip_special_tokens: bool = True) -> DecodeStream:
        return self._decoder.stream(skip_special_tokens)

    def tokens(self, texts: Sequence[str], spans: bool) -> Tokens:
        """Give the tokens of texts. BadRequest: a text holds a lone surrogate, or what the model does not know."""
        return self._tokens(texts, spans).tokens

    def _tokens(self, texts: Sequence[str], spans: bool) -> _Batch:
        """Give the tokens of texts and which of them are not the vocabulary's string."""
        if not spans:
            return _Batch(_tokens([self._ids(text) for text in texts]), None)
        found = [self._found(text) for text in texts]
        tokens = _tokens([[token.id for token in tokens] for tokens in found])
        flat = [token for tokens in found for token in tokens]
        places = np.array([(token.start, token.end) for token in flat], dtype=np.int32).reshape(-1, 2)
        own = [(at, token.text) for at, token in enumerate(flat) if token.text is not None]
        edges = white_edges(text for _, text in own)
        at = np.array([at for at, _ in own], dtype=np.int32)
        blanks = np.stack((at, edges.leading, edges.trailing), axis=1).astype(np.int32)
        return _Batch(replace(tokens, spans=places), blanks)

    def _ids(self, text: str) -> list[int]:
        """Give the ids of one text."""
        if self._places_count:
            return [token.id for token in self._found(text)]
        check_text(text)
        ids: list[int] = []
        for part in self.added.raw.split(text):
            if part.id == TEXT:
                ids += self._normalized_ids(self.normalizer.normalize(text[part.start : part.end]))
            else:
                ids.append(part.id)
        return ids

    def _normalized_ids(self, section: str) -> Iterator[int]:
        for part in self.added.normalized.split(section):
            if part.id != TEXT:
                yield part.id
                continue
            for word in self.pre_tokenizer.words(section[part.start : part.end], first=False):
                yield from self.model.ids(word)

    def _found(self, text: str) -> list[_Token]:
        """Give the tokens of one text; a token covers all characters of the text that it has a part of."""
        check_text(text)
        tokens: list[_Token] = []
        for part in self.added.raw.split(text):
            if part.id == TEXT:
                section = Aligned.of(text[part.start : part.end], part.start)
                tokens += self._normalized(self.normalizer.align(section))
            else:
                tokens.append(_Token(*part, text[part.start : part.end]))
        return tokens

    def _normalized(self, section: Aligned) -> Iterator[_Token]:
        """Give the tokens of a section that is normalized."""
        for part in self.added.normalized.split(section.text):
            piece = section.piece(part.start, part.end)
            if part.id != TEXT:
                yield _Token(part.id, piece.starts[0], piece.ends[-1], piece.text)
                continue
            for word in self.pre_tokenizer.split(piece, first=piece.starts[0] == 0):
                for token_id, start, end in self.model.tokenize(word.text):
                    own = word.text[start:end] if token_id == self._verbatim_id else None
                    yield _Token(token_id, word.starts[start], word.ends[end - 1], own)


def _tokens(ids: Sequence[Sequence[int]]) -> Tokens:
    """Put the ids of several texts one after another."""
    flat = np.fromiter(chain.from_iterable(ids), dtype=np.int32)
    return Tokens(flat, np.array([len(text_ids) for text_ids in ids], dtype=np.int64))


def _template_ids(template: kinds.Template) -> set[int]:
    return {token_id for piece in (*template.single, *template.pair) for token_id in piece.ids}


def model_pieces(spec: kinds.TokenizerSpec, size: int) -> list[str | None]:
    """Give the model's string of each id; None for added tokens, which are what was found in the text."""
    pieces = pieces_of(replace(spec, added_tokens=()), str)
    return pieces + [None] * (size - len(pieces))
