"""The file of character tables: its reader and its writer.

The file is ASCII text for people to compare. A section starts with `[name]`; its words are read in one of three ways:

- a set: ranges, `41-5A 5F`; `@Lu` adds all that the section `category` gives this value, `!2B0` takes away again;
- a partition of all code points: values in order, `Lu*26 Ps`, how many code points have it behind the star; what stands
  before the colon of a line is where it starts, for the reader's eye only;
- a mapping: `C0=41,300`, or a run of them, `FF01-FF5E=21`: the last character of the target advances with the source;
  `100-12E/2=101`: both advance by 2.

All code points are hexadecimal, all counts decimal. A section is parsed when somebody asks for it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from edge_runtime.tokenizer.unicode.code_points import ALL, CodePoints

TABLES_PATH = Path(__file__).with_name("tables.txt")

# Values and how many code points in order have them, for all code points.
Partition = Sequence[tuple[str, int]]

# What a section holds.
Table = CodePoints | Partition | Mapping[int, str]

_LINE_WIDTH = 118
_MANY_RANGES = 300  # all sets that BERT needs have fewer, so that it need not parse the categories
_HEADING = "# Written by `python -m edgert_tools.unicode_tables` from {oracle}; do not edit.\n"


class TableFile:
    """The text of a file of tables, cut into its sections.

    Attributes:
        oracle: the package and version that the tables were read from.
    """

    def __init__(self, text: str) -> None:
        heading, *sections = text.split("\n[")
        self.oracle = heading.partition(" from ")[2].rpartition(";")[0]
        self._sections = dict(section.split("]\n", 1) for section in sections)
        self._by_value: dict[str, Mapping[str, CodePoints]] = {}

    def names(self) -> list[str]:
        """Give the names of all sections, in the order of the file."""
        return list(self._sections)

    def section(self, name: str) -> str | None:
        """Give the text of a section, or None if there is none."""
        return self._sections.get(name)

    def code_points(self, name: str) -> CodePoints:
        """Read a section that is a set."""
        words = self._sections[name].split()
        if not words or words[0][0] != "@":
            return CodePoints(map(_read_range, words))
        by_value = self.by_value("category")
        categories = [span for word in words if word[0] == "@" for span in by_value[word[1:]].ranges]
        added = [_read_range(word) for word in words if word[0] not in "@!"]
        removed = CodePoints(_read_range(word[1:]) for word in words if word[0] == "!")
        return CodePoints.joined(categories + added) - removed

    def by_value(self, name: str) -> Mapping[str, CodePoints]:
        """Read a section that gives every code point a value as a set for each value."""
        if name not in self._by_value:
            self._by_value[name] = _sets(self.partition(name))
        return self._by_value[name]

    def partition(self, name: str) -> Partition:
        """Read a section that gives every code point a value: (value, number of code points) in order."""
        words = (word for word in self._sections[name].split() if not word.endswith(":"))
        pairs = (word.partition("*") for word in words)
        return [(value, int(count or "1")) for value, _, count in pairs]

    def mapping(self, name: str) -> dict[int, str]:
        """Read a section that maps code points to texts."""
        mapping: dict[int, str] = {}
        for word in self._sections[name].split():
            mapping.update(_read_run(word))
        return mapping


@functools.cache
def packaged() -> TableFile:
    """Give the tables that ship with the package; the same object each time."""
    return TableFile(TABLES_PATH.read_text(encoding="ascii"))


def write_file(oracle: str, sections: Mapping[str, Table]) -> str:
    """Write a file of tables; the same tables give the same bytes.

    Args:
        oracle: the package and version that the tables were read from.
        sections: their names and what they hold. One is the partition `category`; a long set is written as what differs
            from some of its values.
    """
    categories = sections["category"]
    assert isinstance(categories, Sequence)
    by_value = _sets(categories)
    parts = [_HEADING.format(oracle=oracle)]
    for name, table in sections.items():
        parts += [f"[{name}]\n", *(f"{line}\n" for line in _lines(table, by_value))]
    return "".join(parts)


def _lines(table: Table, categories: Mapping[str, CodePoints]) -> list[str]:
    if isinstance(table, CodePoints):
        return _wrap(_differences(table, categories) if len(table.ranges) > _MANY_RANGES else _write_ranges(table))
    if isinstance(table, Mapping):
        return _wrap(_write_runs(table))
    return _wrap_partition(table)


def _differences(table: CodePoints, categories: Mapping[str, CodePoints]) -> list[str]:
    """Write a set as the categories of which it has the better half, what else it has, and what it has not."""
    chosen = [name for name, members in categories.items() if 2 * len(table & members) > len(members)]
    whole = CodePoints.joined(span for name in chosen for span in categories[name].ranges)
    removed = (f"!{word}" for word in _write_ranges(whole - table))
    return [*(f"@{name}" for name in sorted(chosen)), *_write_ranges(table - whole), *removed]


def _write_ranges(table: CodePoints) -> list[str]:
    return [f"{first:X}" if first == last else f"{first:X}-{last:X}" for first, last in table.ranges]


def _sets(partition: Partition) -> Mapping[str, CodePoints]:
    spans: dict[str, list[tuple[int, int]]] = {}
    start = 0
    for value, count in partition:
        spans.setdefault(value, []).append((start, start + count - 1))
        start += count
    assert start == ALL
    return {value: CodePoints(ranges) for value, ranges in spans.items()}


def _wrap(words: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 1 + len(word) <= _LINE_WIDTH:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return lines


def _wrap_partition(partition: Partition) -> list[str]:
    lines: list[str] = []
    start = 0
    for value, count in partition:
        word = value if count == 1 else f"{value}*{count}"
        if lines and len(lines[-1]) + 1 + len(word) <= _LINE_WIDTH:
            lines[-1] += " " + word
        else:
            lines.append(f"{start:X}: {word}")
        start += count
    return lines


def _read_range(word: str) -> tuple[int, int]:
    first, _, last = word.partition("-")
    return int(first, 16), int(last or first, 16)


def _read_run(word: str) -> Iterator[tuple[int, str]]:
    source, _, target = word.partition("=")
    span, _, step = source.partition("/")
    first, last = _read_range(span)
    *kept, moving = (int(code, 16) for code in target.split(","))
    head = "".join(map(chr, kept))
    for code in range(first, last + 1, int(step or "1")):
        yield code, head + chr(moving + code - first)


def _write_runs(mapping: Mapping[int, str]) -> Iterator[str]:
    """Write a mapping with as few words as taking the longest run of either step at each place gives."""
    left = dict(sorted(mapping.items()))
    while left:
        first = next(iter(left))
        lasts = {step: _run_end(left, first, step) for step in (1, 2)}
        step = max(lasts, key=lambda step: (lasts[step] - first) // step)
        last = lasts[step]
        target = ",".join(f"{ord(char):X}" for char in left[first])
        span = f"{first:X}" if first == last else f"{first:X}-{last:X}" + (f"/{step}" if step > 1 else "")
        for code in range(first, last + 1, step):
            del left[code]
        yield f"{span}={target}"


def _run_end(mapping: Mapping[int, str], first: int, step: int) -> int:
    """Give the last code point of the run of this step that starts at `first`."""
    head, moving = mapping[first][:-1], ord(mapping[first][-1])
    last = first
    while mapping.get(last + step) == head + chr(min(moving + last + step - first, ALL - 1)):
        last += step
    return last
