"""Reads the `decoder` of a `tokenizer.json`.

Source: the deserializers in `decoders/*.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_runtime.tokenizer.spec.kinds import (
    CTC,
    BPEDecoder,
    ByteFallback,
    ByteLevelDecoder,
    Decoder,
    Fuse,
    MetaspaceDecoder,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)
from edge_runtime.tokenizer.spec.patterns import read_pattern
from edge_runtime.tokenizer.spec.pre_tokenizers import read_byte_level, read_metaspace
from edge_runtime.tokenizer.spec.section import Section, read_chain


def read_decoders(value: object) -> tuple[Decoder, ...] | None:
    """Read the value of `decoder`; None if it is null, which is not the same as an empty sequence."""
    return None if value is None else read_chain(value, "decoder", "decoders", _READERS)


def _byte_level(section: Section) -> ByteLevelDecoder:
    read_byte_level(section)
    return ByteLevelDecoder()


def _word_piece(section: Section) -> WordPieceDecoder:
    return WordPieceDecoder(section.text("prefix"), section.flag("cleanup"))


def _metaspace(section: Section) -> MetaspaceDecoder:
    metaspace = read_metaspace(section)
    return MetaspaceDecoder(metaspace.replacement, metaspace.prepend_scheme)


def _ctc(section: Section) -> CTC:
    return CTC(section.text("pad_token"), section.text("word_delimiter_token"), section.flag("cleanup"))


def _replace(section: Section) -> ReplaceDecoder:
    return ReplaceDecoder(read_pattern(section), section.text("content"))


def _strip(section: Section) -> StripDecoder:
    return StripDecoder(section.character("content"), section.size("start"), section.size("stop"))


_READERS: Mapping[str, Callable[[Section], Decoder]] = {
    "ByteLevel": _byte_level,
    "WordPiece": _word_piece,
    "Metaspace": _metaspace,
    "BPEDecoder": lambda section: BPEDecoder(section.text("suffix")),
    "CTC": _ctc,
    "Replace": _replace,
    "Fuse": lambda section: Fuse(),
    "Strip": _strip,
    "ByteFallback": lambda section: ByteFallback(),
}
