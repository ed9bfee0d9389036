"""Where texts of byte-level BPE may be cut: derived by hand for each regular expression, which must be known.

All of these begin a new match at a space behind anything but white space, and at punctuation other than an apostrophe
behind a letter or number. A file with another expression takes the slow way.
"""

from __future__ import annotations

import string
from dataclasses import replace

from edge_runtime.tokenizer.plain.byte_level import PATTERN as GPT2_PATTERN
from edge_runtime.tokenizer.spec import kinds
from edge_runtime.tokenizer.vector.cut import MARKS, CutRules

_ALNUM = string.ascii_letters + string.digits
# GPT-2: a run of white space is a match of its own, less its last character. Where it ends takes a look at all of it.
_GPT2 = CutRules(marks=MARKS, newline="solid", before_wide=True, after_wide=True)
# Its successors: white space is a match up to its last newline. Punctuation takes newlines behind it along, and one
# character of it goes with the letters behind.
_LATER = CutRules(marks=MARKS, newline="letter", after_newline=_ALNUM, before_wide=True)

_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WHITE = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER, _OTHER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}", r"[^\r\n\p{L}\p{N}]?"
_CL100K, _QWEN = (
    rf"{_CONTRACTION}|{_OTHER}\p{{L}}+|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*{_WHITE}"
    for number in (r"\p{N}{1,3}", r"\p{N}")
)
_O200K = (
    rf"{_OTHER}[{_UPPER}]*[{_LOWER}]+{_CONTRACTION}?|{_OTHER}[{_UPPER}]+[{_LOWER}]*{_CONTRACTION}?"
    rf"|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*{_WHITE}"
)
_DEEPSEEK = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r'[!"#$%&'
    + r"'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"
    + _WHITE,
)
_KNOWN = {
    (GPT2_PATTERN,): _GPT2,
    (_CL100K,): _LATER,
    (_QWEN,): _LATER,
    (_O200K,): _LATER,
    # Ideographs are cut off before anything else is looked at.
    _DEEPSEEK: replace(_LATER, after_wide=True),
}


def splits_of(pre_tokenizers: tuple[kinds.PreTokenizer, ...]) -> tuple[tuple[kinds.Split, ...], bool] | None:
    """Give the splits by regular expression that the pre-tokenizers are, and whether a space is put in front.

    None: they are something else, or end in no byte-level one.
    """
    *before, last = pre_tokenizers or (None,)
    if not isinstance(last, kinds.ByteLevel) or not all(isinstance(split, kinds.Split) for split in before):
        return None
    splits = tuple(split for split in before if isinstance(split, kinds.Split))
    if last.use_regex:
        splits += (kinds.Split(kinds.Pattern(GPT2_PATTERN, regex=True), "isolated", invert=False),)
    if last.add_prefix_space and len(splits) != int(last.use_regex):
        return None  # the space would be put in front of every part
    return splits, last.add_prefix_space


def rules_of(splits: tuple[kinds.Split, ...]) -> CutRules | None:
    """Give the cuts that are safe for these splits; None if they are not known."""
    patterns = tuple(split.pattern.text.replace("\r", r"\r").replace("\n", r"\n") for split in splits)
    whole = all(
        split.pattern.regex and (split.behavior == "isolated" or (split.behavior == "removed" and split.invert))
        for split in splits
    )
    return _KNOWN.get(patterns) if whole and (len(splits) == 1 or _isolated(splits)) else None


def _isolated(splits: tuple[kinds.Split, ...]) -> bool:
    return all(split.behavior == "isolated" and not split.invert for split in splits)
