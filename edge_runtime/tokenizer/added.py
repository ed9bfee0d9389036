"""Added tokens: found in a text before anything else looks at it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec import AddedToken
from edge_runtime.tokenizer.unicode import CodePoints


class AddedTokens:
    """Cuts a text into ids of added tokens and the normalized text between them.

    Source: `added_vocabulary.rs` of https://github.com/huggingface/tokenizers, `extract_and_normalize`.
    """

    def __init__(
        self,
        tokens: Sequence[AddedToken],
        normalize: Callable[[str], str],
        white_space: CodePoints,
        parse_special: bool,
    ) -> None:
        self._normalize = normalize
        raw = {token.content: token for token in tokens if not token.normalized}
        normalized: dict[str, AddedToken] = {}
        for token in tokens:
            if token.normalized:
                _add(normalized, normalize(token.content), token)
        self._raw = _Finder(raw, white_space, parse_special)
        self._normalized = _Finder(normalized, white_space, parse_special)

    def split(self, text: str) -> Iterator[int | str]:
        """Give an id for each added token and the normalized text around them, in order."""
        for part in self._raw.split(text):
            if isinstance(part, int):
                yield part
            else:
                yield from self._normalized.split(self._normalize(part))


def _add(normalized: dict[str, AddedToken], content: str, token: AddedToken) -> None:
    # The original panics on the first; on the second its versions disagree.
    if not content:
        raise UnsupportedTokenizer(f"added token {token.content!r} is nothing once normalized")
    if content in normalized:
        other = normalized[content].content
        raise UnsupportedTokenizer(f"added tokens {other!r} and {token.content!r} are the same once normalized")
    normalized[content] = token


class _Finder:
    """Finds tokens in a text: the leftmost first, of those that start together the longest."""

    def __init__(self, tokens: dict[str, AddedToken], white_space: CodePoints, parse_special: bool) -> None:
        self._tokens, self._parse_special = tokens, parse_special
        self._white_space = white_space
        wanted = parse_special or not all(token.special for token in tokens.values())
        by_length = sorted(tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, by_length))) if wanted and tokens else None

    def split(self, text: str) -> Iterator[int | str]:
        """Give an id for each token and the text between them, none of it empty."""
        done = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            token = self._tokens[match[0]]
            if token.special and not self._parse_special:
                continue  # plain text, and yet it hides other tokens that overlap it: as in the original
            start, stop = match.span()
            while token.lstrip and start > done and ord(text[start - 1]) in self._white_space:
                start -= 1
            while token.rstrip and stop < len(text) and ord(text[stop]) in self._white_space:
                stop += 1
            if done < start:
                yield text[done:start]
            yield token.id
            done = stop
        if done < len(text):
            yield text[done:]
