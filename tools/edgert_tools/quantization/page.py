"""What was tried, as HTML: each candidate in a plot of quality over speed (SVG, nothing to load) and in a table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from edgert_tools.budget import Candidate, in_short
from edgert_tools.evaluate import EmbedQuality
from edgert_tools.quantization.labels import Box, Dot, baseline, place_labels
from edgert_tools.quantization.outcome import Outcome, on_board_in_short, refused, targets_note, verdict
from edgert_tools.quantization.pareto import loss_of, pareto
from edgert_tools.recipe import Budget

_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 740, 16, 330
_LEAST_LOSS = 1e-4  # nothing lost has no logarithm
_LEGEND = (
    "Further right is faster, further up is better, a smaller dot is a smaller file. Filled: no other is as good, as "
    "fast and as small; green: taken; red: refused; dashed: the budget, and float."
)
_ROOM = 1.12  # of the largest value, so that its label fits


@dataclass(frozen=True)
class _Drawing:
    """One plot: what is on its axis to the right (more is better), by scheme, and which scheme is taken there."""

    across: str
    merits: Mapping[str, float]
    chosen: str
    pareto: tuple[str, ...]
    bad: frozenset[str]


def tried(outcome: Outcome, budget: Budget) -> str:
    """Plots and table of all candidates; a plot only of at least two."""
    candidates = {one.scheme: one for one in outcome.candidates}
    plots = "".join(
        _plot([candidates[scheme] for scheme in drawing.merits], drawing, budget)
        for drawing in (_here(outcome), *(_there(outcome, board) for board in outcome.boards))
        if len(drawing.merits) > 1
    )
    legend = f"<p>{escape(_LEGEND)}</p>\n" if plots else ""
    return plots + legend + _table(outcome)


def _here(outcome: Outcome) -> _Drawing:
    """Speeds on this machine; with targets nothing is taken for them."""
    merits = {one.scheme: one.speed.ratio for one in outcome.candidates}
    bad = frozenset(one.scheme for one in outcome.candidates if one.misses)
    return _Drawing("speed here, times float's", merits, "" if outcome.forms else outcome.chosen, outcome.pareto, bad)


def _there(outcome: Outcome, board: str) -> _Drawing:
    """Instructions on a target, of those that were counted."""
    counted = {scheme: found for scheme in outcome.figures if (found := outcome.on(scheme, board)) is not None}
    merits = {scheme: 1 / found.ratio for scheme, found in counted.items()}
    bad = frozenset(scheme for scheme, found in counted.items() if found.misses)
    best = pareto([_with_ratio(outcome.of(scheme), merit) for scheme, merit in merits.items()])
    return _Drawing(f"{board}: times fewer instructions than float", merits, outcome.scheme_for(board) or "", best, bad)


def _with_ratio(one: Candidate, ratio: float) -> Candidate:
    return dataclasses.replace(one, speed=dataclasses.replace(one.speed, ratio=ratio))


def _table(outcome: Outcome) -> str:
    rows = [_row(one, outcome) for one in outcome.candidates]
    width = 4 + len(outcome.boards)
    rows += [
        f"<tr><td>{escape(scheme)}</td><td colspan={width}></td><td class=bad>cannot be made: {escape(why)}</td></tr>"
        for scheme, why in outcome.failed.items()
    ]
    boards = "".join(f"<th class=n>{escape(board)}" for board in outcome.boards)
    head = f"<tr><th>scheme<th class=n>size<th>quality<th class=n>speed<th class=n>memory{boards}<th>verdict</tr>"
    note = "<p>* no other scheme is at least as good, as fast and as small.</p>" if outcome.pareto else ""
    note += f"<p>{escape(targets_note(outcome))}.</p>" if outcome.figures else ""
    return f'<div class="wide"><table>{head}{"".join(rows)}</table></div>{note}'


def _row(one: Candidate, outcome: Outcome) -> str:
    star = " *" if one.scheme in outcome.pareto else ""
    memory = "" if one.peak_bytes is None else f"{one.peak_bytes / 1e6:.0f} MB"
    counted = (on_board_in_short(outcome.on(one.scheme, board)) for board in outcome.boards)
    return (
        f"<tr><td>{escape(one.scheme)}{star}</td><td class=n>{one.size_bytes / 1e6:.1f} MB</td>"
        f"<td>{escape(in_short(one.quality))}</td><td class=n>{one.speed.ratio:.2f}x</td><td class=n>{memory}</td>"
        f"{''.join(f'<td class=n>{cell}</td>' for cell in counted)}"
        f'<td class="{"bad" if refused(one, outcome) else "good"}">{escape(verdict(one, outcome))}</td></tr>'
    )


def _plot(candidates: Sequence[Candidate], drawing: _Drawing, budget: Budget) -> str:
    """Speed or its like to the right, loss on a logarithmic scale downwards, size as the area of a dot."""
    axes = _Axes(candidates, drawing, _bound(candidates[0], budget))
    ordered = sorted(candidates, key=lambda one: (loss_of(one.quality), one.scheme))
    dots = [axes.dot(one) for one in ordered]
    boxes = place_labels(dots, Box(_LEFT, _TOP, _RIGHT, _BOTTOM))
    places = {dot.name: dot for dot in dots}
    names = "".join(_name(box, places[name]) for name, box in boxes.items())
    circles = "".join(_circle(dot, drawing) for dot in dots)
    said = (f"{one.scheme} {in_short(one.quality)} {drawing.merits[one.scheme]:.2f}x" for one in ordered)
    words = f"{drawing.across}: {', '.join(said)}"
    head = f'<svg viewBox="0 0 760 380" role="img" aria-label="{escape(words)}">'
    return f"{head}{axes.lines()}{circles}{names}</svg>\n"


class _Axes:
    """Where a value lies on the page, and the lines that say so."""

    def __init__(self, candidates: Sequence[Candidate], drawing: _Drawing, bound: float) -> None:
        losses = [max(loss_of(one.quality), _LEAST_LOSS) for one in candidates] + [max(bound, _LEAST_LOSS)]
        self._bound, self._drawing = bound, drawing
        self._low, self._high = math.floor(math.log10(min(losses))), math.ceil(math.log10(max(losses)) + 1e-9)
        self._high = max(self._high, self._low + 1)
        self._fastest = _ROOM * max(1.0, *drawing.merits.values())
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
        across = self._drawing.merits[one.scheme]
        return Dot(one.scheme, self.x(across), self.y(loss_of(one.quality)), 3 + 10 * math.sqrt(one.size_ratio))

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
        parts += [_text((_LEFT + _RIGHT) / 2, _BOTTOM + 40, self._drawing.across, "middle")]
        return "".join(parts) + _text(4, _BOTTOM + 40, self._what, "start")


def _name(box: Box, dot: Dot) -> str:
    """A dot's name, held at the end that is next to the dot: fonts differ in width from what was reckoned with."""
    if box.right <= dot.x:
        return _text(box.right, baseline(box), dot.name, "end")
    return _text(box.left, baseline(box), dot.name, "start")


def _circle(dot: Dot, drawing: _Drawing) -> str:
    chosen = dot.name == drawing.chosen
    colour = "var(--good)" if chosen else "var(--bad)" if dot.name in drawing.bad else "var(--int8)"
    fill = colour if chosen or dot.name in drawing.pareto else "none"
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
