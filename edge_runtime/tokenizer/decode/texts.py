"""Decoders behind one that joins all tokens: they take one text in fragments, for a stream of ids."""

from __future__ import annotations

from typing import Protocol

from edge_runtime.tokenizer.decode.plain import CLEANUP, decoded, list_functions
from edge_runtime.tokenizer.spec.kinds import (
    CTC,
    BPEDecoder,
    Decoder,
    Fuse,
    MetaspaceDecoder,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)


class TextStage(Protocol):
    """One decoder. What it gives for all fragments, with `finish`, is what it gives for the whole text."""

    def feed(self, fragment: str) -> str:
        """Take more text and give what is now certain."""

    def finish(self) -> str:
        """Give what was held back."""


class ReplaceText:
    """Replace a text that is not empty; the beginning of a match at the end of a fragment is held back."""

    def __init__(self, found: str, content: str) -> None:
        self._found, self._content = found, content
        self._held = ""

    def feed(self, fragment: str) -> str:
        *whole, rest = (self._held + fragment).split(self._found)
        hold = next(
            size for size in range(min(len(self._found) - 1, len(rest)), -1, -1) if rest.endswith(self._found[:size])
        )
        self._held = rest[len(rest) - hold :]
        return self._content.join([*whole, rest[: len(rest) - hold]])

    def finish(self) -> str:
        return self._held


class StripText:
    """`Strip`: nothing is certain to be at the end while only its content follows."""

    def __init__(self, decoder: StripDecoder) -> None:
        self._content = decoder.content
        self._start, self._stop = decoder.start, decoder.stop
        self._held = ""

    def feed(self, fragment: str) -> str:
        if self._start:
            fragment = self._after_start(fragment)
        if not self._stop:
            return fragment
        text = self._held + fragment
        certain = max(len(text.rstrip(self._content)), len(text) - self._stop)
        self._held = text[certain:]
        return text[:certain]

    @property
    def spent(self) -> bool:
        """Whether all further text passes as it is."""
        return not self._start and not self._stop

    def _after_start(self, fragment: str) -> str:
        rest = fragment.lstrip(self._content)
        stripped = min(len(fragment) - len(rest), self._start)
        self._start = 0 if len(fragment) > stripped else self._start - stripped
        return fragment[stripped:]

    def finish(self) -> str:
        return ""


class ReplaceCharacter:
    """`Metaspace`: one character becomes a space, or nothing, everywhere."""

    def __init__(self, decoder: MetaspaceDecoder) -> None:
        self._found = decoder.replacement
        self._content = " " if decoder.prepend_scheme == "never" else ""

    def feed(self, fragment: str) -> str:
        return fragment.replace(self._found, self._content)

    def finish(self) -> str:
        return ""


class WholeText:
    """Any decoders: nothing is certain before the end."""

    def __init__(self, decoders: tuple[Decoder, ...]) -> None:
        self._functions = list_functions(decoders)
        self._fragments: list[str] = []

    def feed(self, fragment: str) -> str:
        self._fragments.append(fragment)
        return ""

    def finish(self) -> str:
        return decoded(self._functions, ["".join(self._fragments)])


def text_stages(decoders: tuple[Decoder, ...]) -> list[TextStage]:
    """Give what decoders do, one after another, to a text that is the only token."""
    stages: list[TextStage] = []
    for decoder in decoders:
        known = _stages_of(decoder)
        if known is None:
            return [WholeText(decoders)]
        stages += known
    return stages


def _stages_of(decoder: Decoder) -> list[TextStage] | None:
    """Give the stages of one decoder; None if it needs the whole text."""
    if isinstance(decoder, Fuse):
        return []
    if isinstance(decoder, StripDecoder):
        return [StripText(decoder)]
    if isinstance(decoder, MetaspaceDecoder):
        return [ReplaceCharacter(decoder)]
    replacements = _replacements(decoder)
    if replacements is None or not all(found for found, _ in replacements):
        return None
    return [ReplaceText(found, content) for found, content in replacements]


def _replacements(decoder: Decoder) -> list[tuple[str, str]] | None:
    """Give what a decoder replaces in a text; None if that does not say all that it does."""
    if isinstance(decoder, WordPieceDecoder):
        return [*CLEANUP] if decoder.cleanup else []
    if isinstance(decoder, BPEDecoder):
        return [(decoder.suffix, "")]
    if isinstance(decoder, ReplaceDecoder) and not decoder.pattern.regex:
        return [(decoder.pattern.text, decoder.content)]
    if isinstance(decoder, CTC):
        padding = [(decoder.pad_token, "")] if decoder.pad_token else []
        return [*padding, *CLEANUP, (decoder.word_delimiter_token, " ")] if decoder.cleanup else padding
    return None
