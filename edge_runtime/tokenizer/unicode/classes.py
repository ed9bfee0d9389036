r"""The classes of characters of regular expressions, and classes of all code points as arrays.

The regular expressions of the original are Oniguruma's: what `\p{L}`, `[[:space:]]` or `\w` match is read from it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from edge_runtime.tokenizer.unicode.character_tables import load_tables
from edge_runtime.tokenizer.unicode.code_points import ALL, CodePoints
from edge_runtime.tokenizer.unicode.graphemes import KINDS
from edge_runtime.tokenizer.unicode.normal_forms import FORMS, normal_form
from edge_runtime.tokenizer.unicode.tables import packaged

Classes = NDArray[np.uint8]

# The general categories of Unicode and their long names; Cn is of code points that are not assigned.
CATEGORY_NAMES = {
    "Cc": "Control", "Cf": "Format", "Cn": "Unassigned", "Co": "Private_Use", "Cs": "Surrogate",
    "Ll": "Lowercase_Letter", "Lm": "Modifier_Letter", "Lo": "Other_Letter", "Lt": "Titlecase_Letter",
    "Lu": "Uppercase_Letter", "Mc": "Spacing_Mark", "Me": "Enclosing_Mark", "Mn": "Nonspacing_Mark",
    "Nd": "Decimal_Number", "Nl": "Letter_Number", "No": "Other_Number", "Pc": "Connector_Punctuation",
    "Pd": "Dash_Punctuation", "Pe": "Close_Punctuation", "Pf": "Final_Punctuation", "Pi": "Initial_Punctuation",
    "Po": "Other_Punctuation", "Ps": "Open_Punctuation", "Sc": "Currency_Symbol", "Sk": "Modifier_Symbol",
    "Sm": "Math_Symbol", "So": "Other_Symbol", "Zl": "Line_Separator", "Zp": "Paragraph_Separator",
    "Zs": "Space_Separator",
}  # fmt: skip
CATEGORIES = tuple(CATEGORY_NAMES)
GROUP_NAMES = {
    "C": "Other", "L": "Letter", "M": "Mark", "N": "Number", "P": "Punctuation", "S": "Symbol", "Z": "Separator",
}  # fmt: skip
GROUPS = {
    **{group: tuple(name for name in CATEGORIES if name[0] == group) for group in GROUP_NAMES},
    "LC": ("Lu", "Ll", "Lt"),
    "Any": CATEGORIES,
    "Assigned": tuple(name for name in CATEGORIES if name != "Cn"),
}

# The names of `[[:alpha:]]` and so on.
BRACKET_NAMES = (
    *("alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph"),
    *("lower", "print", "punct", "space", "upper", "word", "xdigit"),
)

# What `\w`, `\W`, `\b` and `\p{Word}` count as a letter of a word outside of brackets only: superscript digits and
# fractions of Latin-1, for which Oniguruma has a table of its own.
BARE_WORD_ONLY = CodePoints([(0xB2, 0xB3), (0xB9, 0xB9), (0xBC, 0xBE)])

# Properties that are one of the classes in brackets.
_SAME_AS_BRACKETS = {
    **{name: name for name in BRACKET_NAMES if name not in ("punct", "word")},
    **{"alphabetic": "alpha", "lowercase": "lower", "uppercase": "upper", "whitespace": "space"},
    "posixpunct": "punct",
}
_PARTITIONS = {"category": CATEGORIES, "grapheme": KINDS}
_OWN_PROPERTIES = ("emoji", "extended_pictographic")


def regex_class(name: str) -> CodePoints | None:
    r"""Give what `\p{name}` matches, or None if the name is none that is known here.

    Known are the general categories and their groups, scripts by their full names, the names of the classes in brackets
    and a few other properties; as in Oniguruma case, spaces, `-` and `_` do not matter.
    """
    wanted = _plain(name)
    if wanted == "word":
        return bare_word()
    if wanted in _SAME_AS_BRACKETS:
        return bracket_class(_SAME_AS_BRACKETS[wanted])
    if wanted in _category_names():
        return _of_categories(_category_names()[wanted])
    for own in _OWN_PROPERTIES:
        if wanted == _plain(own):
            return packaged().code_points(f"regex_{own}")
    return _scripts().get(wanted)


@functools.cache
def bracket_class(name: str) -> CodePoints | None:
    r"""Give what `[[:name:]]` matches, or None if there is no such class.

    Inside of brackets `\s` is `space`, `\d` is `digit`, `\h` is `xdigit` and `\w` is `word`. `punct` is not what
    `\p{Punct}` matches: that leaves symbols out.
    """
    return packaged().code_points(f"regex_{name}") if name in BRACKET_NAMES else None


@functools.cache
def bare_word() -> CodePoints:
    r"""Give what `\w` matches outside of brackets, which is also what `\b` goes by."""
    return packaged().code_points("regex_word") | BARE_WORD_ONLY


@functools.cache
def code_point_classes(name: str) -> Classes:
    """Give a number for every code point.

    Args:
        name: `category`, as the regular expressions see it: the place in `CATEGORIES`. `grapheme`: the place in
            `graphemes.KINDS`. `NFC`, `NFD`, `NFKC` or `NFKD`: 1 for what is stable under it. An attribute of
            `UnicodeTables` that is a set: 1 for its members.

    Returns:
        (0x110000,) uint8, the same read-only array each time.
    """
    if name in _PARTITIONS:
        numbers = {value: number for number, value in enumerate(_PARTITIONS[name])}
        return _frozen(_from_partition(name, numbers))
    if name in FORMS:
        return _frozen(members(normal_form(name).stable))
    return _frozen(members(getattr(load_tables(), name)))


def category_classes(numbers: Mapping[str, int]) -> Classes:
    """Number the categories of the regular expressions.

    Args:
        numbers: category or group, such as `Lu` or `L` -> its number; of those that hold a category the last one
            counts.

    Returns:
        (0x110000,) uint8, a new array; 0 for code points of all other categories.
    """
    by_category = {category: numbers[name] for name in numbers for category in GROUPS.get(name, (name,))}
    return _from_partition("category", {category: by_category.get(category, 0) for category in CATEGORIES})


def members(code_points: CodePoints) -> Classes:
    """Give a new array (0x110000,) uint8 with 1 for the members of a set."""
    result: Classes = np.zeros(ALL, np.uint8)
    for first, last in code_points.ranges:
        result[first : last + 1] = 1
    return result


def _from_partition(section: str, numbers: Mapping[str, int]) -> Classes:
    result: Classes = np.empty(ALL, np.uint8)
    start = 0
    for value, count in packaged().partition(section):
        result[start : start + count] = numbers[value]
        start += count
    return result


def _frozen(classes: Classes) -> Classes:
    classes.setflags(write=False)
    return classes


def _plain(name: str) -> str:
    """Write an ASCII name as Oniguruma compares it."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "") if name.isascii() else name


@functools.cache
def _category_names() -> Mapping[str, tuple[str, ...]]:
    """Give the categories by every name of theirs and of their groups."""
    short = {**{name: (name,) for name in CATEGORIES}, **GROUPS}
    long = {
        **{long: (name,) for name, long in CATEGORY_NAMES.items()},
        **{long: GROUPS[group] for group, long in GROUP_NAMES.items()},
    }
    more = {"Cased_Letter": GROUPS["LC"], "Combining_Mark": GROUPS["M"], "Punct": GROUPS["P"]}
    return {_plain(name): categories for name, categories in {**short, **long, **more}.items()}


@functools.cache
def _of_categories(categories: tuple[str, ...]) -> CodePoints:
    by_value = packaged().by_value("category")
    return CodePoints.joined(span for category in categories for span in by_value[category].ranges)


@functools.cache
def _scripts() -> Mapping[str, CodePoints]:
    return {_plain(name): members for name, members in packaged().by_value("script").items()}
