"""What the conversion of a graph found: as JSON, as a page, and in short for a terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from edge_runtime.bundle.manifest import Manifest, Source, TensorSpec
from edgert_tools.evaluate import Share
from edgert_tools.existing.choose import Tried, line_of
from edgert_tools.existing.judge import OutputQuality, in_short
from edgert_tools.existing.recipe import GraphRecipe
from edgert_tools.quantization.scheme import facts_of, parse_scheme
from edgert_tools.report_page import bar_chart, document, facts_table, section
from edgert_tools.report_parts import TriedRow, origin_table, tried_table

SCHEMA = "edgert.graph-report/1"

_Bar = tuple[str, float, str, str]


@dataclass(frozen=True)
class GraphReport:
    """Everything about one graph. `data` is empty if there was nothing to judge on; `notes` are for people."""

    recipe: GraphRecipe
    source: Source
    scheme: str
    why: str
    tried: tuple[Tried, ...]
    float_bytes: int
    bundle_bytes: int
    data: str
    float_right: Share | None
    kind: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch_invariant: bool
    notes: tuple[str, ...]
    machine: Mapping[str, object]
    lock: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def chosen(self) -> Tried | None:
        """The int8 form in the bundle; None for a graph that is in it as it was."""
        return next((one for one in self.tried if one.scheme == self.scheme), None)


def as_json(report: GraphReport) -> str:
    """All of it as the text of `report.json`."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(report)}, indent=1, ensure_ascii=False) + "\n"


def measured(report: GraphReport) -> dict[str, object]:
    """The numbers that go into the manifest."""
    found: dict[str, object] = {
        "data": report.data or "none: nothing is claimed of this graph",
        "why": report.why,
        "size": {"float_bytes": report.float_bytes, "bundle_bytes": report.bundle_bytes},
        "graph": {"opset": report.opset, "kind": report.kind},
        "machine": dict(report.machine),
    }
    chosen = report.chosen
    if chosen is not None and chosen.speed is not None:
        if chosen.right is not None and report.float_right is not None:
            found["accuracy"] = {"float": round(report.float_right.value, 6), "int8": round(chosen.right.value, 6)}
        found["quality"] = [_rounded(output) for output in chosen.quality]
        found["speed"] = {name: round(value, 4) for name, value in dataclasses.asdict(chosen.speed).items()}
    return found


def summary(report: GraphReport, manifest: Manifest, folder: Path) -> str:
    """A few plain lines for a terminal."""
    chosen = report.chosen
    lines = [f"{manifest.name} {manifest.version}: {manifest.task.name}, {report.scheme} ({report.why})"]
    if chosen is not None and chosen.speed is not None:
        lines += [
            f"  size      {report.float_bytes / 1e6:.2f} MB float32 -> {chosen.size_bytes / 1e6:.2f} MB int8 "
            f"({chosen.size_ratio:.1%})",
            f"  quality   {in_short(chosen.quality)}, on {report.data}",
            *([f"  accuracy  {accuracy}"] if (accuracy := _accuracy(report)) else []),
            f"  speed     {chosen.speed.float_ms:.2f} ms float32 -> {chosen.speed.int8_ms:.2f} ms int8 a request "
            f"({chosen.speed.ratio:.2f}x float's speed)",
        ]
    else:
        lines.append(f"  size      {report.bundle_bytes / 1e6:.2f} MB, as it was given")
    lines += [f"  refused   {line_of(one)}" for one in report.tried if one.scheme != report.scheme]
    lines += [f"  note      {note}" for note in (*report.notes, *_cautions(report))]
    lines += [f"  bundle    {folder}  ({manifest.size_bytes / 1e6:.2f} MB)", f"  report    {folder / 'report.html'}"]
    return "\n".join(lines)


