"""What the conversion of a Whisper found: as JSON, as a page, and in short for a terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, Source
from edgert_tools.quantization.scheme import SchemeFacts
from edgert_tools.report_page import bar_chart, document, facts_table, section
from edgert_tools.report_parts import TriedRow, origin_table, to_know, tried_table
from edgert_tools.speech.judge import SpeechQuality, in_short
from edgert_tools.speech.recipe import SpeechRecipe
from edgert_tools.speech.words import Points
from edgert_tools.timing import Speed

SCHEMA = "edgert.speech-report/1"

_Bar = tuple[str, float, str, str]
_Words = Callable[[float], str]


@dataclass(frozen=True)
class Tried:
    """One int8 form; `misses` says what it misses of the budget."""

    scheme: str
    size_bytes: int
    size_ratio: float
    quality: SpeechQuality
    speed: Speed
    misses: tuple[str, ...]


@dataclass(frozen=True)
class SpeechReport:
    """Everything about one Whisper. `scheme` is in the bundle, `why` says it for people."""

    recipe: SpeechRecipe
    source: Source
    scheme: str
    why: str
    facts: SchemeFacts
    tried: tuple[Tried, ...]
    float_bytes: int
    data: str
    machine: Mapping[str, object]
    lock: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def chosen(self) -> Tried | None:
        """The int8 form in the bundle; None: it holds float."""
        return next((one for one in self.tried if one.scheme == self.scheme), None)


def as_json(report: SpeechReport) -> str:
    """All of it as the text of `report.json`."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(report)}, indent=1, ensure_ascii=False) + "\n"


def measured(report: SpeechReport) -> dict[str, object]:
    """The numbers that go into the manifest."""
    found: dict[str, object] = {
        "data": report.data,
        "why": report.why,
        "size": {"float_bytes": report.float_bytes},
        "machine": dict(report.machine),
    }
    chosen = report.chosen
    if chosen is not None:
        found["quality"] = _rounded(dataclasses.asdict(chosen.quality))
        found["size"] = {
            "float_bytes": report.float_bytes,
            "int8_bytes": chosen.size_bytes,
            "ratio": round(chosen.size_ratio, 4),
        }
        found["speed"] = _rounded(dataclasses.asdict(chosen.speed))
    return found


def line_of(one: Tried) -> str:
    """What came of a scheme, on one line."""
    verdict = "misses " + "; ".join(one.misses) if one.misses else "within the budget"
    return (
        f"{one.scheme:22} {one.size_bytes / 1e6:.1f} MB ({one.size_ratio:.1%})  {in_short(one.quality)}  "
        f"{one.speed.ratio:.2f}x float's speed  {verdict}"
    )


def summary(report: SpeechReport, manifest: Manifest, folder: Path) -> str:
    """A few plain lines for a terminal."""
    chosen = report.chosen
    lines = [f"{manifest.name} {manifest.version}: {manifest.task.name}, {report.scheme} ({report.why})"]
    if chosen is not None:
        lines += [
            f"  size      {report.float_bytes / 1e6:.1f} MB float32 -> {chosen.size_bytes / 1e6:.1f} MB int8 "
            f"({chosen.size_ratio:.1%})",
            f"  quality   {in_short(chosen.quality)}",
            f"            on {chosen.quality.sounds} sounds: {report.data}",
            f"  speed     {chosen.speed.float_ms:.0f} ms float32 -> {chosen.speed.int8_ms:.0f} ms int8 a sound, "
            f"one thread, here ({chosen.speed.ratio:.2f}x float's speed)",
        ]
    lines += [f"  refused   {line_of(one)}" for one in report.tried if one.scheme != report.scheme]
    if report.facts.caution:
        lines.append(f"  caution   {report.facts.caution}")
    lines += [f"  bundle    {folder}  ({manifest.size_bytes / 1e6:.1f} MB)", f"  report    {folder / 'report.html'}"]
    return "\n".join(lines)


def page(report: SpeechReport) -> str:
    """The whole HTML document."""
    recipe, chosen = report.recipe, report.chosen
    lead = f"{recipe.summary}. " if recipe.summary else ""
    parts = [
        f"<h1>{escape(recipe.name)} <small>{escape(recipe.version)}</small></h1>",
        f'<p class="lead">{escape(f"{lead}{report.scheme}: {report.why}.")}</p>',
    ]
    if chosen is not None:
        parts += [
            section("Size", bar_chart(_pair(report.float_bytes, chosen.size_bytes, _megabytes))),
            section("Words wrong", facts_table(_quality(chosen.quality))),
            section(
                "Time for a sound, one at a time on one thread",
                bar_chart(_pair(chosen.speed.float_ms, chosen.speed.int8_ms, _milliseconds)),
            ),
        ]
    parts += [
        section("What was tried", _tried(report)),
        *to_know(report.facts.caution),
        section("Where it comes from", origin_table(report.source, report.data)),
        section("Measured on", facts_table(report.machine)),
        section("Made with", facts_table(report.lock)),
    ]
    return document(recipe.name, parts)


def _pair(first: float, second: float, words: _Words) -> Sequence[_Bar]:
    longest = max(first, second)
    return [
        ("float32", first / longest, words(first), "float"),
        ("int8", second / longest, f"{words(second)} ({second / first:.1%})", "int8"),
    ]


def _megabytes(size: float) -> str:
    return f"{size / 1e6:.1f} MB"


def _milliseconds(time_ms: float) -> str:
    return f"{time_ms:.0f} ms"


def _quality(quality: SpeechQuality) -> dict[str, object]:
    same = quality.agreement
    return {
        "sounds, words": f"{quality.sounds}, {quality.words}",
        "float32": _percent(quality.float_wer),
        "int8": _percent(quality.int8_wer),
        "int8 less float32": _percent(quality.loss_points, "points"),
        "same transcript": f"{same.value:.1%} ({same.low:.1%} to {same.high:.1%})",
    }


def _percent(points: Points, unit: str = "%") -> str:
    return f"{points.value:.2f} {unit} ({points.low:.2f} to {points.high:.2f})"


def _tried(report: SpeechReport) -> str:
    return tried_table(
        TriedRow.judged(one.scheme, one.size_bytes, in_short(one.quality), one.speed.ratio, one.misses)
        for one in report.tried
    )


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return round(value, 4) if isinstance(value, float) else value
