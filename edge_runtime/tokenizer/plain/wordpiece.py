"""WordPiece: the longest pieces of the vocabulary, from left to right.

Source: `models/wordpiece/mod.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from edge_runtime.tokenizer.plain.unknown import no_token_for
from edge_runtime.tokenizer.spec import kinds


class WordPiece:
    """Cuts a word into pieces; one that is too long or has an unknown part is a single unknown token."""

    def __init__(self, spec: kinds.WordPiece) -> None:
        self._starting, prefix = spec.vocab, spec.continuing_subword_prefix
        self._continuing = {
            piece.removeprefix(prefix): token_id for piece, token_id in spec.vocab.items() if piece.startswith(prefix)
        }
        # Looking no further than the longest piece keeps the cost of a word linear in its length.
        self._longest_starting = max(map(len, self._starting), default=0)
        self._longest_continuing = max(map(len, self._continuing), default=0)
        self._unknown_id = spec.vocab.get(spec.unk_token)
        self._limit = spec.max_input_chars_per_word

    def ids(self, word: str) -> list[int]:
        """Give the ids of a word. BadRequest: it is unknown and the vocabulary lacks the token for that."""
        return [token_id for token_id, _, _ in self.tokenize(word)]

    def tokenize(self, word: str) -> list[tuple[int, int, int]]:
        """Give the (id, start, end) of each token of a word; raises what `ids` raises."""
        tokens: list[tuple[int, int, int]] = []
        start, pieces, longest = 0, self._starting, self._longest_starting
        if len(word) > self._limit:
            return self._unknown(word)
        while start < len(word):
            for end in range(min(len(word), start + longest), start, -1):
                token_id = pieces.get(word[start:end])
                if token_id is not None:
                    break
            else:
                return self._unknown(word)
            tokens.append((token_id, start, end))
            start, pieces, longest = end, self._continuing, self._longest_continuing
        return tokens

    def _unknown(self, word: str) -> list[tuple[int, int, int]]:
        if self._unknown_id is None:
            raise no_token_for(word)
        return [(self._unknown_id, 0, len(word))]
