"""Reads the `truncation` and `padding` of a `tokenizer.json`, which are not followed but for the id of padding.

How long a text may be is the model's matter, and a batch is padded to its longest text: many files carry the lengths
that somebody happened to train with. What is passed over must still be whole.

Source: `utils/truncation.rs` and `utils/padding.rs` of https://github.com/huggingface/tokenizers.
"""

from __future__ import annotations

from edge_runtime.tokenizer.spec.section import MAX_SIZE, Section, as_number

_SIDES = {"Left": "left", "Right": "right"}
_STRATEGIES = {name: name for name in ("LongestFirst", "OnlyFirst", "OnlySecond")}


def check_truncation(value: object) -> None:
    """Pass over the value of `truncation`."""
    if value is None:
        return
    section = Section(value, "truncation")
    if section.has("direction"):
        section.choice("direction", _SIDES)
    section.choice("strategy", _STRATEGIES)
    section.size("max_length")
    section.size("stride")
    section.close()


def read_padding(value: object) -> tuple[int, int] | None:
    """Give the pad id and the pad type id that the value of `padding` says; None if it is null."""
    if value is None:
        return None
    section = Section(value, "padding")
    if isinstance(section.peek("strategy"), dict):
        fixed = Section(section.take("strategy"), "padding strategy")
        fixed.size("Fixed")
        fixed.close()
    else:
        section.choice("strategy", {"BatchLongest": None})
    section.choice("direction", _SIDES)
    multiple = section.optional("pad_to_multiple_of")
    if multiple is not None:
        as_number(multiple, "padding pad_to_multiple_of", MAX_SIZE)
    section.text("pad_token")
    ids = section.number("pad_id"), section.number("pad_type_id")
    section.close()
    return ids
