"""Extended grapheme clusters: what a reader takes for one character, as the normalizer `Precompiled` cuts them.

Source: Unicode Standard Annex 29, section 3.1.1, with the rule GB9c for conjuncts of Indic scripts.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from edge_runtime.tokenizer.unicode.code_points import CodePoints
from edge_runtime.tokenizer.unicode.tables import packaged

# What the annex calls the property values, but: CR and LF count as Control, and Extend is told apart by what it is to
# conjuncts, which are made by a Linker, may hold Extend and ZWJ, but not OtherExtend.
KINDS = (
    *("Other", "Control", "Extend", "Linker", "OtherExtend", "ZWJ", "SpacingMark", "Prepend"),
    *("L", "V", "T", "LV", "LVT", "Regional", "Pictographic", "Consonant"),
)


def graphemes(text: str) -> list[str]:
    """Cut a text into its extended grapheme clusters; joined they are the text."""
    if all_alone(text):
        return list(text)
    return _cluster().findall(text)


def all_alone(text: str) -> bool:
    """Say True only if every character of the text is a cluster of its own; quick."""
    return "\r\n" not in text and (text.isascii() or _all_apart().fullmatch(text) is not None)


@functools.cache
def joining() -> CodePoints:
    """Give the characters without which, but for CR LF, every character is a cluster of its own."""
    kinds = _by_kind()
    alone = ("Other", "Control", "LV", "LVT", "Pictographic", "Consonant")
    return CodePoints.joined(span for kind in KINDS if kind not in alone for span in kinds[kind].ranges)


def _by_kind() -> Mapping[str, CodePoints]:
    return packaged().by_value("grapheme")


@functools.cache
def _all_apart() -> re.Pattern[str]:
    # Not a search for one that joins: `re` would go through all ranges beyond U+FFFF for each character that does not.
    return re.compile(f"[{joining().complement().pattern()}]*+")


@functools.cache
def _cluster() -> re.Pattern[str]:
    """Write the rules as one pattern; it never goes back over what it took, so that the time is linear."""
    one = {kind: f"[{members.pattern()}]" for kind, members in _by_kind().items()}
    extend = _any_of("Extend", "Linker", "OtherExtend")
    inner = _any_of("Extend", "Linker", "ZWJ")
    before_linker = _any_of("Extend", "ZWJ")
    after = _any_of("Extend", "Linker", "OtherExtend", "ZWJ", "SpacingMark")  # GB9, GB9a
    rest = f"(?:(?:{one['V']}|{one['LV']}){one['V']}*+{one['T']}*+|{one['LVT']}{one['T']}*+)"
    cores = [
        f"{one['L']}++{rest}?+",  # GB6, GB7, GB8
        rest,
        f"{one['T']}++",
        f"{one['Consonant']}(?:{before_linker}*+{one['Linker']}{inner}*+{one['Consonant']})*+",  # GB9c
        f"{one['Pictographic']}(?:{extend}*+{one['ZWJ']}{one['Pictographic']})*+",  # GB11
        f"{one['Regional']}{{2}}",  # GB12, GB13
        _any_of("Other", "Regional"),
    ]
    prefixed = f"{one['Prepend']}*+(?:(?:{'|'.join(cores)}){after}*+|{after}++)"  # GB9b
    return re.compile(f"{prefixed}|{one['Prepend']}++|\r\n|[\\s\\S]")


def _any_of(*kinds: str) -> str:
    return f"[{CodePoints.joined(span for kind in kinds for span in _by_kind()[kind].ranges).pattern()}]"
