"""The plain definition of all decoders: lists of tokens to lists of tokens.

Source: `decoders/*.rs`, `pre_tokenizers/byte_level.rs` and `pre_tokenizers/metaspace.rs` of
https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby

from edge_runtime.tokenizer.spec.kinds import (
    CTC,
    BPEDecoder,
    ByteFallback,
    ByteLevelDecoder,
    Decoder,
    Fuse,
    MetaspaceDecoder,
    Pattern,
    ReplaceDecoder,
    StripDecoder,
    WordPieceDecoder,
)

# Decoders that give one token for each one they take, and need to know of it only whether it is the first.
PieceDecoder = ReplaceDecoder | StripDecoder | MetaspaceDecoder | WordPieceDecoder
PieceFunction = Callable[[str, bool], str]
ListFunction = Callable[[list[str]], list[str]]

# What `cleanup` replaces, one after another.
CLEANUP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" do not", " don't"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)
REPLACEMENT = "\ufffd"

# Rust reads a sign before hexadecimal digits, too.
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2}|\+[0-9A-Fa-f])>")
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_BYTE_OF = {chr(byte): byte for byte in _PRINTABLE} | {
    chr(0x100 + index): byte for index, byte in enumerate(sorted(set(range(0x100)) - set(_PRINTABLE)))
}


def list_functions(decoders: tuple[Decoder, ...]) -> list[ListFunction]:
    """Give what each decoder does to all tokens.

    Raises:
        UnsupportedTokenizer: a `Replace` has a regular expression that is not implemented.
    """
    return [_list_function(decoder) for decoder in decoders]


def decoded(functions: list[ListFunction], tokens: list[str]) -> str:
    """Apply decoders one after another and join what they give."""
    for function in functions:
        tokens = function(tokens)
    return "".join(tokens)


def _list_function(decoder: Decoder) -> ListFunction:
    if isinstance(decoder, PieceDecoder):
        function = piece_function(decoder)
        return lambda tokens: [function(token, index == 0) for index, token in enumerate(tokens)]
    if isinstance(decoder, Fuse):
        return lambda tokens: ["".join(tokens)]
    if isinstance(decoder, ByteLevelDecoder):
        return lambda tokens: [b"".join(map(token_bytes, tokens)).decode("utf-8", "replace")]
    if isinstance(decoder, ByteFallback):
        return _byte_fallback
    if isinstance(decoder, BPEDecoder):
        return lambda tokens: [
            token.replace(decoder.suffix, " " if index < len(tokens) else "") for index, token in enumerate(tokens, 1)
        ]
    return lambda tokens: [text for token, _ in groupby(tokens) if (text := ctc_text(decoder, token))]


def piece_function(decoder: PieceDecoder) -> PieceFunction:
    """Give what a decoder does to one token; the second argument tells it whether that is the first one."""
    if isinstance(decoder, ReplaceDecoder):
        replace = _replacer(decoder.pattern, decoder.content)
        return lambda token, _: replace(token)
    if isinstance(decoder, StripDecoder):
        return lambda token, _: strip(decoder, token)
    if isinstance(decoder, MetaspaceDecoder):
        at_start = " " if decoder.prepend_scheme == "never" else ""
        return lambda token, first: token.replace(decoder.replacement, at_start if first else " ")
    return lambda token, first: _word_piece(decoder, token, first)


def _replacer(pattern: Pattern, content: str) -> Callable[[str], str]:
    if not pattern.regex and pattern.text:
        return lambda token: token.replace(pattern.text, content)
    from edge_runtime.tokenizer.plain.regex import open_regex  # Unicode tables, which few decoders need

    expression = open_regex(pattern.text)  # an empty text, too, is found everywhere
    return lambda token: _replace_spans(expression.spans(token) if token else [], content, token)


def _replace_spans(spans: list[tuple[int, int]], content: str, text: str) -> str:
    found, done = [], 0
    for start, end in spans:
        found += [text[done:start], content]
        done = end
    return "".join(found) + text[done:]


def strip(decoder: StripDecoder, token: str) -> str:
    """Take content off the ends; where the oracle fails because nothing else is left, this gives nothing."""
    start = 0
    while start < min(decoder.start, len(token)) and token[start] == decoder.content:
        start += 1
    stop = len(token)
    while stop > max(len(token) - decoder.stop, start) and token[stop - 1] == decoder.content:
        stop -= 1
    return token[start:stop]


def _word_piece(decoder: WordPieceDecoder, token: str, first: bool) -> str:
    if not first:
        token = token.removeprefix(decoder.prefix) if token.startswith(decoder.prefix) else f" {token}"
    return cleaned(token) if decoder.cleanup else token


def cleaned(text: str) -> str:
    """Take spaces away before punctuation and contractions."""
    if " " in text:
        for found, better in CLEANUP:
            text = text.replace(found, better)
    return text


def ctc_text(decoder: CTC, token: str) -> str:
    """Give what one token of CTC stands for; nothing for padding."""
    text = token.replace(decoder.pad_token, "") if decoder.pad_token else token
    return cleaned(text).replace(decoder.word_delimiter_token, " ") if decoder.cleanup else text


def token_bytes(token: str) -> bytes:
    """Give the bytes that a byte-level token stands for; a token with any other character is itself, in UTF-8."""
    try:
        return bytes(map(_BYTE_OF.__getitem__, token))
    except KeyError:
        return token.encode()


def byte_of(token: str) -> int | None:
    """Give the byte that a token like `<0xE2>` stands for; None for any other token."""
    match = _BYTE_TOKEN.fullmatch(token) if token.startswith("<0x") else None
    return int(match[1], 16) if match else None


def run_text(run: bytes | bytearray) -> list[str]:
    """Give a run of byte tokens as one text, or one U+FFFD for each byte if they are not UTF-8 as a whole."""
    try:
        return [run.decode()]
    except UnicodeDecodeError:
        return [REPLACEMENT] * len(run)


def _byte_fallback(tokens: list[str]) -> list[str]:
    found: list[str] = []
    run = bytearray()
    for token in tokens:
        if token.startswith("<") and (byte := byte_of(token)) is not None:
            run.append(byte)
            continue
        if run:
            found += run_text(run)
            run.clear()
        found.append(token)
    return found + run_text(run) if run else found
