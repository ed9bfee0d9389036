"""Parts of the pages about speech models, models that write and ONNX graphs: where they are from, what was tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from edge_runtime.bundle.manifest import Source
from edgert_tools.report_page import facts_table, section


@dataclass(frozen=True)
class TriedRow:
    """A form that was tried, in words; `kind`: good, bad or neither."""

    scheme: str
    size: str
    quality: str
    speed: str
    verdict: str
    kind: str = ""

    @classmethod
    def judged(cls, scheme: str, size_bytes: int, quality: str, speed: float, misses: Iterable[str]) -> TriedRow:
        """One that was taken, or is outside the budget for these reasons."""
        missed = "; ".join(misses)
        size, ratio = f"{size_bytes / 1e6:.1f} MB", f"{speed:.2f}x"
        return cls(scheme, size, quality, ratio, missed or "taken", "bad" if missed else "good")


def tried_table(rows: Iterable[TriedRow]) -> str:
    """All forms, a line each."""
    lines = "".join(
        f"<tr><td>{escape(one.scheme)}</td><td class=n>{one.size}</td><td>{escape(one.quality)}</td>"
        f'<td class=n>{one.speed}</td><td class="{one.kind}">{escape(one.verdict)}</td></tr>'
        for one in rows
    )
    head = "<tr><th>scheme<th class=n>size<th>quality<th class=n>speed<th>verdict</tr>"
    return f'<div class="wide"><table>{head}{lines}</table></div>'


def origin_table(source: Source, judged_on: str, *, of: str = "weights", **more: object) -> str:
    """Where a model comes from, with its licence; `of`: what the sha256 is of."""
    facts: dict[str, object] = {
        "model": source.model,
        "from": source.origin,
        "revision": source.revision,
        f"sha256 of the {of}": source.sha256,
        "licence": source.license,
        **more,
        "judged on": judged_on,
    }
    return facts_table(facts)


def to_know(caution: str) -> list[str]:
    """A section with what to know before the bundle is put on a board; none if there is nothing."""
    return [section("To know", f"<p>{escape(caution)}.</p>")] if caution else []
