"""A search's `report.html` as a browser shows it: a picture is taken and looked at, and the plots are measured."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgert_tools import conversion
from edgert_tools.convert import convert
from edgert_tools.settings import Options
from edgert_tools.timing import Speed
from tests.tools import checkpoints

Image = pytest.importorskip("PIL.Image")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium here (Debian: apt-get install chromium)")

WIDTH, HEIGHT = 1000, 3200
SPEEDS = {"dynamic-s8": 2.2, "static-s8-smooth": 2.0, "mixed-50": 1.7, "nbits8-b32": 1.2}
INT8_BLUE = (0x17, 0x69, 0xAA)  # of the page's light colours
_MEASURE = """<pre id="measured"></pre><script>
const box = (one) => { const b = one.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
document.getElementById("measured").textContent = JSON.stringify({
  page: document.documentElement.scrollWidth,
  plots: [...document.querySelectorAll("svg")].map((svg) => ({
    box: box(svg), texts: [...svg.querySelectorAll("text")].map((text) => [text.textContent, box(text)]),
    dots: [...svg.querySelectorAll("circle")].map(box) })),
});</script></body>"""


@pytest.fixture(scope="module", params=["embed", "classify"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, bert_folder: Path) -> Path:
    """The page of a search over four schemes of a tiny real checkpoint."""
    work = tmp_path_factory.mktemp("report")
    labels, folder = None, bert_folder
    if request.param == "classify":
        folder = checkpoints.write_checkpoint(work / "classifier", task="classify")
        labels = tuple(checkpoints.LABELS)

    def watch(original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
        return {name: Speed(1, 9, 1.0, 1.0 / SPEEDS[name], SPEEDS[name]) for name in folders}

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERT_CACHE", str(work / "cache"))
        patch.setattr(conversion, "time_by_turns", watch)
        texts = checkpoints.write_texts(work / ("texts.tsv" if labels else "texts.txt"), labels)
        options = Options(schemes=tuple(SPEEDS), search=True)
        convert(str(folder), work / "bundle", options, data=texts, say=lambda line: None)
    return work / "bundle" / "report.html"


def browse(page: Path, *options: str) -> str:
    """Let Chromium show a page; what it prints."""
    assert BROWSER is not None
    profile = page.parent / "profile"
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--user-data-dir={profile}",
    ]
    command += [f"--window-size={WIDTH},{HEIGHT}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="module")
def measured(report: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Where the plots and their words lie on the page, in pixels."""
    page = tmp_path_factory.mktemp("measured") / "page.html"
    page.write_text(report.read_text("utf-8").replace("</body>", _MEASURE), "utf-8")
    found = re.search(r'<pre id="measured">(.*?)</pre>', browse(page, "--dump-dom"), re.DOTALL)
    assert found is not None
    said: dict[str, Any] = json.loads(unescape(found[1]))
    return said


def test_the_page_shows_its_plots_in_their_colours(report: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    shutil.copy(report, page)
    browse(page, f"--screenshot={tmp_path / 'page.png'}")
    with Image.open(tmp_path / "page.png") as picture:
        pixels = np.asarray(picture.convert("RGB"), np.int16)
    assert pixels.shape == (HEIGHT, WIDTH, 3)
    blue = np.abs(pixels - np.array(INT8_BLUE)).max(axis=2) < 8
    dark = pixels.max(axis=2) < 100
    assert blue.sum() > 2000  # bars and points, not a few pixels of a border
    assert 0.003 < dark.mean() < 0.2  # text is there, and the page is no black square
    assert dark[: HEIGHT // 8].any()


def test_nothing_is_wider_than_the_page(measured: dict[str, Any]) -> None:
    assert measured["page"] <= WIDTH
    assert len(measured["plots"]) >= 3
    for plot in measured["plots"]:
        left, top, right, bottom = plot["box"]
        assert 0 <= left < right <= WIDTH
        assert bottom - top > 20


def test_words_of_a_plot_lie_inside_it_and_over_nothing(measured: dict[str, Any]) -> None:
    for plot in measured["plots"]:
        left, top, right, bottom = plot["box"]
        for words, (x0, y0, x1, y1) in plot["texts"]:
            assert left - 1 <= x0 <= x1 <= right + 1, words
            assert top - 1 <= y0 <= y1 <= bottom + 1, words
        for place, (words, box) in enumerate(plot["texts"]):
            for others, other in plot["texts"][place + 1 :]:
                assert not _covers(box, other), (words, others)
            for dot in plot["dots"]:
                assert not _covers(box, dot), (words, dot)


def _covers(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two boxes share more than the air around their letters."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width > 2 and height > 6
