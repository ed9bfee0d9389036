"""How a section of text is made ready to be cut."""

from __future__ import annotations

from typing import NamedTuple


class Lead(NamedTuple):
    """What of a section is tokenized: from `start` to before `end`, with a space in front if `space`."""

    start: int
    end: int
    space: bool


NOTHING = Lead(0, 0, False)
