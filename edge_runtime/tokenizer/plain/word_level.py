"""WordLevel: a word is one token or unknown.

Source: `models/wordlevel/mod.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from edge_runtime.tokenizer.plain.unknown import no_token_for
from edge_runtime.tokenizer.spec import kinds


class WordLevel:
    """Looks a word up."""

    def __init__(self, spec: kinds.WordLevel) -> None:
        self._vocab, self._unknown_id = spec.vocab, spec.vocab.get(spec.unk_token)

    def ids(self, word: str) -> list[int]:
        """Give the one id of a word. BadRequest: it is unknown and the vocabulary lacks the token for that."""
        token_id = self._vocab.get(word, self._unknown_id)
        if token_id is None:
            raise no_token_for(word)
        return [token_id]

    def tokenize(self, word: str) -> list[tuple[int, int, int]]:
        """Give the (id, start, end) of the word's token; raises what `ids` raises."""
        return [(self.ids(word)[0], 0, len(word))]
