"""The report as one HTML page that needs nothing else: no script, no network, bars as SVG inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from edgert_tools.arm.figures import millions
from edgert_tools.budget import Candidate, in_short
from edgert_tools.evaluate import AnswerQuality, ClassifyQuality, EmbedQuality, Quality, Share
from edgert_tools.quantization.outcome import Outcome, on_board_in_short, targets_note
from edgert_tools.quantization.page import tried
from edgert_tools.quantization.scheme import facts_of
from edgert_tools.report import Report

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2733; --soft: #5d6b7a; --line: #d9dfe6; --ground: #fff; --int8: #1769aa;
  --float: #9aa8b7; --bad: #b3372c; --good: #2c7a3f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --soft: #9aa8b7; --line: #36424f; --ground: #151b22;
  --int8: #5aa9e6; --float: #66788a; --bad: #f08a80; --good: #7cc98f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 60rem;
  margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
p.lead { color: var(--soft); margin: .3rem 0 1.5rem; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top; } td.n, th.n { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; } td:first-child { white-space: nowrap; }
table.facts td:first-child { width: 14rem; }
.bad { color: var(--bad); } .good { color: var(--good); } code { font-size: .85em; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; display: block; } svg text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.wide { overflow-x: auto; }
"""
_BAR_X, _BAR_WIDTH, _ROW = 150, 400, 30
_WIDE_NAMES = 190  # where bars with longer names begin
_MOST_LABELS = 20  # in the chart of labels: the worst


def page(report: Report) -> str:
    """The whole HTML document."""
    name = escape(report.recipe.name)
    parts = [
        f"<h1>{name} <small>{escape(report.recipe.version)}</small></h1>",
        f'<p class="lead">{escape(_lead(report))}</p>',
        section("Size", bar_chart(_size_bars(report))),
        section(*_quality(report)),
        section("Speed, one text at a time on one thread", bar_chart(_speed_bars(report.chosen)) + _speed_note(report)),
        *_targets(report.outcome),
        section("What was tried", tried(report.outcome, report.recipe.budget)),
        *_by_label(report.chosen.quality),
        *_by_length(report.chosen.quality),
        *_confusions(report.chosen.quality),
        section("Where it comes from", facts_table(_origin(report))),
        section("Measured on", facts_table(report.machine)),
        section("Made with", facts_table(report.lock)),
    ]
    return document(report.recipe.name, parts)


def document(title: str, parts: Sequence[str]) -> str:
    """A whole HTML document of parts that are HTML already."""
    name = escape(title)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>'
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head><body>\n' + (
        "\n".join(parts) + "\n</body></html>\n"
    )


def _lead(report: Report) -> str:
    chosen = report.chosen
    summary = f"{report.recipe.summary}. " if report.recipe.summary else ""
    return (
        f"{summary}{chosen.scheme}, {chosen.size_bytes / 1e6:.1f} MB; {in_short(chosen.quality)}, judged on "
        f"{chosen.quality.texts} texts: {report.data}."
    )


def _size_bars(report: Report) -> list[tuple[str, float, str, str]]:
    chosen = report.chosen
    return [
        ("float32", 1.0, f"{report.float_bytes / 1e6:.1f} MB", "float"),
        ("int8", chosen.size_ratio, f"{chosen.size_bytes / 1e6:.1f} MB ({chosen.size_ratio:.1%})", "int8"),
    ]


def _speed_bars(candidate: Candidate) -> list[tuple[str, float, str, str]]:
    speed = candidate.speed
    longest = max(speed.float_ms, speed.int8_ms)
    return [
        ("float32", speed.float_ms / longest, f"{speed.float_ms:.2f} ms", "float"),
        ("int8", speed.int8_ms / longest, f"{speed.int8_ms:.2f} ms", "int8"),
    ]


def _speed_note(report: Report) -> str:
    speed = report.chosen.speed
    caution = facts_of(report.chosen.scheme).caution
    kind, word = ("bad", "slower") if speed.ratio < 0.98 else ("", "faster" if speed.ratio > 1.02 else "as fast")
    return (
        f'<p class="{kind}">On this machine int8 is {word}: {speed.ratio:.2f} times float\'s speed, the median of '
        f"{speed.pairs} pairs taken by turns. Other processors have other kernels; measure on yours.</p>"
        + (f"<p>{escape(caution)}.</p>" if caution else "")
    )


