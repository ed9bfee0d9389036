"""Which characters are the same where a regular expression ignores case, `(?i)`: as Oniguruma has it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from edge_runtime.tokenizer.unicode.tables import packaged


def case_variants(code: int) -> str:
    """Give the other characters that a single character equals; for `s` they are `S` and U+017F."""
    chosen = _folds().get(code, chr(code))
    return "".join(char for char in _equals().get(chosen, "") if ord(char) != code)


@functools.cache
def whole_folds() -> Mapping[str, str]:
    """Give the characters that equal a text of several, in lower case: U+00DF equals `ss`, in any case."""
    return {chr(code): text for code, text in packaged().mapping("whole_case_fold").items()}


@functools.cache
def _folds() -> Mapping[int, str]:
    """Give the character that stands for all its equals, for those that do not themselves."""
    return packaged().mapping("case_fold")


@functools.cache
def _equals() -> Mapping[str, str]:
    """Give all equals, itself among them, by the one that stands for them."""
    equals: dict[str, str] = {}
    for code, chosen in _folds().items():
        equals[chosen] = equals.get(chosen, chosen) + chr(code)
    return {chosen: "".join(sorted(chars)) for chosen, chars in equals.items()}