def page(report: GraphReport) -> str:
    """The whole HTML document."""
    recipe, chosen = report.recipe, report.chosen
    lead = f"{recipe.summary}. " if recipe.summary else ""
    parts = [
        f"<h1>{escape(recipe.name)} <small>{escape(recipe.version)}</small></h1>",
        f'<p class="lead">{escape(f"{lead}{report.scheme}: {report.why}.")}</p>',
        section("Size", bar_chart(_size_bars(report))),
    ]
    if chosen is not None and chosen.speed is not None:
        parts += [
            section("Likeness of int8 and float answers", _quality_table(chosen)),
            *([section("Right labels", f"<p>{escape(accuracy)}.</p>")] if (accuracy := _accuracy(report)) else []),
            section("Speed, one request at a time on one thread", bar_chart(_speed_bars(chosen))),
        ]
    parts += [
        section("What was tried", _tried(report)),
        *[section("To know", f"<p>{escape(note)}.</p>") for note in (*report.notes, *_cautions(report))],
        section("Inputs and outputs", facts_table(_tensors(report))),
        section(
            "Where it comes from",
            origin_table(
                report.source, report.data or "nothing", of="graph", graph=f"opset {report.opset}, {report.kind}"
            ),
        ),
        section("Measured on", facts_table(report.machine)),
        section("Made with", facts_table(report.lock)),
    ]
    return document(recipe.name, parts)


def _accuracy(report: GraphReport) -> str:
    """How many labels are right, with 95 % intervals; nothing if the truth is not known."""
    ours, theirs = report.chosen and report.chosen.right, report.float_right
    if not ours or not theirs:
        return ""
    return ", ".join(
        f"{one.value:.2%} ({one.low:.2%} to {one.high:.2%}) {name}"
        for one, name in ((theirs, "float32"), (ours, "int8"))
    )


def _cautions(report: GraphReport) -> list[str]:
    found = []
    if parse_scheme(report.scheme) is not None and facts_of(report.scheme).caution:
        found.append(facts_of(report.scheme).caution)
    if not report.batch_invariant:
        found.append("Requests of different callers are never run together: answers may depend on their neighbours")
    return found


def _size_bars(report: GraphReport) -> list[_Bar]:
    largest = max(report.float_bytes, report.bundle_bytes)
    bars: list[_Bar] = [
        ("as given", report.float_bytes / largest, f"{report.float_bytes / 1e6:.2f} MB", "float"),
    ]
    if report.chosen is not None:
        words = f"{report.bundle_bytes / 1e6:.2f} MB ({report.bundle_bytes / report.float_bytes:.1%})"
        bars.append(("int8", report.bundle_bytes / largest, words, "int8"))
    return bars


def _speed_bars(chosen: Tried) -> list[_Bar]:
    assert chosen.speed is not None
    speed = chosen.speed
    longest = max(speed.float_ms, speed.int8_ms)
    return [
        ("float32", speed.float_ms / longest, f"{speed.float_ms:.3f} ms", "float"),
        ("int8", speed.int8_ms / longest, f"{speed.int8_ms:.3f} ms ({speed.ratio:.2f}x float's speed)", "int8"),
    ]


def _quality_table(chosen: Tried) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.name)}<td class=n>{one.rows}<td>{escape(in_short((one,)).removeprefix(one.name))}</tr>"
        for one in chosen.quality
    )
    return f'<div class="wide"><table><tr><th>output<th class=n>rows<th>likeness</tr>{rows}</table></div>'


def _tried(report: GraphReport) -> str:
    if not report.tried:
        return f"<p>{escape(report.why)}.</p>"
    return tried_table(_row(one, report.scheme) for one in report.tried)


def _row(one: Tried, taken: str) -> TriedRow:
    verdict = one.failed or "; ".join(one.misses) or ("taken" if one.scheme == taken else "slower")
    speed = f"{one.speed.ratio:.2f}x" if one.speed else ""
    kind = "good" if one.scheme == taken else "bad" if one.misses or one.failed else ""
    return TriedRow(one.scheme, f"{one.size_bytes / 1e6:.2f} MB", in_short(one.quality), speed, verdict, kind)


def _tensors(report: GraphReport) -> dict[str, object]:
    sides = (("input", report.inputs), ("output", report.outputs))
    return {f"{side} {spec.name}": f"{spec.dtype} {list(spec.shape)}" for side, specs in sides for spec in specs}


def _rounded(output: OutputQuality) -> dict[str, object]:
    plain = dataclasses.asdict(output)
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in plain.items()}
