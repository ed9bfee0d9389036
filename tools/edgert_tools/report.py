"""What a conversion measured: as JSON for machines, in short for a terminal; `report_page.py` makes the page."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.bundle.manifest import Manifest, Source, TaskSpec
from edgert_tools.arm.figures import OnBoard
from edgert_tools.budget import Candidate, in_short
from edgert_tools.quantization.outcome import Outcome, on_board_in_short, targets_note, verdicts_table
from edgert_tools.quantization.scheme import facts_of
from edgert_tools.recipe import Recipe

SCHEMA = "edgert.report/1"
_DETAILS = ("confusions", "by_label", "by_length")  # for report.json: a board has no use for them


@dataclass(frozen=True)
class Report:
    """Everything about one conversion."""

    recipe: Recipe
    source: Source
    task: TaskSpec
    outcome: Outcome
    float_bytes: int
    data: str
    calibration_texts: int
    train_texts: int
    dropped: tuple[tuple[str, int], ...]
    fusion: str
    opset: int
    machine: Mapping[str, object]
    lock: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def chosen(self) -> Candidate:
        """The candidate in the bundle."""
        return self.outcome.taken


def as_json(report: Report) -> str:
    """All of it as the text of `report.json`."""
    plain: dict[str, Any] = {"schema": SCHEMA, **dataclasses.asdict(report)}
    outcome = plain.pop("outcome")
    plain |= {name: outcome[name] for name in ("candidates", "chosen", "pareto", "failed", "forms")}
    plain["targets"] = targets_as_plain(report.outcome)
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def targets_as_plain(outcome: Outcome) -> dict[str, object]:
    """By scheme and target what was counted, as JSON data."""
    return {
        scheme: {one.board: _counted(one) for one in figures} for scheme, figures in sorted(outcome.figures.items())
    }


def measured(report: Report, scheme: str = "") -> dict[str, object]:
    """The numbers of a scheme, else of the chosen one, that go into its manifest."""
    chosen = report.outcome.of(scheme) if scheme else report.chosen
    figures = report.outcome.figures.get(chosen.scheme, ())
    quality = {name: value for name, value in dataclasses.asdict(chosen.quality).items() if name not in _DETAILS}
    return {
        "data": report.data,
        "quality": quality,
        "size": {
            "float_bytes": report.float_bytes,
            "int8_bytes": chosen.size_bytes,
            "ratio": round(chosen.size_ratio, 4),
        },
        **({} if chosen.peak_bytes is None else {"peak_bytes": chosen.peak_bytes}),
        "speed": {name: _rounded(value) for name, value in dataclasses.asdict(chosen.speed).items()},
        **({"boards": {one.board: _counted(one) for one in figures if not one.misses}} if figures else {}),
        "graph": {"opset": report.opset, "fusion": report.fusion},
        "machine": dict(report.machine),
    }


def summary(report: Report, manifest: Manifest, folder: Path) -> str:
    """A few plain lines for a terminal."""
    chosen, quality = report.chosen, report.chosen.quality
    lines = [
        f"{manifest.name} {manifest.version}: {manifest.task.name}, {chosen.scheme}",
        f"  size      {report.float_bytes / 1e6:.1f} MB float32 -> {chosen.size_bytes / 1e6:.1f} MB int8 "
        f"({chosen.size_ratio:.1%})",
        f"  quality   {in_short(quality)}, on {quality.texts} texts",
        f"  speed     {speed_words(chosen)}",
        *target_lines(report.outcome),
    ]
    outcome = report.outcome
    if len(outcome.candidates) + len(outcome.failed) > 1:
        tried = verdicts_table(outcome)
        lines += ["", *("  " + line for line in tried.splitlines())]
        lines += ["  * no other is as good, as fast and as small", ""] if outcome.pareto else [""]
    if facts_of(chosen.scheme).caution:
        lines.append(f"  caution   {facts_of(chosen.scheme).caution}")
    lines += [f"  bundle    {folder}  ({manifest.size_bytes / 1e6:.1f} MB)", f"  report    {folder / 'report.html'}"]
    return "\n".join(lines)


def target_lines(outcome: Outcome) -> list[str]:
    """What each target gets, and what its figures are; nothing without targets."""
    lines = []
    for board in outcome.boards:
        scheme = outcome.scheme_for(board)
        found = outcome.on(scheme, board) if scheme is not None else None
        if found is not None:
            lines.append(f"  {board:9} {scheme}, {on_board_in_short(found)} float's instructions")
    return [*lines, f"            {targets_note(outcome)}"] if lines else []


def speed_words(candidate: Candidate) -> str:
    """Faster or slower than float, said plainly."""
    speed = candidate.speed
    times = f"{speed.float_ms:.1f} ms float32 -> {speed.int8_ms:.1f} ms int8 a text, one thread, here"
    if speed.ratio < 0.98:
        return f"{times}: int8 is SLOWER than float on this machine ({speed.ratio:.2f}x its speed)"
    return f"{times} ({speed.ratio:.2f}x float's speed)"


def _counted(one: OnBoard) -> dict[str, object]:
    return {
        "instructions": one.instructions,
        "float_instructions": one.float_instructions,
        "ratio": round(one.ratio, 4),
        "tokens": one.tokens,
        "cosine": round(one.cosine, 6),
        "exact": one.exact,
        "basis": one.basis,
    }


def _rounded(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value
