"""A text that knows which characters of the original each of its characters stands for.

Source: `tokenizer/normalizer.rs` of https://github.com/huggingface/tokenizers, `NormalizedString`. That one counts
bytes; all of its alignments lie on borders of characters, so counting characters loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

# What became of a character: the new character, and 0 if it replaces one, 1 if it is inserted, -n if it replaces one
# and the n that follow it are removed.
Change = tuple[str, int]


class Aligned:
    """A text with its alignment; never changed in place.

    Attributes:
        text: the text as it is now.
        starts: for each character of `text` the first character of the original that it stands for.
        ends: likewise one past the last one.
    """

    __slots__ = ("ends", "starts", "text")

    def __init__(self, text: str, starts: Sequence[int], ends: Sequence[int]) -> None:
        assert len(text) == len(starts) == len(ends)
        self.text, self.starts, self.ends = text, starts, ends

    @classmethod
    def of(cls, text: str, start: int = 0) -> Aligned:
        """Give a text that is still its own original, or the part of the original that begins at `start`."""
        return cls(text, range(start, start + len(text)), range(start + 1, start + len(text) + 1))

    def __len__(self) -> int:
        return len(self.text)

    def __repr__(self) -> str:
        return f"Aligned({self.text!r}, {list(self.starts)}, {list(self.ends)})"

    def piece(self, start: int, end: int) -> Aligned:
        """Give the characters from `start` to before `end`."""
        return Aligned(self.text[start:end], self.starts[start:end], self.ends[start:end])

    def translate(self, table: Mapping[int, str]) -> Aligned:
        """Replace each character by its text in the table, as `str.translate` does; it keeps its alignment."""
        new = [table[ord(char)] for char in self.text]
        counts = list(map(len, new))
        return Aligned("".join(new), _repeat(self.starts, counts), _repeat(self.ends, counts))

    def prepend(self, text: str) -> Aligned:
        """Put a text in front; it stands for what the first character, which there must be, stands for."""
        return Aligned(
            text + self.text,
            [self.starts[0]] * len(text) + list(self.starts),
            [self.ends[0]] * len(text) + list(self.ends),
        )

    def replace(self, spans: Iterable[tuple[int, int]], content: str) -> Aligned:
        """Put `content` in place of each span (start, end; none empty); it stands for the last character of the span.

        Not for all of them: so it is in the original.
        """
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for start, end in spans:
            parts += self.text[done:start], content
            starts += [*self.starts[done:start], *[self.starts[end - 1]] * len(content)]
            ends += [*self.ends[done:start], *[self.ends[end - 1]] * len(content)]
            done = end
        rest = self.piece(done, len(self))
        return Aligned("".join(parts) + rest.text, starts + list(rest.starts), ends + list(rest.ends))

    def transform(self, changes: Iterable[Change]) -> Aligned:
        """Replace the whole text; an inserted character stands for what the character before it stands for.

        The characters are counted off, not compared: characters that the changes leave out at the start shift all that
        follow. The original does the same (`SentencePiece` maps that delete a character bring it about).
        """
        chars: list[str] = []
        places: list[int] = []
        place = 0
        for char, change in changes:
            chars.append(char)
            places.append(place - 1 if change > 0 else place)
            if change <= 0:
                place += 1 - change
        return Aligned("".join(chars), [self.starts[at] for at in places], [self.ends[at] for at in places])


def _repeat(values: Sequence[int], counts: Sequence[int]) -> list[int]:
    return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]
