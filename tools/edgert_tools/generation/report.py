"""What the conversion of a model that writes found: as JSON, as a page, and in short for a terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from edge_runtime.bundle.digest import content_digest
from edge_runtime.bundle.manifest import Manifest, Source
from edgert_tools.generation.judge import DecoderQuality, in_short
from edgert_tools.generation.recipe import DecoderRecipe
from edgert_tools.quantization.scheme import SchemeFacts
from edgert_tools.report_page import bar_chart, document, facts_table, section
from edgert_tools.report_parts import TriedRow, origin_table, to_know, tried_table
from edgert_tools.timing import Speed

SCHEMA = "edgert.generate-report/1"


@dataclass(frozen=True)
class TriedForm:
    """One form; `misses` says what it misses of the budget. `shared`: embedding and head are one table."""

    scheme: str
    size_bytes: int
    size_ratio: float
    shared: bool
    quality: DecoderQuality
    speed: Speed
    misses: tuple[str, ...]


@dataclass(frozen=True)
class DecoderReport:
    """Everything about one conversion. `export_gap`: the float graph's largest distance from transformers' logits."""

    recipe: DecoderRecipe
    source: Source
    scheme: str
    facts: SchemeFacts
    tried: tuple[TriedForm, ...]
    float_bytes: int
    export_gap: float
    operators: Mapping[str, int]
    data: str
    machine: Mapping[str, object]
    lock: Mapping[str, str]
    seconds: Mapping[str, float]

    @property
    def chosen(self) -> TriedForm:
        """The form in the bundle."""
        return next(one for one in self.tried if one.scheme == self.scheme)


def as_json(report: DecoderReport) -> str:
    """All of it as the text of `report.json`."""
    return json.dumps({"schema": SCHEMA, **dataclasses.asdict(report)}, indent=1, ensure_ascii=False) + "\n"


def measured(report: DecoderReport) -> dict[str, object]:
    """The numbers that go into the manifest."""
    chosen = report.chosen
    quality = {**dataclasses.asdict(chosen.quality), "perplexity_rise": chosen.quality.perplexity_rise}
    return {
        "data": report.data,
        "quality": _rounded(quality),
        "size": {
            "float_bytes": report.float_bytes,
            "int8_bytes": chosen.size_bytes,
            "ratio": round(chosen.size_ratio, 4),
        },
        "speed": _rounded({**dataclasses.asdict(chosen.speed), "unit": "a written token"}),
        "graph": {"export_gap": float(f"{report.export_gap:.3g}"), "embedding_shared": chosen.shared},
        "machine": dict(report.machine),
    }


def line_of(one: TriedForm) -> str:
    """What came of a form, on one line."""
    verdict = "misses " + "; ".join(one.misses) if one.misses else "within the budget"
    return (
        f"{one.scheme:11} {one.size_bytes / 1e6:.1f} MB ({one.size_ratio:.1%})  {in_short(one.quality)}  "
        f"{one.speed.ratio:.2f}x float's speed  {verdict}"
    )


def summary(report: DecoderReport, manifest: Manifest, folder: Path) -> str:
    """A few plain lines for a terminal."""
    chosen, speed = report.chosen, report.chosen.speed
    threads = "one thread" if speed.threads == 1 else f"{speed.threads} threads"
    lines = [
        f"{manifest.name} {manifest.version}: {manifest.task.name}, {report.scheme}",
        f"  size      {report.float_bytes / 1e6:.1f} MB float32 -> {chosen.size_bytes / 1e6:.1f} MB "
        f"({chosen.size_ratio:.1%})",
        f"  quality   {in_short(chosen.quality)}",
        f"            at {chosen.quality.places} places of {report.data}",
        f"  speed     {speed.float_ms:.1f} ms float32 -> {speed.int8_ms:.1f} ms a written token, "
        f"{threads}, here ({speed.ratio:.2f}x float's speed)",
        *[f"  refused   {line_of(one)}" for one in report.tried if one.scheme != report.scheme],
        "  served    not yet: this edgert makes and checks such bundles, its daemon does not write with them",
    ]
    if report.facts.caution:
        lines.append(f"  caution   {report.facts.caution}")
    lines += [
        f"  bundle    {folder}  ({manifest.size_bytes / 1e6:.1f} MB, digest {content_digest(manifest)[:16]})",
        f"  report    {folder / 'report.html'}",
    ]
    return "\n".join(lines)


def page(report: DecoderReport) -> str:
    """The whole HTML document."""
    recipe, chosen = report.recipe, report.chosen
    lead = f"{recipe.summary}. " if recipe.summary else ""
    sizes = [("float32", report.float_bytes, "float"), (report.scheme, chosen.size_bytes, "int8")]
    times = [("float32", chosen.speed.float_ms, "float"), (report.scheme, chosen.speed.int8_ms, "int8")]
    slowest = max(time for _, time, _ in times)
    parts = [
        f"<h1>{escape(recipe.name)} <small>{escape(recipe.version)}</small></h1>",
        f'<p class="lead">{escape(f"{lead}{report.scheme}; {in_short(chosen.quality)}.")}</p>',
        section(
            "Size",
            bar_chart([(name, size / report.float_bytes, f"{size / 1e6:.1f} MB", kind) for name, size, kind in sizes]),
        ),
        section("Against float, on text that it did not see here", facts_table(_quality(report))),
        section(
            f"Time for a written token, {chosen.speed.threads} thread(s)",
            bar_chart([(name, time / slowest, f"{time:.1f} ms", kind) for name, time, kind in times]),
        ),
        section("What was tried", _tried(report)),
        *to_know(report.facts.caution),
        section("Operators of the graph", facts_table(report.operators)),
        section("Where it comes from", origin_table(report.source, report.data)),
        section("Measured on", facts_table(report.machine)),
        section("Made with", facts_table(report.lock)),
    ]
    return document(recipe.name, parts)


def _quality(report: DecoderReport) -> dict[str, object]:
    quality, same = report.chosen.quality, report.chosen.quality.agreement
    return {
        "windows, places": f"{quality.windows}, {quality.places}",
        "KL divergence, mean": f"{quality.kl:.5f} nats ({quality.kl_high:.5f} in the worst window)",
        "same most likely token": f"{same.value:.1%} ({same.low:.1%} to {same.high:.1%})",
        "perplexity, float32": f"{quality.float_perplexity:.3f}",
        "perplexity, int8": f"{quality.int8_perplexity:.3f} ({quality.perplexity_rise:+.2%})",
        "float graph against transformers": f"largest difference of a logit {report.export_gap:.2g}",
    }


def _tried(report: DecoderReport) -> str:
    return tried_table(
        TriedRow.judged(one.scheme, one.size_bytes, in_short(one.quality), one.speed.ratio, one.misses)
        for one in report.tried
    )


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return float(f"{value:.5g}") if isinstance(value, float) else value
