"""Where the names of a plot's dots go: beside, above or below, and not over a dot or another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_LETTER, _ASCENT, _DESCENT = 7.0, 10.0, 4.0  # of 13 px letters in the plot's units
_GAP, _STEP = 4.0, 6.0
_STEPS = 40  # further than this no line of a label is moved


@dataclass(frozen=True)
class Dot:
    """A named circle."""

    name: str
    x: float
    y: float
    radius: float


@dataclass(frozen=True)
class Box:
    """A rectangle of the page; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> bool:
        """Whether both have a point in common."""
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)

    def inside(self, other: Box) -> bool:
        """Whether all of it is in the other one."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.top >= other.top
            and self.bottom <= other.bottom
        )


def place_labels(dots: Sequence[Dot], page: Box) -> dict[str, Box]:
    """A box for each dot's name, in their order: the nearest free place inside the page, or any free one."""
    taken = [Box(dot.x - dot.radius, dot.y - dot.radius, dot.x + dot.radius, dot.y + dot.radius) for dot in dots]
    placed = {}
    for dot in dots:
        choices = [box for box in _choices(dot) if not any(box.covers(other) for other in taken)]
        box = next((box for box in choices if box.inside(page)), choices[0] if choices else _choices(dot)[0])
        placed[dot.name] = box
        taken.append(box)
    return placed


def baseline(box: Box) -> float:
    """Where the letters of a label stand."""
    return box.bottom - _DESCENT


def _choices(dot: Dot) -> list[Box]:
    """Right, left, above, below, and then the same further and further off."""
    wide, found = _LETTER * len(dot.name), []
    for step in range(_STEPS):
        off = step * _STEP
        right, left, middle = dot.x + dot.radius + _GAP, dot.x - dot.radius - _GAP - wide, dot.x - wide / 2
        above, below = dot.y - dot.radius - _GAP, dot.y + dot.radius + _ASCENT + _GAP
        found += [_box(right, dot.y + _DESCENT + off, wide), _box(left, dot.y + _DESCENT + off, wide)]
        found += [_box(middle, above - off, wide), _box(middle, below + off, wide)]
    return found


def _box(left: float, line: float, wide: float) -> Box:
    return Box(left, line - _ASCENT, left + wide, line + _DESCENT)
