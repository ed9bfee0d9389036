"""Added tokens: found in a text before anything else looks at it.

Source: `tokenizer/added_vocabulary.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import AddedToken
from edge_runtime.tokenizer.unicode import load_tables

TEXT = -1  # the `id` of a part that is no added token

# `re` tries alternatives one by one; with more than these, only the first character of a token is looked at.
_MOST_ALTERNATIVES = 16


class Part(NamedTuple):
    """A part of a text: an added token, or (`id` is TEXT) what lies between two of them. Never empty."""

    id: int
    start: int
    end: int


class AddedTokens:
    """The added tokens of a tokenizer.

    Attributes:
        raw: finds those that are looked for in the text as it is.
        normalized: finds the others, in the normalized form of each part that `raw` leaves.

    Args:
        tokens: from the spec, no content twice.
        normalize: what the tokenizer does to a text first.
        parse_special: find special tokens, too.

    Raises:
        UnsupportedTokenizer: a token is nothing once normalized, or two become the same.
    """

    def __init__(self, tokens: Sequence[AddedToken], normalize: Callable[[str], str], parse_special: bool) -> None:
        raw = {token.content: token for token in tokens if not token.normalized}
        normalized: dict[str, AddedToken] = {}
        for token in tokens:
            if token.normalized:
                _add(normalized, normalize(token.content), token)
        self.raw = TokenFinder(raw, parse_special)
        self.normalized = TokenFinder(normalized, parse_special)


def _add(normalized: dict[str, AddedToken], content: str, token: AddedToken) -> None:
    # The original panics on the first; on the second its versions disagree.
    if not content:
        raise UnsupportedTokenizer(f"added token {token.content!r} is nothing once normalized")
    if content in normalized:
        other = normalized[content].content
        raise UnsupportedTokenizer(f"added tokens {other!r} and {token.content!r} are the same once normalized")
    normalized[content] = token


class TokenFinder:
    """Finds tokens in a text: the leftmost first, of those that start together the longest.

    Special tokens that are not parsed are plain text, and yet they hide other tokens that overlap them.

    Attributes:
        beginning: matches wherever a token may begin, and at more places; None: no token is ever found. A text in
            which it finds nothing is one part, and to know that costs well under a microsecond for a sentence.
    """

    def __init__(self, tokens: Mapping[str, AddedToken], parse_special: bool) -> None:
        self._tokens, self._parse_special = tokens, parse_special
        self._tree = _tree_of(tokens)
        wanted = parse_special or not all(token.special for token in tokens.values())
        self.beginning = re.compile(_beginnings(tokens), re.DOTALL) if wanted and tokens else None
        tables = load_tables()
        self._blanks = frozenset(chr(at) for first, last in tables.white_space.ranges for at in range(first, last + 1))
        self._word = tables.word

    def split(self, text: str) -> list[Part]:
        """Give the parts of a text in order; none for an empty text.

        A token that takes white space along may cover the beginning of the one behind it, as in the original.
        """
        if self.beginning is None or (match := self.beginning.search(text)) is None:
            return [Part(TEXT, 0, len(text))] if text else []
        parts: list[Part] = []
        done = blank_end = 0  # the text before `done` is given; before `blank_end` a token has found white space only
        while match:
            start, end = match.start(), self._longest(text, match.start())
            match = self.beginning.search(text, end or start + 1)
            token = self._tokens.get(text[start:end])
            if token is None or not self._counts(token, text, start, end):
                continue
            if token.lstrip:
                start = self._blank_start(text, start, done)
            if token.rstrip:
                end = blank_end = self._blank_end(text, max(end, blank_end))
            if start > end:  # the white space before it, and all of itself, went to the token before: it is lost
                continue
            if done < start:
                parts.append(Part(TEXT, done, start))
            if start < end:
                parts.append(Part(token.id, start, end))
            done = end
        if done < len(text):
            parts.append(Part(TEXT, done, len(text)))
        return parts

    def _longest(self, text: str, start: int) -> int:
        """Give the end of the longest token that starts here, 0 if none does."""
        node, end = self._tree, 0
        for at in range(start, len(text)):
            following = node.get(text[at])
            if following is None:
                break
            node = following
            if node.is_token:
                end = at + 1
        return end

    def _counts(self, token: AddedToken, text: str, start: int, end: int) -> bool:
        """Say whether a token that was found is one, and not plain text."""
        if token.special and not self._parse_special:
            return False
        return not token.single_word or not (
            (start > 0 and ord(text[start - 1]) in self._word) or (end < len(text) and ord(text[end]) in self._word)
        )

    def _blank_start(self, text: str, start: int, done: int) -> int:
        """Give where the white space before a token starts, but nothing that is given already."""
        while start > done and text[start - 1] in self._blanks:
            start -= 1
        return max(start, done)

    def _blank_end(self, text: str, end: int) -> int:
        while end < len(text) and text[end] in self._blanks:
            end += 1
        return end


class _Node(dict[str, "_Node"]):
    """Next character -> what begins with it; thousands of tokens cost no more than one, and long ones nothing."""

    __slots__ = ("is_token",)

    def __init__(self) -> None:
        super().__init__()
        self.is_token = False


def _tree_of(contents: Iterable[str]) -> _Node:
    root = _Node()
    for content in contents:
        node = root
        for character in content:
            node = node.setdefault(character, _Node())
        node.is_token = True
    return root


def _beginnings(contents: Mapping[str, object]) -> str:
    """Write a pattern of the first two characters of each token, short enough for `re` to be quick."""
    seconds: defaultdict[str, set[str]] = defaultdict(set)
    for content in contents:
        seconds[content[0]].add(content[1:2])
    alone = [first for first, following in seconds.items() if "" in following]
    pairs = {first: following for first, following in seconds.items() if "" not in following}
    if len(pairs) > _MOST_ALTERNATIVES:
        alone, pairs = list(seconds), {}
    alternatives = [re.escape(first) + _any_of(following) for first, following in pairs.items()]
    return "|".join(([_any_of(alone)] if alone else []) + alternatives)


def _any_of(characters: Sequence[str] | set[str]) -> str:
    return f"[{''.join(re.escape(char) for char in sorted(characters))}]"
