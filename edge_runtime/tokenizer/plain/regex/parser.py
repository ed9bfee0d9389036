r"""Oniguruma's syntax, as in the regular expressions of a `tokenizer.json`, translated into that of Python's `re`.

What the two do alike is passed on, what `re` does otherwise is written out, and all else is refused: back-references,
`\K`, `\G`, `\X`, conditions, free spacing, the repetition of what may match nothing.

Source: https://github.com/kkos/oniguruma, doc/RE, ONIG_SYNTAX_ONIGURUMA.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from edge_runtime.tokenizer.plain.regex.classes import bracket, fold, shorthand, single
from edge_runtime.tokenizer.plain.regex.cursor import Cursor
from edge_runtime.tokenizer.plain.regex.sets import CharacterSet, Complement, Writer
from edge_runtime.tokenizer.unicode import CodePoints
from edge_runtime.tokenizer.unicode.case_folding import case_variants, whole_folds
from edge_runtime.tokenizer.unicode.classes import bare_word

_ALL = CodePoints([(0, 0x10FFFF)])
_NOT_NEWLINE = Complement(single(0x0A))
_NEWLINES = CodePoints([(0x0A, 0x0D), (0x85, 0x85), (0x2028, 0x2029)])

# `^` does not match behind a final line feed; `\Z` of `re` is the very end.
_ANCHORS = {"^": r"(?:\A|(?<=\n)(?!\Z))", "$": r"(?:\Z|(?=\n))"}
_ESCAPED_ANCHORS = {"A": r"\A", "z": r"\Z", "Z": r"(?=\n?\Z)"}

_SWITCH = re.compile(r"\(\?([a-z]*)(-[a-z]*)?([:)])")
_INTERVAL = re.compile(r"\{(\d*)(,?)(\d*)\}", re.ASCII)
_MOST_REPEATS = 100_000  # Oniguruma's own limit


class Options(NamedTuple):
    """What `(?im)` switches on: `m` lets the dot match a line feed."""

    ignore_case: bool = False
    dot_is_all: bool = False


class Part(NamedTuple):
    """A part of an expression in the syntax of `re`.

    Attributes:
        head, tail: the character that the part starts or ends with, if its case is ignored and nothing repeats it.
    """

    source: str
    can_be_empty: bool
    head: str = ""
    tail: str = ""


def translate(pattern: str, write: Writer) -> Part:
    """Translate a pattern.

    Args:
        write: gives the source of a class of characters, one item.

    Raises:
        UnsupportedTokenizer: the pattern is not valid, or has something that is not implemented; says what.
    """
    return _Parser(pattern, write).whole()


class _Parser:
    """Reads a pattern; each method gives what it has read."""

    def __init__(self, pattern: str, write: Writer) -> None:
        self._cursor, self._write = Cursor(pattern), write

    def whole(self) -> Part:
        part = _choice(self._alternatives(Options()))
        if self._cursor.next:
            self._cursor.refuse("a ) without a (")
        return part

    def _alternatives(self, options: Options) -> list[Part]:
        parts = [self._sequence(options)]
        while self._cursor.accept("|"):
            parts.append(self._sequence(options))
        return parts

    def _sequence(self, options: Options) -> Part:
        parts: list[Part] = []
        while self._cursor.next not in ("", "|", ")"):
            switched = self._switch(options, ")")
            if switched is not None:  # up to the end of the group, its alternatives included
                parts.append(_choice(self._alternatives(switched)))
            else:
                parts.append(self._quantified(self._item(options)))
            if len(parts) > 1:
                self._check_pair(parts[-2].tail, parts[-1].head)
        source = "".join(part.source for part in parts)
        ends = (parts[0].head, parts[-1].tail) if parts else ("", "")
        return Part(source, all(part.can_be_empty for part in parts), *ends)

    def _check_pair(self, left: str, right: str) -> None:
        """Refuse two letters that one character equals: ignoring case, `st` also matches U+FB06."""
        if left and right and left + right in _pairs():
            self._cursor.refuse(f"{left + right} where case is ignored")

    def _switch(self, options: Options, end: str) -> Options | None:
        """Read `(?i)` or, with `end` a colon, the start of `(?i:...)`; None if it is not there."""
        match = _SWITCH.match(self._cursor.pattern, self._cursor.at)
        if match is None or match[3] != end or match[0] == "(?)":
            return None
        self._cursor.at = match.end()
        switches = [(letter, True) for letter in match[1]] + [(letter, False) for letter in (match[2] or "-")[1:]]
        for letter, on in switches:
            if letter == "i":
                options = options._replace(ignore_case=on)
            elif letter == "m":
                options = options._replace(dot_is_all=on)
            else:
                self._cursor.refuse(f"the option {letter}")
        return options

    def _item(self, options: Options) -> Part:
        cursor = self._cursor
        char = cursor.take()
        if char == "(":
            cursor.at -= 1
            return self._group(options)
        if char == "[":
            return self._class(bracket(cursor, options.ignore_case))
        if char == "\\":
            return self._escape(options)
        if char == ".":
            return self._class(_ALL if options.dot_is_all else _NOT_NEWLINE)
        if char in _ANCHORS:
            return Part(_ANCHORS[char], can_be_empty=True)
        if char in "*+?{":
            cursor.refuse(f"a {char} with nothing to repeat")
        return self._literal(ord(char), options)

    def _class(self, points: CharacterSet) -> Part:
        return Part(self._write(points), can_be_empty=False)

    def _literal(self, code: int, options: Options) -> Part:
        if not options.ignore_case:
            return self._class(single(code))
        folded = fold(self._cursor, single(code))
        return Part(self._write(folded), False, chr(code), chr(code))

    def _escape(self, options: Options) -> Part:
        letter = self._cursor.take()
        if letter in _ESCAPED_ANCHORS:
            return Part(_ESCAPED_ANCHORS[letter], can_be_empty=True)
        if letter in "bB":
            return self._word_border(letter == "B")
        if letter == "R":
            return Part(f"(?>\\r\\n|{self._write(_NEWLINES)})", can_be_empty=False)
        if letter in "NO":
            return self._class(_NOT_NEWLINE if letter == "N" else _ALL)
        code = self._cursor.character_escape(letter)
        if code is not None:
            return self._literal(code, options)
        points = shorthand(self._cursor, letter, in_brackets=False)
        return self._cursor.refuse(f"\\{letter}") if points is None else self._class(points)

    def _word_border(self, negated: bool) -> Part:
        word = self._write(bare_word())
        same, other = ("=", "!") if negated else ("!", "=")
        source = f"(?:(?<={word})(?{same}{word})|(?<!{word})(?{other}{word}))"
        return Part(source, can_be_empty=True)

    def _group(self, options: Options) -> Part:
        cursor = self._cursor
        switched = self._switch(options, ":")
        if switched is not None:  # also `(?:...)`
            return self._close(_choice(self._alternatives(switched)))
        for opening in ("(?=", "(?!"):
            if cursor.accept(opening):
                inner = _choice(self._alternatives(options))
                return self._close(Part(f"(?:{opening}{inner.source}))", can_be_empty=True))
        for opening in ("(?<=", "(?<!"):
            if cursor.accept(opening):
                return self._close(_behind(opening, self._alternatives(options)))
        if cursor.accept("(?>"):
            inner = _choice(self._alternatives(options))
            return self._close(Part(f"(?>{inner.source})", inner.can_be_empty))
        if cursor.accept("(?<") or cursor.accept("(?'"):
            name = cursor.take_until(">" if cursor.pattern[cursor.at - 1] == "<" else "'")
            if not name.isidentifier():
                cursor.refuse(f"the group name {name!r}")
        elif not cursor.accept("(") or cursor.next in ("?", "*"):
            cursor.refuse(f"a group that starts with ({cursor.pattern[cursor.at : cursor.at + 2]}")
        return self._close(_choice(self._alternatives(options)))

    def _close(self, part: Part) -> Part:
        if not self._cursor.accept(")"):
            self._cursor.refuse("a ( without a )")
        return part

    def _quantified(self, part: Part) -> Part:
        """Read the quantifier behind a part, if there is one."""
        bounds = self._bounds()
        if bounds is None:
            return part
        low, high = bounds
        interval = self._cursor.pattern[self._cursor.at - 1] == "}"
        self._check_repeated(part.can_be_empty, high)
        source = f"{part.source}{{{low},{'' if high is None else high}}}"
        can_be_empty = part.can_be_empty or low == 0
        # `{n}?` and `{n,m}+` are not lazy and possessive here, but one quantifier on another.
        if self._cursor.accept("?"):
            fixed = interval and low == high
            source = f"(?:{source})?" if fixed else source + "?"
            can_be_empty |= fixed
        elif self._cursor.accept("+"):
            if interval:
                self._check_repeated(can_be_empty, None)
            source = f"(?:{source})+" if interval else source + "+"
        if self._bounds() is not None:
            self._cursor.refuse("a quantifier of a quantifier")
        return Part(f"(?:{source})", can_be_empty)

    def _check_repeated(self, can_be_empty: bool, high: int | None) -> None:
        # Engines end a loop that makes no progress in ways of their own.
        if can_be_empty and high != 1:
            self._cursor.refuse("a repetition of what may match nothing")

    def _bounds(self) -> tuple[int, int | None] | None:
        """Read the quantifier itself: the least and the greatest number, None for any."""
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._cursor.accept(sign):
                return bounds
        if self._cursor.next != "{":
            return None
        match = _INTERVAL.match(self._cursor.pattern, self._cursor.at)
        if match is None or not (match[1] or match[3]):
            self._cursor.refuse("a { that is no quantifier")
        self._cursor.at = match.end()
        low = int(match[1] or 0)
        high = int(match[3]) if match[3] else None if match[2] else low
        if low > _MOST_REPEATS or (high is not None and not low <= high <= _MOST_REPEATS):
            self._cursor.refuse(f"the quantifier {match[0]}")
        return low, high


@functools.cache
def _pairs() -> frozenset[str]:
    """Give the pairs of characters, in any case, with which something starts that is one character elsewhere."""
    cases = [[char + case_variants(ord(char)) for char in folded[:2]] for folded in whole_folds().values()]
    return frozenset(left + right for lefts, rights in cases for left in lefts for right in rights)


def _choice(parts: list[Part]) -> Part:
    source = "(?:" + "|".join(part.source for part in parts) + ")"
    ends = (parts[0].head, parts[0].tail) if len(parts) == 1 else ("", "")
    return Part(source, any(part.can_be_empty for part in parts), *ends)


def _behind(opening: str, parts: list[Part]) -> Part:
    # `re` wants each look-behind to have one width; alternatives may differ in it.
    looks = [f"{opening}{part.source})" for part in parts]
    return Part("(?:" + ("|" if opening == "(?<=" else "").join(looks) + ")", can_be_empty=True)
