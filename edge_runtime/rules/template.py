"""Texts with gaps: `{name}` is filled in, `{{` and `}}` are braces.

Not `str.format`: there a gap may ask for attributes and items of what is filled in, and for a width of a gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|([^{}]+)")


class Template:
    """A text with gaps.

    Args:
        text: the template.

    Attributes:
        gaps: the names in it, in their order.

    Raises:
        ValueError: a brace that neither opens nor closes a gap.
    """

    def __init__(self, text: str) -> None:
        self._parts: list[tuple[str, bool]] = []  # text, and whether it is a gap's name
        at = 0
        while at < len(text):
            found = _PART.match(text, at)
            if found is None:
                raise ValueError(f"a lone brace at character {at + 1}: write {{{{ or }}}} for a brace")
            name, plain = found.groups()
            self._parts.append((name, True) if name is not None else (plain or found[0][0], False))
            at = found.end()
        self.gaps = [part for part, is_gap in self._parts if is_gap]

    def fill(self, value: Callable[[str], str | None]) -> str | None:
        """The text with its gaps filled; None if there is no value for one of them."""
        filled = []
        for part, is_gap in self._parts:
            text = value(part) if is_gap else part
            if text is None:
                return None
            filled.append(text)
        return "".join(filled)
