"""Does the board read what the reference reads? Our OCR against RapidOCR with the same graphs, and both against truth.

    python -m benchmarks.ocr [--bundle DIR] [--pages 25] [--fonts FOLDER]... [--json] [--output FILE]

Pages are rendered here, 24 lines each, in all fonts of the folders. Lines of both are matched by where they are.
"agreement" is 1 - edits / characters (Levenshtein); "letters" is the same without spaces, which this recogniser often
leaves out, and which come and go when a line is cut a pixel wider: RapidOCR, asked again with one line a batch, is the
measure of that. A line that one of the two lacks counts whole; "lines of both" leaves such lines out. The peer gets an
environment of its own on first use.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.corpora import corpus
from benchmarks.pictures.pages import Page, fonts_in, pages
from benchmarks.service_parts.peer_venv import NoPeer, peer_python
from benchmarks.serving import DEFAULT_BUNDLE, recipe_bundle
from benchmarks.table import show
from edge_runtime.model import Model, PlainAsked, open_model

APP = Path(__file__).resolve().parent / "pictures" / "rapidocr_app.py"
FONTS = Path("/usr/share/fonts")
RECIPE = "ocr-ppocrv4"
PEER = ("rapidocr-onnxruntime==1.4.4", f"onnxruntime=={version('onnxruntime')}")


@dataclass(frozen=True)
class Line:
    """A line as somebody read it, and its middle."""

    text: str
    x: float
    y: float


@dataclass
class Agreement:
    """Edits between two readings, of so many characters and lines; `alone`: lines that only one of them has."""

    lines: int = 0
    alone: int = 0
    characters: int = 0
    edits: int = 0
    letters: int = 0
    letter_edits: int = 0

    def add(self, ours: str | None, theirs: str | None) -> None:
        """Count a pair; None: there is no such line."""
        self.lines += 1
        self.alone += ours is None or theirs is None
        self.characters += len(theirs or "")
        self.edits += edits(ours or "", theirs or "")
        one, other = ("".join((text or "").split()) for text in (ours, theirs))
        self.letters += len(other)
        self.letter_edits += edits(one, other)

    def row(self, what: str) -> dict[str, object]:
        """A row of the table."""
        share = 1 - self.edits / max(self.characters, 1)
        return {"what": what, "lines": self.lines, "alone": self.alone, "characters": self.characters,
                "edits": self.edits, "agreement": f"{share:.2%}",
                "letters": f"{1 - self.letter_edits / max(self.letters, 1):.2%}"}  # fmt: skip


def main() -> None:
    """Read the options, render, read twice, compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ocr", description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", type=Path, default=DEFAULT_BUNDLE.parent / RECIPE, help="made if missing")
    parser.add_argument("--pages", type=int, default=25, help="of 24 lines each; default 25")
    parser.add_argument("--fonts", type=Path, action="append", help=f"folder of TrueType fonts; default {FONTS}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--output", type=Path, help="also write the JSON here")
    options = parser.parse_args()
    fonts = fonts_in(options.fonts or [FONTS])
    if not fonts:
        print("not measured: there are no TrueType fonts here; on Debian: apt-get install fonts-dejavu-core")
        return
    try:
        peer = peer_python("rapidocr", PEER)
    except NoPeer as error:
        print(f"not measured: {error}")
        return
    bundle = recipe_bundle(RECIPE, options.bundle)
    words = " ".join(corpus.english().texts).split()
    rendered = list(pages(words, fonts, options.pages))
    (theirs, again), ours = _theirs(peer, rendered), _ours(open_model(bundle), rendered)
    between, our_truth, their_truth = compare(rendered, ours, theirs)
    both = Agreement()
    for mine, yours in zip(ours, theirs, strict=True):
        for one, other in matched(mine, yours):
            if one is not None and other is not None:
                both.add(one, other)
    rows = [between.row("ours, RapidOCR"), both.row("ours, RapidOCR, lines of both")]
    rows += [compare(rendered, again, theirs)[0].row("RapidOCR one by one, RapidOCR")]
    rows += [our_truth.row("ours, truth"), their_truth.row("RapidOCR, truth")]
    conditions = {"fonts": len(fonts), "pages": len(rendered)}
    show("ocr", rows, as_json=options.json, output=options.output, conditions=conditions)


def compare(
    rendered: Sequence[Page], ours: Sequence[Sequence[Line]], theirs: Sequence[Sequence[Line]]
) -> tuple[Agreement, Agreement, Agreement]:
    """Ours with theirs, ours with the truth, theirs with the truth."""
    between, our_truth, their_truth = Agreement(), Agreement(), Agreement()
    for page, mine, yours in zip(rendered, ours, theirs, strict=True):
        for one, other in matched(mine, yours):
            between.add(one, other)
        for total, lines in ((our_truth, mine), (their_truth, yours)):
            # What is found in several pieces, from the left, is one line.
            by_line: list[list[Line]] = [[] for _ in page.lines]
            for line in lines:
                nearest = min(range(len(page.lines)), key=lambda number: abs(page.lines[number][1] - line.y))
                by_line[nearest].append(line)
            for (text, _), parts in zip(page.lines, by_line, strict=True):
                total.add(" ".join(part.text for part in sorted(parts, key=lambda part: part.x)) or None, text)
    return between, our_truth, their_truth


def matched(ours: Sequence[Line], theirs: Sequence[Line]) -> list[tuple[str | None, str | None]]:
    """Pairs of lines whose middles are within 8 and 40 pixels of each other; what has no partner, with None."""
    left, pairs = list(ours), list[tuple[str | None, str | None]]()
    for line in theirs:
        near = [one for one in left if abs(one.y - line.y) < 8 and abs(one.x - line.x) < 40]
        partner = min(near, key=lambda one: abs(one.x - line.x), default=None)
        if partner is not None:
            left.remove(partner)
        pairs.append((partner.text if partner else None, line.text))
    return pairs + [(line.text, None) for line in left]


def edits(a: str, b: str) -> int:
    """Insertions, deletions and replacements that lead from one text to the other (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (one != other))
    return row[-1]


def _ours(model: Model, rendered: Sequence[Page]) -> list[list[Line]]:

    found = []
    for page in rendered:
        asked = PlainAsked(raw=page.png, media_type="image/png")
        row = model.answer([asked]).answers[0].rows()[0]
        found.append(_lines(row["lines"]))
    return found


def _theirs(python: Path, rendered: Sequence[Page]) -> list[list[list[Line]]]:
    """What the peer reads with six lines a batch, as it comes, and with one."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.png" for number in range(len(rendered))]
        for file, page in zip(files, rendered, strict=True):
            file.write_bytes(page.png)
        done = subprocess.run([python, APP, *files], stdout=subprocess.PIPE, text=True, check=True)
    return [[_lines(page) for page in way] for way in json.loads(done.stdout.splitlines()[-1])]


def _lines(found: object) -> list[Line]:
    assert isinstance(found, list)
    lines = []
    for one in found:
        xs, ys = zip(*one["box"], strict=True)
        lines.append(Line(one["text"], sum(xs) / 4, sum(ys) / 4))
    return lines


if __name__ == "__main__":
    main()
