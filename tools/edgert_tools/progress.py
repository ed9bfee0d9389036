"""Numbered steps with their seconds, for the person who waits."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

Say = Callable[[str], None]


def to_stderr(line: str) -> None:
    """One line to standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class Steps:
    """Says `[2/6] title` when a step begins and its notes and seconds when it is done."""

    def __init__(self, total: int, say: Say) -> None:
        self.total, self.say = total, say
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Run one step; call what is given with a line to note something about it."""
        self.say(f"[{len(self.seconds) + 1}/{self.total}] {title}")
        start = time.perf_counter()
        yield self._note
        took = time.perf_counter() - start
        self.seconds[title] = round(took, 2)
        self.say(f"      done in {took:.1f} s")

    def _note(self, line: str) -> None:
        self.say(f"      {line}")