def _targets(outcome: Outcome) -> list[str]:
    """What each target gets, with bars of its instructions beside float's; nothing without targets."""
    bars = []
    for board in outcome.boards:
        scheme = outcome.scheme_for(board) or ""
        found = outcome.on(scheme, board)
        if found is not None:
            longest = max(found.instructions, found.float_instructions)
            whole, part = found.float_instructions / longest, found.instructions / longest
            bars.append((f"{board}, float32", whole, millions(found.float_instructions), "float"))
            bars.append((f"{board}, int8", part, f"{on_board_in_short(found)}, {scheme}", "int8"))
    if not bars:
        return []
    note = f"<p>{escape(targets_note(outcome))}.</p>"
    return [section("Instructions on the targets", bar_chart(bars) + note + _likeness(outcome))]


def _likeness(outcome: Outcome) -> str:
    """How near the answers on the targets are to those here."""
    rows = [
        (board, scheme, found)
        for board in outcome.boards
        if (scheme := outcome.scheme_for(board)) and (found := outcome.on(scheme, board))
    ]
    facts = {
        f"{scheme} on {board}": "equal to this machine's, bit for bit"
        if found.exact
        else f"cosine {found.cosine:.6f} to this machine's, the worst"
        for board, scheme, found in rows
    }
    return facts_table(facts)


def _quality(report: Report) -> tuple[str, str]:
    quality = report.chosen.quality
    if isinstance(quality, EmbedQuality):
        return "Likeness of int8 and float vectors", _embedding_quality(quality)
    if isinstance(quality, AnswerQuality):
        return "Answers", answer_quality(quality)
    return "Labels", _label_quality(quality)


def _embedding_quality(quality: EmbedQuality) -> str:
    rows = {
        "mean": quality.cosine_mean,
        "median": quality.cosine_p50,
        "10th percentile": quality.cosine_p10,
        "1st percentile": quality.cosine_p1,
        "worst": quality.cosine_min,
    }
    # The whole bar is cosine 0.98 to 1: from 0 all bars would look full.
    bars = [(name, max(0.0, (value - 0.98) / 0.02), f"{value:.5f}", "int8") for name, value in rows.items()]
    neighbour = _share(quality.same_neighbour)
    between = f"{quality.cosine_mean_interval.low:.5f} to {quality.cosine_mean_interval.high:.5f}"
    note = (
        f"Cosine of both vectors of a text; bars run from 0.98 to 1. 95 % interval of the mean: {between}. "
        f"Same nearest other text: {neighbour}."
    )
    return bar_chart(bars) + f"<p>{escape(note)}</p>"


def _label_quality(quality: ClassifyQuality) -> str:
    bars = [("same label", quality.agreement.value, _share(quality.agreement), "int8")]
    note = ""
    if quality.float_accuracy and quality.int8_accuracy and quality.mean_label_accuracy is not None:
        bars = [
            ("float32 right", quality.float_accuracy.value, _share(quality.float_accuracy), "float"),
            ("int8 right", quality.int8_accuracy.value, _share(quality.int8_accuracy), "int8"),
            *bars,
        ]
        note = (
            f"<p>int8 loses {quality.accuracy_drop_points:.2f} percentage points; each label counted the same it is "
            f"right on {quality.mean_label_accuracy:.1%}. In brackets: 95 % interval.</p>"
        )
    return bar_chart(bars) + note


def answer_quality(quality: AnswerQuality) -> str:
    """How often int8 says the same, and how often both are right, overall and by label."""
    bars = [(f"same {quality.same}", quality.agreement.value, _share(quality.agreement), "int8")]
    note = ""
    if quality.float_accuracy and quality.int8_accuracy:
        bars = [
            (f"float32 {quality.measure}", quality.float_accuracy.value, _share(quality.float_accuracy), "float"),
            (f"int8 {quality.measure}", quality.int8_accuracy.value, _share(quality.int8_accuracy), "int8"),
            *bars,
        ]
        note = f"<p>int8 loses {quality.accuracy_drop_points:.2f} points. In brackets: 95 % interval.</p>"
    rows = "".join(
        f"<tr><td>{escape(one.label)}</td><td class=n>{one.count}</td><td class=n>{one.float_f1:.1%}</td>"
        f"<td class=n>{one.int8_f1:.1%}</td></tr>"
        for one in quality.by_label
    )
    head = "<tr><th>label<th class=n>entities<th class=n>float32 F1<th class=n>int8 F1</tr>"
    return bar_chart(bars) + note + (f'<div class="wide"><table>{head}{rows}</table></div>' if rows else "")


