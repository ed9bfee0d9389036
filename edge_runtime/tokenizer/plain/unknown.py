"""What a model does with a character that it does not know: bytes for it, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping

from edge_runtime.errors import BadRequest

_SHOWN = 32  # characters of a text in a message


def no_token_for(part: str) -> BadRequest:
    """Give the refusal of a text that has no ids in a model without a token for the unknown."""
    return BadRequest(
        f"text has {part[:_SHOWN]!r}, for which the tokenizer has no token, nor one for the unknown: leave it out"
    )


def byte_ids(vocab: Mapping[str, int]) -> list[int | None]:
    """Give the ids of `<0x00>` to `<0xFF>`, None for those that the vocabulary lacks."""
    return [vocab.get(f"<0x{byte:02X}>") for byte in range(256)]


def spell(part: str, ids: list[int | None] | None) -> list[int] | None:
    """Give the ids of the bytes of a text's UTF-8 form, or None if one of them has none."""
    if ids is None:
        return None
    spelt = [token_id for byte in part.encode() if (token_id := ids[byte]) is not None]
    return spelt if len(spelt) == utf8_size(part) else None


def utf8_size(text: str) -> int:
    """Give the number of bytes of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())
