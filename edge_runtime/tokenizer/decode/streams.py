"""Decoding ids that come one by one, with work for each that does not grow."""

from __future__ import annotations

from codecs import utf_8_decode

from edge_runtime.tokenizer.decode.plain import PieceDecoder, piece_function, token_bytes
from edge_runtime.tokenizer.decode.tables import ByteTable, PieceTable
from edge_runtime.tokenizer.decode.texts import StripText, text_stages
from edge_runtime.tokenizer.decode.tokens import BytePairs, ByteRuns, Collapse, EachToken, TokenStage
from edge_runtime.tokenizer.spec.kinds import CTC, BPEDecoder, ByteFallback, ByteLevelDecoder, Decoder, Fuse


class PieceStream:
    """Each id gives its piece at once."""

    def __init__(self, table: PieceTable) -> None:
        self._table = table
        self._first = True

    def next(self, token_id: int) -> str | None:
        """Give the piece of one more id; None if it gives nothing."""
        if not self._first:
            return self._table[token_id]
        piece = self._table.first(token_id)
        self._first = piece is None
        return piece

    def step(self, token_id: int) -> str:
        return self.next(token_id) or ""

    def finish(self) -> str:
        return ""


class _Texts:
    """Decoders behind one that joins all tokens, one after another."""

    def __init__(self, decoders: tuple[Decoder, ...]) -> None:
        self._stages = text_stages(decoders)

    def __bool__(self) -> bool:
        return bool(self._stages)

    def feed(self, text: str) -> str:
        for stage in self._stages:
            text = stage.feed(text)
        return text

    def drop_spent(self) -> None:
        """Forget the decoders that change nothing any more."""
        self._stages = [stage for stage in self._stages if not (isinstance(stage, StripText) and stage.spent)]

    def finish(self) -> str:
        text = ""
        for stage in self._stages:
            text = stage.feed(text) + stage.finish()
        return text


class _Utf8:
    """Bytes to text; the bytes of an unfinished character are held back."""

    def __init__(self) -> None:
        self.held = b""

    def feed(self, data: bytes) -> str:
        data = self.held + data
        text, read = utf_8_decode(data, "replace", False)
        self.held = data[read:]
        return text

    def finish(self) -> str:
        held, self.held = self.held, b""
        return held.decode("utf-8", "replace")


class BytesStream:
    """Byte-level pieces, whose bytes are known for each id."""

    def __init__(self, table: ByteTable, behind: tuple[Decoder, ...]) -> None:
        self._bytes, self._whole = table, table.texts
        self._utf8, self._texts = _Utf8(), _Texts(behind)

    def step(self, token_id: int) -> str:
        # Most tokens are whole characters: decoded once, not each time.
        text = None if self._utf8.held else self._whole[token_id]
        if text is None:
            text = self._utf8.feed(self._bytes[token_id])
        return self._texts.feed(text) if self._texts else text

    def finish(self) -> str:
        return self._texts.feed(self._utf8.finish()) + self._texts.finish()


class StagedStream:
    """Any chain: decoders of tokens, then perhaps one that joins them, then decoders of one text.

    Args:
        table: the first part of the chain, which needs no state.
        decoders: the rest of it.
    """

    def __init__(self, table: PieceTable, decoders: tuple[Decoder, ...]) -> None:
        joins = [index for index, each in enumerate(decoders) if isinstance(each, Fuse | ByteLevelDecoder)]
        cut = joins[0] if joins else len(decoders)
        self._pieces = PieceStream(table)
        self._stages = [_token_stage(decoder) for decoder in decoders[:cut]]
        self._utf8 = _Utf8() if joins and isinstance(decoders[cut], ByteLevelDecoder) else None
        self._texts = _Texts(decoders[cut + 1 :])
        self._calm = False

    def step(self, token_id: int) -> str:
        piece = self._pieces.next(token_id)
        if piece is None:
            return ""
        if self._calm and not piece.startswith("<"):
            return piece
        text = self._joined(self._through([piece], 0))
        self._calm = self._is_calm()
        return text

    def finish(self) -> str:
        tokens: list[str] = []
        for index, stage in enumerate(self._stages):
            tokens += self._through(stage.finish(), index + 1)
        text = self._joined(tokens)
        if self._utf8 is not None:
            text += self._texts.feed(self._utf8.finish())
        return text + self._texts.finish()

    def _is_calm(self) -> bool:
        """Whether the next token is given at once and as it is, unless it stands for a byte."""
        self._texts.drop_spent()
        no_run = all(isinstance(stage, ByteRuns) and stage.idle for stage in self._stages)
        return no_run and self._utf8 is None and not self._texts

    def _through(self, tokens: list[str], begin: int) -> list[str]:
        """Send tokens through the stages from `begin` on."""
        for stage in self._stages[begin:]:
            tokens = [each for token in tokens for each in stage.feed(token)]
        return tokens

    def _joined(self, tokens: list[str]) -> str:
        if self._utf8 is not None:
            text = self._utf8.feed(b"".join(map(token_bytes, tokens)))
        else:
            text = tokens[0] if len(tokens) == 1 else "".join(tokens)
        return self._texts.feed(text)


def _token_stage(decoder: Decoder) -> TokenStage:
    if isinstance(decoder, PieceDecoder):
        return EachToken(piece_function(decoder))
    if isinstance(decoder, BPEDecoder):
        return BytePairs(decoder)
    if isinstance(decoder, CTC):
        return Collapse(decoder)
    assert isinstance(decoder, ByteFallback)
    return ByteRuns()
