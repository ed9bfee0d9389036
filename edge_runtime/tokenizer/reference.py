"""The plain definition of edgert's WordPiece tokenizing: short, exact and not in a hurry.

Its ids are those of Hugging Face `tokenizers`; faster code is compared with this file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.errors import BadRequest, InputTooLong
from edge_runtime.tokenizer.added import AddedTokens
from edge_runtime.tokenizer.bert import BertNormalizer, BertPreTokenizer
from edge_runtime.tokenizer.encoding import Encoded
from edge_runtime.tokenizer.spec import TokenizerSpec, WordPieceSpec
from edge_runtime.tokenizer.unicode import LONE_SURROGATE, load_tables


class WordPiece:
    """Cuts a word into the longest pieces of the vocabulary, from left to right.

    Source: `models/wordpiece/mod.rs` of https://github.com/huggingface/tokenizers.
    """

    def __init__(self, spec: WordPieceSpec) -> None:
        self._spec = spec
        prefix = spec.continuing_subword_prefix
        self._continuing = {
            piece.removeprefix(prefix): token_id for piece, token_id in spec.vocab.items() if piece.startswith(prefix)
        }
        # Looking no further than the longest piece keeps the cost of a word linear in its length.
        self._longest_start = max(map(len, spec.vocab))
        self._longest_continuing = max(map(len, self._continuing), default=0)

    def ids(self, word: str) -> list[int]:
        """Give the ids of one word; a word that is too long or has an unknown part gives the unknown id alone."""
        if len(word) > self._spec.max_input_chars_per_word:
            return [self._spec.unk_id]
        ids: list[int] = []
        start, pieces, longest = 0, self._spec.vocab, self._longest_start
        while start < len(word):
            for end in range(min(len(word), start + longest), start, -1):
                token_id = pieces.get(word[start:end])
                if token_id is not None:
                    break
            else:
                return [self._spec.unk_id]
            ids.append(token_id)
            start, pieces, longest = end, self._continuing, self._longest_continuing
        return ids


class ReferenceTokenizer:
    """A `Tokenizer` made of one plain step after another.

    Args:
        spec: what the `tokenizer.json` says.
        parse_special: let the text of a special token, such as a literal `[SEP]`, become that token. Only for
            texts that the application wrote itself: with it, whoever writes the text can forge control tokens.
    """

    def __init__(self, spec: TokenizerSpec, parse_special: bool = False) -> None:
        self._spec = spec
        self.pad_id, self.vocab_size = spec.pad_id, spec.vocab_size
        tables = load_tables()
        normalize = BertNormalizer(spec.normalizer, tables).normalize
        self._added = AddedTokens(spec.added_tokens, normalize, tables.white_space, parse_special)
        self._pre_tokenizer = BertPreTokenizer(tables)
        self._model = WordPiece(spec.model)

    def encode(self, text: str) -> list[int]:
        return self._in_template(self._ids(text))[0]

    def count(self, text: str) -> int:
        return len(self._ids(text)) + self._spec.template.added

    def encode_batch(self, texts: Sequence[str], max_tokens: int, truncate: bool = False) -> Encoded:
        room = max_tokens - self._spec.template.added
        if room < 0:
            raise InputTooLong(self._spec.template.added, max_tokens)
        rows, truncated = [], []
        for text in texts:
            ids = self._ids(text)
            truncated.append(len(ids) > room)
            if truncated[-1] and not truncate:
                raise InputTooLong(len(ids) + self._spec.template.added, max_tokens)
            rows.append(self._in_template(ids[:room]))
        return self._padded(rows, tuple(truncated))

    def _ids(self, text: str) -> list[int]:
        """Give the ids of a text without special tokens around it."""
        lone = None if text.isascii() else LONE_SURROGATE.search(text)
        if lone:
            half = f"U+{ord(lone[0]):04X} at character {lone.start()}"
            raise BadRequest(f"text has half of a surrogate pair, {half}: send whole characters")
        ids: list[int] = []
        for part in self._added.split(text):
            if isinstance(part, int):
                ids.append(part)
            else:
                for word in self._pre_tokenizer.words(part):
                    ids += self._model.ids(word)
        return ids

    def _in_template(self, text_ids: list[int]) -> tuple[list[int], list[int]]:
        """Give the ids and type ids of a text with its special tokens."""
        ids: list[int] = []
        type_ids: list[int] = []
        for piece in self._spec.template.single:
            piece_ids = text_ids if piece.sequence else piece.ids
            ids += piece_ids
            type_ids += [piece.type_id] * len(piece_ids)
        return ids, type_ids

    def _padded(self, rows: list[tuple[list[int], list[int]]], truncated: tuple[bool, ...]) -> Encoded:
        shape = len(rows), max((len(ids) for ids, _ in rows), default=0)
        encoded = Encoded(
            input_ids=np.full(shape, self._spec.pad_id, dtype=np.int64),
            attention_mask=np.zeros(shape, dtype=np.int64),
            token_type_ids=np.full(shape, self._spec.pad_type_id, dtype=np.int64),
            truncated=truncated,
        )
        for row, (ids, type_ids) in enumerate(rows):
            encoded.input_ids[row, : len(ids)] = ids
            encoded.attention_mask[row, : len(ids)] = 1
            encoded.token_type_ids[row, : len(ids)] = type_ids
        return encoded
