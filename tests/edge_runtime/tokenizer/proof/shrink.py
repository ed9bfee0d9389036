"""The shortest text that still shows a difference."""

from __future__ import annotations

from collections.abc import Callable

MOST_TRIES = 3000


def shortest(text: str, differs: Callable[[str], bool]) -> str:
    """Drop ever smaller parts of a text for as long as it still differs."""
    size, tries = len(text) // 2, 0
    while size and tries < MOST_TRIES:
        at = 0
        while at < len(text) and tries < MOST_TRIES:
            tries += 1
            shorter = text[:at] + text[at + size :]
            if differs(shorter):
                text = shorter
            else:
                at += size
        size = min(size // 2, len(text) // 2)
    return text
