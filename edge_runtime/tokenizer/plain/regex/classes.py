r"""Classes of characters: `[^\s\p{L}]`, `\w`, `\p{Lu}`, with the meaning that Oniguruma gives them."""

from __future__ import annotations

from edge_runtime.tokenizer.plain.regex.cursor import Cursor
from edge_runtime.tokenizer.plain.regex.sets import CharacterSet, Complement, Intersection, Union
from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.case_folding import case_variants, whole_folds
from edge_runtime.tokenizer.unicode.classes import bare_word, bracket_class, regex_class

_SHORTHANDS = {"s": "space", "d": "digit", "w": "word", "h": "xdigit"}
_MOST_FOLDED = 1024  # characters of a class whose cases are looked up one by one

_Range = tuple[int, int]


def single(code: int) -> CodePoints:
    """Give the set of one code point."""
    return CodePoints([(code, code)])


def shorthand(cursor: Cursor, letter: str, in_brackets: bool) -> CharacterSet | None:
    r"""Give the class of `\s`, `\D`, `\p{L}` and so on, or None; the cursor is behind the letter."""
    negated = letter.isupper()
    points: CodePoints | None
    if letter in "pP":
        if not cursor.accept("{"):
            cursor.refuse("a property without braces")
        negated ^= cursor.accept("^")
        name = cursor.take_until("}")
        points = regex_class(name)
        if points is None:
            cursor.refuse(f"the property {name!r}")
    elif letter.lower() in _SHORTHANDS:
        points = bracket_class(_SHORTHANDS[letter.lower()])
    else:
        return None
    assert points is not None
    # The class of words is a little larger where it stands alone.
    in_class, alone = bracket_class("word"), bare_word()
    if in_class is not None and points in (in_class, alone):
        points = in_class if in_brackets else alone
    return Complement(points) if negated else points


def bracket(cursor: Cursor, ignore_case: bool = False) -> CharacterSet:
    """Read a class in brackets; the cursor is behind the `[`.

    Case is ignored for the class as a whole, before it is negated; never for a class inside of it.
    """
    negated = cursor.accept("^")
    operand, more = _operand(cursor, closable=False)
    operands = [operand]
    while more:
        operand, more = _operand(cursor, closable=True)
        operands.append(operand)
    found = operands[0] if len(operands) == 1 else Intersection(tuple(operands))
    if ignore_case:
        found = fold(cursor, found)
    return Complement(found) if negated else found


def _operand(cursor: Cursor, closable: bool) -> tuple[CharacterSet, bool]:
    """Read up to the closing bracket or to `&&`, and say whether it was that.

    Args:
        closable: False: a `]` right here does not close the class, it is a member of it.
    """
    characters: list[_Range] = []
    classes: list[CharacterSet] = []
    start = cursor.at
    while True:
        more = cursor.accept("&&")
        if more or ((closable or cursor.at > start) and cursor.accept("]")):
            break
        member = _member(cursor, at_start=cursor.at == start)
        if isinstance(member, tuple):
            characters.append(member)
        else:
            classes.append(member)
    if characters:
        classes.append(CodePoints.joined(characters))
    if not classes:
        cursor.refuse("an empty operand of &&")
    return classes[0] if len(classes) == 1 else Union(tuple(classes)), more


def _member(cursor: Cursor, at_start: bool) -> _Range | CharacterSet:
    """Read one member of a class: a character, a range, a class."""
    if cursor.accept("[:"):
        return _posix(cursor)
    if cursor.accept("["):
        return bracket(cursor)
    if cursor.next == "-" and not at_start and not _ends_behind_next(cursor):
        cursor.refuse("a - between members of a class")
    low = _end_of_range(cursor)
    if not isinstance(low, int):
        return low
    if cursor.next != "-" or _ends_behind_next(cursor):
        return low, low
    cursor.take()
    high = _end_of_range(cursor)
    if not isinstance(high, int) or high < low:
        cursor.refuse("a range that does not go from a lower to a higher character")
    return low, high


def _posix(cursor: Cursor) -> CharacterSet:
    negated = cursor.accept("^")
    name = cursor.take_until(":]")
    points = bracket_class(name)
    if points is None:
        cursor.refuse(f"the class [:{name}:]")
    return Complement(points) if negated else points


def _ends_behind_next(cursor: Cursor) -> bool:
    """Say whether the class or its operand ends behind the next character; a `-` there is a member."""
    return cursor.pattern.startswith(("]", "&&"), cursor.at + 1)


def _end_of_range(cursor: Cursor) -> int | CharacterSet:
    """Read one character, or a shorthand: that is no end of a range."""
    char = cursor.take()
    if char == "[":
        cursor.refuse("a class as the end of a range")
    if char != "\\":
        return ord(char)
    letter = cursor.take()
    if letter == "b":
        return 8
    code = cursor.character_escape(letter)
    if code is not None:
        return code
    points = shorthand(cursor, letter, in_brackets=True)
    return cursor.refuse(f"\\{letter} in a class") if points is None else points


def fold(cursor: Cursor, points: CharacterSet) -> CodePoints:
    """Add the other cases of each character.

    Raises:
        UnsupportedTokenizer: one of them equals two characters or more, or they are not written out.
    """
    if not isinstance(points, CodePoints) or len(points) > _MOST_FOLDED:
        cursor.refuse("a class of classes, or a large one, where case is ignored")
    codes = set(points)
    for code in points:
        if chr(code) in whole_folds():
            cursor.refuse(f"{chr(code)!r} where case is ignored")
        codes.update(map(ord, case_variants(code)))
    return CodePoints.of(codes)