def _by_label(quality: Quality) -> list[str]:
    """Both models' bars for the labels that int8 gets right least often."""
    if not isinstance(quality, ClassifyQuality) or len(quality.by_label) < 2:
        return []
    worst = sorted(quality.by_label, key=lambda one: (one.int8_accuracy, one.label))[:_MOST_LABELS]
    bars = []
    for one in worst:
        bars.append((one.label, one.float_accuracy, f"{one.float_accuracy:.1%} of {one.count}", "float"))
        bars.append(("", one.int8_accuracy, f"{one.int8_accuracy:.1%}", "int8"))
    left = len(quality.by_label) - len(worst)
    note = f" The {left} other labels are right at least as often." if left else ""
    return [section("Right, by label", bar_chart(bars) + f"<p>Grey is float32, blue int8.{note}</p>")]


def _by_length(quality: Quality) -> list[str]:
    """How like float int8 is on short and on long texts."""
    if len(quality.by_length) < 2:
        return []
    cosine = isinstance(quality, EmbedQuality)
    bars = [
        (
            f"up to {one.characters} characters",
            max(0.0, (one.score - 0.98) / 0.02) if cosine else one.score,
            f"{f'{one.score:.5f}' if cosine else f'{one.score:.2%}'} on {one.texts} texts",
            "int8",
        )
        for one in quality.by_length
    ]
    what = "Mean cosine to float32; bars run from 0.98 to 1." if cosine else "The share answered as float32 answers."
    return [section("By the text's length", bar_chart(bars, _WIDE_NAMES) + f"<p>{what}</p>")]


def _confusions(quality: Quality) -> list[str]:
    if not isinstance(quality, ClassifyQuality) or not quality.confusions:
        return []
    rows = "".join(
        f"<tr><td>{escape(item.label)}</td><td>{escape(item.taken_for)}</td><td class=n>{item.count}</td></tr>"
        for item in quality.confusions
    )
    head = "<tr><th>is<th>taken for<th class=n>texts</tr>"
    return [section("What int8 gets wrong most", f'<div class="wide"><table>{head}{rows}</table></div>')]


def _origin(report: Report) -> dict[str, object]:
    source = report.source
    facts: dict[str, object] = {
        "model": source.model,
        "fetched from": source.origin,
        "revision": source.revision,
        "sha256 of the weights": source.sha256,
        "licence": source.license,
        "graph": f"opset {report.opset}; {report.fusion}",
        "judged on": report.data,
    }
    if report.calibration_texts:
        facts["calibrated on"] = f"{report.calibration_texts} other texts"
    if report.train_texts:
        facts["classifier trained on"] = f"{report.train_texts} sentences, {len(report.task.labels)} labels"
    if report.dropped:
        facts["labels left out"] = ", ".join(f"{name} ({count} sentences)" for name, count in report.dropped)
    return facts


def _share(share: Share) -> str:
    return f"{share.value:.2%} ({share.low:.1%} to {share.high:.1%})"


def section(title: str, body: str) -> str:
    """A heading, and HTML below it."""
    return f"<h2>{escape(title)}</h2>\n{body}"


def facts_table(facts: Mapping[str, object]) -> str:
    """Names and values as a table."""
    rows = "".join(
        f"<tr><td>{escape(str(k))}</td><td><code>{escape(str(v))}</code></td></tr>" for k, v in facts.items()
    )
    return f'<div class="wide"><table class="facts">{rows}</table></div>'


def bar_chart(rows: Sequence[tuple[str, float, str, str]], begin: int = _BAR_X) -> str:
    """Horizontal bars: (name, length 0 to 1, words at the end, colour); `begin`: where they begin, of 760."""
    height = _ROW * len(rows)
    words = ", ".join(f"{name} {text}" for name, _, text, _ in rows)
    body = "".join(_bar(number * _ROW, begin, *row) for number, row in enumerate(rows))
    return f'<svg viewBox="0 0 760 {height}" role="img" aria-label="{escape(words)}">{body}</svg>'


def _bar(top: int, begin: int, name: str, length: float, words: str, colour: str) -> str:
    width = max(2.0, min(length, 1.0) * _BAR_WIDTH)
    return (
        f'<text x="0" y="{top + 19}">{escape(name)}</text>'
        f'<rect x="{begin}" y="{top + 5}" width="{width:.1f}" height="20" rx="3" fill="var(--{colour})"/>'
        f'<text x="{begin + width + 8:.1f}" y="{top + 19}">{escape(words)}</text>'
    )
