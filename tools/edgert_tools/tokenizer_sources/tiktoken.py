"""A tiktoken rank file as a `tokenizer.json`.

Ranks say which joined token comes first, a merge list says which pair does. A token that can be joined in several ways
therefore becomes several merges, in the order of their parts' ranks: with one of them missing, some words come out in
other tokens. Where the same bytes can be joined in two overlapping ways, tiktoken takes the left one and a merge list
the one that it has first; docs/tokenizer.md says when that shows.

Source: https://github.com/openai/tiktoken, `load.py`, `openai_public.py` and `_byte_pair_merge` in `lib.rs`.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import UnsupportedTokenizer

_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_CL100K = (
    _CONTRACTION
    + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)  # fmt: skip
_QWEN = _CL100K.replace(r"\p{N}{1,3}", r"\p{N}")
_O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + _CONTRACTION + "?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + _CONTRACTION + "?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
GPT2 = "gpt2"  # the regular expression that `ByteLevel` brings itself

# A rank file does not say how text is cut into words. It is known for these, by the stem of the file's name...
_PATTERN_OF_FILE = {
    **{"gpt2": GPT2, "r50k_base": GPT2, "p50k_base": GPT2, "multilingual": GPT2},  # the last one is Whisper's
    **{"cl100k_base": _CL100K, "o200k_base": _O200K, "o200k_harmony": _O200K, "qwen": _QWEN},
}
# ... or by the `model_type` in config.json.
_PATTERN_OF_MODEL = {"gpt2": GPT2, "whisper": GPT2, "llama": _CL100K, "qwen": _QWEN, "qwen2": _QWEN, "qwen3": _QWEN}
_NFC_FIRST = {_QWEN}


def convert_ranks(file: Path, config: Mapping[str, Any], made: Path) -> None:
    """Write the `tokenizer.json` for a rank file; special tokens are those that `tokenizer_config.json` names.

    Raises:
        UnsupportedTokenizer: the file is damaged, or it is not known how its model cuts text into words.
    """
    ranks = read_ranks(file)
    pattern = pattern_for(file, config)
    special = _special_tokens(file.with_name("tokenizer_config.json"))
    made.write_text(json.dumps(document(ranks, pattern, special), ensure_ascii=False), encoding="utf-8")
    _check_ids(made, special)


def read_ranks(file: Path) -> dict[bytes, int]:
    """Token bytes -> rank, which is the token's id too.

    Raises:
        UnsupportedTokenizer: a line is not base64 and a number, a token or a rank is there twice, or one of the 256
            bytes is no token.
    """
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line:
            continue
        try:
            token, rank = line.split()
            ranks[base64.b64decode(token, validate=True)] = int(rank)
        except (ValueError, binascii.Error) as error:
            raise UnsupportedTokenizer(
                f"{file.name} line {number}: expected base64 and a number, found {line[:60]!r}"
            ) from error
    if len(set(ranks.values())) != len(ranks):
        raise UnsupportedTokenizer(f"{file.name} gives a rank twice")
    missing = next((byte for byte in range(256) if bytes([byte]) not in ranks), None)
    if missing is not None:
        raise UnsupportedTokenizer(f"{file.name} has no token for the byte 0x{missing:02X}: is it cut short?")
    return ranks


def pattern_for(file: Path, config: Mapping[str, Any]) -> str:
    """How the file's model cuts text into words: a regular expression, or `GPT2`.

    Raises:
        UnsupportedTokenizer: neither the file's name nor the model's type tells.
    """
    pattern = _PATTERN_OF_FILE.get(file.stem) or _PATTERN_OF_MODEL.get(str(config.get("model_type")))
    if pattern is None:
        raise UnsupportedTokenizer(
            f"{file.name} holds ranks but not the regular expression that cuts text into words, and it is known "
            f"neither for this file name ({', '.join(_PATTERN_OF_FILE)}) nor for model_type "
            f"{config.get('model_type')!r}: put the model's tokenizer.json beside it"
        )
    return pattern


def document(ranks: Mapping[bytes, int], pattern: str, special: Mapping[str, int]) -> dict[str, Any]:
    """The content of a `tokenizer.json`.

    Args:
        ranks: token bytes -> rank.
        pattern: regular expression, or `GPT2`.
        special: control tokens and their ids.
    """
    letters = byte_letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    vocab = {spelled[token]: rank for token, rank in sorted(ranks.items(), key=lambda item: item[1])}
    merges = [f"{spelled[left]} {spelled[right]}" for left, right in merges_of(ranks)]
    if sorted(special.values()) != list(range(len(vocab), len(vocab) + len(special))):
        vocab |= special  # a reader would number them from the end of the vocabulary on
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": pattern == GPT2}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(content, token_id) for content, token_id in special.items()],
        "normalizer": {"type": "NFC"} if pattern in _NFC_FIRST else None,
        "pre_tokenizer": (
            byte_level if pattern == GPT2 else {"type": "Sequence", "pretokenizers": [split, byte_level]}
        ),
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            **{"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None},
            **{"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False},
            "ignore_merges": True,  # a word that is a token is that token
            "vocab": vocab,
            "merges": merges,
        },
    }


def merges_of(ranks: Mapping[bytes, int]) -> list[tuple[bytes, bytes]]:
    """All pairs of tokens that make a token, by the rank of what they make, then by their own ranks."""
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        splits = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        known = [pair for pair in splits if pair[0] in ranks and pair[1] in ranks]
        merges += sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    return merges


def byte_letters() -> list[str]:
    """For each byte the printable character that stands for it. Source: GPT-2, `encoder.py`, `bytes_to_unicode`."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _added(content: str, token_id: int) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {"id": token_id, "content": content, **flags}


def _special_tokens(file: Path) -> dict[str, int]:
    """Control tokens by id, out of `added_tokens_decoder`; none without the file."""
    table = json.loads(file.read_bytes()).get("added_tokens_decoder", {}) if file.is_file() else {}
    try:
        return {str(entry["content"]): int(token_id) for token_id, entry in sorted(table.items(), key=_by_id)}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UnsupportedTokenizer(f"{file.name}: added_tokens_decoder is not a table of id -> token") from error


def _by_id(item: tuple[str, Any]) -> int:
    return int(item[0])


def _check_ids(made: Path, special: Mapping[str, int]) -> None:
    """Refuse to go on with control tokens that would be read with other ids."""
    from tokenizers import Tokenizer

    reader = Tokenizer.from_file(str(made))
    for content, token_id in special.items():
        found = reader.token_to_id(content)
        if found != token_id:
            raise UnsupportedTokenizer(
                f"special token {content[:60]!r} has id {token_id}, but would be read as {found}"
            )
