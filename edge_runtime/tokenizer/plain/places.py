"""Where the words are when a text is cut.

Source: `tokenizer/normalizer.rs`, `NormalizedString::split`, and `tokenizer/pattern.rs` of
https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from edge_runtime.tokenizer.plain.pattern import open_pattern
from edge_runtime.tokenizer.plain.regex import Regex, Span
from edge_runtime.tokenizer.plain.regex.sets import Complement
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.unicode import CodePoints


class Places(Protocol):
    """Finds the words of a text, none of them empty."""

    def spans(self, text: str) -> list[Span]:
        """Give (start, end) of each word in order."""

    def words(self, text: str) -> list[str]:
        """Give what stands at `spans`."""


class Matches:
    """The words are what an expression matches."""

    def __init__(self, regex: Regex) -> None:
        self.spans, self.words = regex.spans, regex.matches


class Chunks:
    """The words are so many characters long each, the last one maybe less."""

    def __init__(self, length: int) -> None:
        self._length = length

    def spans(self, text: str) -> list[Span]:
        starts = range(0, len(text), self._length)
        return [(start, min(start + self._length, len(text))) for start in starts]

    def words(self, text: str) -> list[str]:
        return [text[start:end] for start, end in self.spans(text)]


class AtMatches:
    """The pre-tokenizer `Split`: its behavior says what becomes of the matches of its pattern.

    Raises:
        UnsupportedTokenizer: the pattern is not implemented.
    """

    def __init__(self, spec: kinds.Split) -> None:
        self._finder, self._behavior, self._invert = open_pattern(spec.pattern), spec.behavior, spec.invert

    def spans(self, text: str) -> list[Span]:
        found = matches_and_gaps(self._finder.spans(text), len(text), self._invert)
        return [(start, end) for start, end in behave(self._behavior, found) if start < end]

    def words(self, text: str) -> list[str]:
        if isinstance(self._finder, Regex) and not self._finder.can_be_empty:
            words = self._finder.matches(text)
            # Most patterns of files match every character; then to isolate the matches is to take them.
            covering = self._behavior == "isolated" and sum(map(len, words)) == len(text)
            if covering or (self._behavior == "removed" and self._invert):
                return words
        return [text[start:end] for start, end in self.spans(text)]


Match = tuple[int, int, bool]  # start, end, and whether the pattern matches there


def matches_and_gaps(matches: Sequence[Span], length: int, invert: bool) -> list[Match]:
    """Give the matches and what lies between them; `invert` swaps the two."""
    found: list[Match] = []
    done = 0
    for start, end in matches:
        if done != start:
            found.append((done, start, invert))
        found.append((start, end, not invert))
        done = end
    if done != length:
        found.append((done, length, invert))
    return found


def behave(behavior: kinds.SplitBehavior, found: Sequence[Match]) -> list[Span]:
    """Give the words (start, end) that a behavior makes of matches and what lies between; some may be empty."""
    if behavior == "isolated":
        return [(start, end) for start, end, _ in found]
    if behavior == "removed":
        return [(start, end) for start, end, is_match in found if not is_match]
    if behavior == "merged_with_next":
        mirrored = [(-end, -start, is_match) for start, end, is_match in reversed(found)]
        return [(-end, -start) for start, end in reversed(_merged(mirrored, contiguous=False))]
    return _merged(found, contiguous=behavior == "contiguous")


def _merged(found: Iterable[Match], contiguous: bool) -> list[Span]:
    """Join a match to what precedes it if that is no match, or (`contiguous`) to what is of its own kind."""
    spans: list[Span] = []
    previous = False
    for start, end, is_match in found:
        joins = is_match == previous if contiguous else is_match and not previous
        if joins and spans:
            spans[-1] = spans[-1][0], end
        else:
            spans.append((start, end))
        previous = is_match
    return spans


_CLASS_SOURCES: dict[kinds.SplitBehavior, str] = {
    "isolated": "{match}|{other}+",
    "removed": "{other}+",
    "contiguous": "{match}+|{other}+",
    "merged_with_previous": "{other}+{match}?|{match}",
    "merged_with_next": "{match}?{other}+|{match}",
}


def class_regex(points: CodePoints, behavior: kinds.SplitBehavior) -> Regex:
    """Give the expression whose matches are the words if a text is cut at each character of a set."""
    source = _CLASS_SOURCES[behavior]
    return Regex(lambda write: source.format(match=write(points), other=write(Complement(points))))
