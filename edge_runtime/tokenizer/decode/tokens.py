"""Decoders that take tokens one by one and give tokens, for a stream of ids."""

from __future__ import annotations

from codecs import utf_8_decode
from typing import Protocol

from edge_runtime.tokenizer.decode.plain import REPLACEMENT, PieceFunction, byte_of, ctc_text, run_text
from edge_runtime.tokenizer.spec.kinds import CTC, BPEDecoder


class TokenStage(Protocol):
    """One decoder. What it gives for all tokens, with `finish`, is what it gives for the whole list."""

    def feed(self, token: str) -> list[str]:
        """Take one more token and give those that are now certain."""

    def finish(self) -> list[str]:
        """Give what was held back."""


class EachToken:
    """A decoder that gives one token for each one."""

    def __init__(self, function: PieceFunction) -> None:
        self._function = function
        self._first = True

    def feed(self, token: str) -> list[str]:
        first, self._first = self._first, False
        return [self._function(token, first)]

    def finish(self) -> list[str]:
        return []


class BytePairs:
    """`BPEDecoder`: treats the last token otherwise, so one token is held back."""

    def __init__(self, decoder: BPEDecoder) -> None:
        self._suffix = decoder.suffix
        self._held: str | None = None

    def feed(self, token: str) -> list[str]:
        held, self._held = self._held, token
        return [] if held is None else [held.replace(self._suffix, " ")]

    def finish(self) -> list[str]:
        return [] if self._held is None else [self._held.replace(self._suffix, "")]


class Collapse:
    """`CTC`: the same token again gives nothing."""

    def __init__(self, decoder: CTC) -> None:
        self._decoder = decoder
        self._last: str | None = None

    def feed(self, token: str) -> list[str]:
        if token == self._last:
            return []
        self._last = token
        text = ctc_text(self._decoder, token)
        return [text] if text else []

    def finish(self) -> list[str]:
        return []


class ByteRuns:
    """`ByteFallback`: a run of byte tokens is text only if all of it is UTF-8, so it is held back until it ends.

    Once it cannot become UTF-8 any more, each byte gives its U+FFFD at once.
    """

    def __init__(self) -> None:
        self._run = bytearray()
        self._tail = b""  # the bytes at the end of the run that are not a whole character yet
        self._broken = False

    def feed(self, token: str) -> list[str]:
        if token.startswith("<") and (byte := byte_of(token)) is not None:
            return self._feed_byte(byte)
        return [token] if self.idle else [*self.finish(), token]

    def _feed_byte(self, byte: int) -> list[str]:
        if self._broken:
            return [REPLACEMENT]
        self._run.append(byte)
        self._tail += bytes((byte,))
        try:
            _, read = utf_8_decode(self._tail, "strict", False)
        except UnicodeDecodeError:
            broken = [REPLACEMENT] * len(self._run)
            self._run.clear()
            self._broken = True
            return broken
        self._tail = self._tail[read:]
        return []

    @property
    def idle(self) -> bool:
        """Whether no run has begun, so that any token but a byte passes as it is."""
        return not self._run and not self._broken

    def finish(self) -> list[str]:
        found = run_text(self._run) if self._run else []
        self._run.clear()
        self._tail, self._broken = b"", False
        return found
