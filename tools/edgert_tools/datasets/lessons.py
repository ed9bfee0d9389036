"""What a text model that is asked questions can be taught, and judged by: plain data, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text are a `label`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Marked:
    """A text and what is named in it, in its order and nowhere overlapping."""

    text: str
    spans: tuple[Span, ...]
    template: int


@dataclass(frozen=True)
class Pair:
    """Two texts, and whether the second one answers the first, or follows from it."""

    first: str
    second: str
    holds: bool


@dataclass(frozen=True)
class Choice:
    """A text and what may belong to it; the option at `right` does."""

    text: str
    options: tuple[str, ...]
    right: int


@dataclass(frozen=True)
class Fact:
    """A question and a context, whose characters `start` to `end` are the answer."""

    question: str
    context: str
    start: int
    end: int

    @property
    def answer(self) -> str:
        """The words of the answer."""
        return self.context[self.start : self.end]


Lesson = TypeVar("Lesson", Marked, Pair, Fact)
Judged = TypeVar("Judged", Marked, Choice, Fact)


@dataclass(frozen=True)
class Lessons(Generic[Lesson, Judged]):
    """What to train on, and what is held back to judge on.

    `labels` are what there is to find, for `Marked`; `dropped` those that were left out, and how often they came.
    """

    train: tuple[Lesson, ...]
    held_back: tuple[Judged, ...]
    labels: tuple[str, ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()


AnyLessons = Lessons[Any, Any]
NO_LESSONS: AnyLessons = Lessons((), ())
