"""Reads what `Replace` and `Split` look for."""

from __future__ import annotations

from edge_runtime.errors import UnsupportedTokenizer
from edge_runtime.tokenizer.spec.kinds import Pattern
from edge_runtime.tokenizer.spec.section import Section


def read_pattern(section: Section) -> Pattern:
    """Take `pattern`: `{"String": ...}` or `{"Regex": ...}`."""
    inner = Section(section.take("pattern"), f"{section.where} pattern")
    regex = inner.has("Regex")
    pattern = Pattern(inner.text("Regex" if regex else "String"), regex)
    inner.close()
    if not pattern.text:
        raise UnsupportedTokenizer(
            f"{section.where} pattern is not supported: it is empty, and matches between any two"
        )
    return pattern
