"""The files of the Unicode Character Database that Debian's package `unicode-data` installs."""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path("/usr/share/unicode")


def unicode_lines(name: str) -> Iterator[str]:
    """Give the lines of a file without comments; the test is skipped if the file is not there."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"{path} is missing: install the Debian package unicode-data")
    content = path.read_bytes()
    for line in (bz2.decompress(content) if name.endswith(".bz2") else content).decode().splitlines():
        line = line.partition("#")[0].strip()
        if line and not line.startswith("@"):
            yield line


def ages() -> dict[int, tuple[int, ...]]:
    """Give the version of Unicode that brought each code point."""
    known: dict[int, tuple[int, ...]] = {}
    for line in unicode_lines("DerivedAge.txt"):
        span, age = (field.strip() for field in line.split(";"))
        first, _, last = span.partition("..")
        version = tuple(map(int, age.split(".")))
        known.update(dict.fromkeys(range(int(first, 16), int(last or first, 16) + 1), version))
    return known
