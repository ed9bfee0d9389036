"""What was tried, as HTML: each candidate in a plot of quality over speed (SVG, nothing to load) and in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from edgert_tools.budget import Candidate, in_short
from edgert_tools.evaluate import EmbedQuality
from edgert_tools.quantization.labels import Box, Dot, baseline, place_labels
from edgert_tools.quantization.outcome import Outcome, verdict
from edgert_tools.quantization.pareto import loss_of
from edgert_tools.recipe import Budget

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 740, 16, 330
_LEAST_LOSS = 1e-4  # nothing lost has no logarithm
_ROOM = 1.12  # of the largest value, so that its label fits


def tried(outcome: Outcome, budget: Budget) -> str:
    """Plot and table of all candidates; the plot only if there are at least two."""
    return (_plot(outcome, budget) if len(outcome.candidates) > 1 else "") + _table(outcome)


def _table(outcome: Outcome) -> str:
    rows = [_row(one, outcome) for one in outcome.candidates]
    rows += [
        f"<tr><td>{escape(scheme)}</td><td colspan=4></td><td class=bad>cannot be made: {escape(why)}</td></tr>"
        for scheme, why in outcome.failed.items()
    ]
    head = "<tr><th>scheme<th class=n>size<th>quality<th class=n>speed<th class=n>memory<th>verdict</tr>"
    note = "<p>* no other scheme is at least as good, as fast and as small.</p>" if outcome.pareto else ""
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>{note}'


def _row(one: Candidate, outcome: Outcome) -> str:
    star = " *" if one.scheme in outcome.pareto else ""
    memory = "" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} MB"
    return (
        f"<tr><td>{escape(one.scheme)}{star}</td><td class=n>{one.size_bytes / 1e6:.1f} MB</td>"
        f"<td>{escape(in_short(one.quality))}</td><td class=n>{one.speed.ratio:.2f}x</td><td class=n>{memory}</td>"
        f'<td class="{"bad" if one.misses else "good"}">{escape(verdict(one, outcome.chosen))}</td></tr>'
    )


def _plot(outcome: Outcome, budget: Budget) -> str:
    """Speed to the right, loss on a logarithmic scale downwards, size as the area of a dot."""
    axes = _Axes(outcome.candidates, _bound(outcome.candidates[0], budget))
    ordered = sorted(outcome.candidates, key=lambda one: (loss_of(one.quality), one.scheme))
    dots = [axes.dot(one) for one in ordered]
    boxes = place_labels(dots, Box(_LEFT, _TOP, _RIGHT, _BOTTOM))
    names = "".join(_text(box.left, baseline(box), name, "start") for name, box in boxes.items())
    circles = "".join(_circle(dot, one, outcome) for dot, one in zip(dots, ordered, strict=True))
    words = ", ".join(f"{one.scheme} {in_short(one.quality)} {one.speed.ratio:.2f}x" for one in ordered)
    note = (
        "Further right is faster, further up is better, a smaller dot is a smaller file. Filled: no other is as good, "
        "as fast and as small; green: taken; red: refused; dashed: the budget, and float's speed."
    )
    head = f'<svg viewBox="0 0 760 380" role="img" aria-label="{escape(words)}">'
    return f"{head}{axes.lines()}{circles}{names}</svg>\n<p>{escape(note)}</p>\n"


class _Axes:
    """Where a value lies on the page, and the lines that say so."""

    def __init__(self, candidates: Sequence[Candidate], bound: float) -> None:
        losses = [max(loss_of(one.quality), _LEAST_LOSS) for one in candidates] + [max(bound, _LEAST_LOSS)]
        self._bound = bound
        self._low, self._high = math.floor(math.log10(min(losses))), math.ceil(math.log10(max(losses)) + 1e-9)
        self._high = max(self._high, self._low + 1)
        self._fastest = _ROOM * max(1.0, *(one.speed.ratio for one in candidates))
        self._what = "1 - cosine" if isinstance(candidates[0].quality, EmbedQuality) else "share lost"

    def x(self, ratio: float) -> float:
        """Of a speed, in times float's."""
        return _LEFT + (_RIGHT - _LEFT) * ratio / self._fastest

    def y(self, loss: float) -> float:
        """Of a loss."""
        share = (math.log10(max(loss, _LEAST_LOSS)) - self._low) / (self._high - self._low)
        return _TOP + (_BOTTOM - _TOP) * share

    def dot(self, one: Candidate) -> Dot:
        """A candidate's circle: its area is the size."""
        return Dot(
            one.scheme, self.x(one.speed.ratio), self.y(loss_of(one.quality)), 3 + 10 * math.sqrt(one.size_ratio)
        )

    def lines(self) -> str:
        """Grid, scales, and the two dashed bounds."""
        parts = [_line(_LEFT, _BOTTOM, _RIGHT, _BOTTOM), _line(_LEFT, _TOP, _LEFT, _BOTTOM)]
        for power in range(self._low, self._high + 1):
            y = self.y(10.0**power)
            parts += [_line(_LEFT, y, _RIGHT, y), _text(_LEFT - 8, y + 4, f"{10.0**power:g}", "end")]
        for half in range(0, int(2 * self._fastest) + 1):
            parts.append(_text(self.x(half / 2), _BOTTOM + 18, f"{half / 2:g}x", "middle"))
        parts += [_line(self.x(1), _TOP, self.x(1), _BOTTOM, "6 4")]
        parts += [_line(_LEFT, self.y(self._bound), _RIGHT, self.y(self._bound), "6 4")]
        parts += [_text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, "speed, times float's", "middle")]
        return "".join(parts) + _text(4, _BOTTOM + 40, self._what, "start")


def _circle(dot: Dot, one: Candidate, outcome: Outcome) -> str:
    chosen = one.scheme == outcome.chosen
    colour = "var(--good)" if chosen else "var(--bad)" if one.misses else "var(--int8)"
    fill = colour if chosen or one.scheme in outcome.pareto else "none"
    place = f'cx="{dot.x:.1f}" cy="{dot.y:.1f}" r="{dot.radius:.1f}"'
    return f'<circle {place} fill="{fill}" stroke="{colour}" stroke-width="2"/>'


def _bound(one: Candidate, budget: Budget) -> float:
    """The loss that the budget allows, in the measure of the candidates."""
    if isinstance(one.quality, EmbedQuality):
        return 1 - budget.cosine_mean
    if getattr(one.quality, "accuracy_drop_points", None) is not None:
        return budget.accuracy_drop_points / 100
    return 1 - budget.agreement_min


def _line(x1: float, y1: float, x2: float, y2: float, dashes: str = "") -> str:
    dashed, colour = (f' stroke-dasharray="{dashes}"', "soft") if dashes else ("", "line")
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="var(--{colour})"{dashed}/>'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
