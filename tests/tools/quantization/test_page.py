"""The plot and the table of what was tried."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from edgert_tools.quantization.labels import Box, Dot, place_labels
from edgert_tools.quantization.outcome import Outcome
from edgert_tools.quantization.page import tried
from edgert_tools.quantization.targets import Form
from edgert_tools.recipe import Budget
from tests.tools.arm.counted import figures
from tests.tools.quantization.candidates import candidate

MADE = (
    candidate("dynamic-s8", 0.992, 2.2, 228, ("cosine mean 0.99200, at least 0.999",)),
    candidate("static-s8-smooth", 0.9992, 2.1),
    candidate("rows-s8-smooth", 0.9991, 2.1),
    candidate("nbits8-b32", 0.9996, 1.2, 289),
    candidate("qdq-u8s8-minmax-all", 0.3, 2.0, 230, ("cosine mean",)),
)
OUTCOME = Outcome(
    MADE, "static-s8-smooth", Path("x"), ("static-s8-smooth", "nbits8-b32"), {"nbits4-b32": "<odd> width"}
)


def svg(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


def test_faster_is_right_better_is_up_and_smaller_is_smaller() -> None:
    dots = list(svg(tried(OUTCOME, Budget())).iter("circle"))
    assert len(dots) == 5
    by_loss = sorted(MADE, key=lambda one: -one.quality.cosine_mean)  # type: ignore[union-attr]
    heights = [float(dot.get("cy", "")) for dot in dots]
    assert heights == sorted(heights)
    places = {one.scheme: dot for one, dot in zip(by_loss, dots, strict=True)}
    assert float(places["nbits8-b32"].get("cx", "")) < float(places["dynamic-s8"].get("cx", ""))
    assert float(places["nbits8-b32"].get("r", "")) > float(places["dynamic-s8"].get("r", ""))
    assert places["static-s8-smooth"].get("fill") == "var(--good)"
    assert places["rows-s8-smooth"].get("fill") == "none"


def crowd(count: int) -> list[Dot]:
    rng = np.random.default_rng(5)
    return [Dot(f"mixed-rows-{n}", *rng.uniform((300, 100), (420, 200)), 8.0) for n in range(count)]


def test_names_cover_neither_dots_nor_each_other_and_stay_on_the_page() -> None:
    page, dots = Box(0, 0, 740, 330), crowd(12)
    boxes = place_labels(dots, page)
    for name, box in boxes.items():
        assert box.inside(page), name
        assert not any(box.covers(other) for key, other in boxes.items() if key != name)
        circles = (Box(dot.x - 8, dot.y - 8, dot.x + 8, dot.y + 8) for dot in dots)
        assert not any(box.covers(circle) for circle in circles)


def test_a_lonely_name_is_right_of_its_dot_and_left_of_it_at_the_edge() -> None:
    page = Box(0, 0, 740, 330)
    assert place_labels([Dot("mixed", 100, 100, 8)], page)["mixed"].left == 112
    assert place_labels([Dot("mixed", 735, 100, 8)], page)["mixed"].right == 723


def test_the_plot_has_a_name_for_every_dot() -> None:
    drawing = svg(tried(OUTCOME, Budget()))
    names = [text.text for text in drawing.iter("text") if text.text in {one.scheme for one in MADE}]
    assert sorted(names) == sorted(one.scheme for one in MADE)


def test_the_table_has_every_scheme_with_its_verdict_and_escapes_reasons() -> None:
    page = tried(OUTCOME, Budget())
    rows = re.findall(r"<tr><td>([^<]*)</td>.*?<td class=\"?\w+\"?>([^<]*)</td></tr>", page)
    assert [row[0] for row in rows] == [
        "dynamic-s8", "static-s8-smooth *", "rows-s8-smooth", "nbits8-b32 *", "qdq-u8s8-minmax-all", "nbits4-b32",
    ]  # fmt: skip
    assert rows[1][1] == "taken"
    assert rows[2][1] == "within the budget"
    assert "&lt;odd&gt; width" in page
    assert "<odd>" not in page


def test_one_candidate_needs_no_plot_and_a_perfect_one_can_be_drawn() -> None:
    assert "<svg" not in tried(Outcome(MADE[:1], "dynamic-s8", Path("x")), Budget())
    perfect = (candidate("nbits8-b32", 1.0, 0.7), candidate("nbits8-b64", 1.0, 0.6))
    assert len(list(svg(tried(Outcome(perfect, "nbits8-b32", Path("x")), Budget(cosine_mean=1.0))).iter("circle"))) == 2


FOR_TARGETS = dataclasses.replace(
    OUTCOME,
    chosen="rows-s8-smooth",
    figures=figures(
        {
            "static-s8-smooth": {"pi4": 1.2, "pi5": 0.5},
            "rows-s8-smooth": {"pi4": 0.9, "pi5": 0.6},
            "nbits8-b32": {"pi4": 4.1, "pi5": 0.7},
        }
    ),
    forms=(
        Form("static-s8-smooth", ("pi5",), ("cpu-aarch64-dotprod",)),
        Form("rows-s8-smooth", ("pi4",), ("cpu-aarch64",)),
    ),
)


def test_each_target_has_a_plot_of_its_instructions_with_its_own_choice() -> None:
    plots = re.findall(r"<svg.*?</svg>", tried(FOR_TARGETS, Budget()), re.S)
    assert [re.search(r'aria-label="(\w+)', plot)[1] for plot in plots] == ["speed", "pi4", "pi5"]  # type: ignore[index]
    assert [plot.count("<circle") for plot in plots] == [5, 3, 3]
    assert ["var(--good)" in plot for plot in plots] == [False, True, True]
    refused = [dot for dot in re.findall(r"<circle[^>]*>", plots[1]) if "var(--bad)" in dot]
    assert len(refused) == 2


def test_the_table_has_each_targets_instructions_and_says_that_they_are_no_time() -> None:
    page = tried(FOR_TARGETS, Budget())
    assert "<th class=n>pi4<th class=n>pi5<th>verdict" in page
    assert "<td class=n>410.0 M (4.1x)</td><td class=n>70.0 M (0.70x)</td>" in page
    assert "taken for pi5; 1.20x float&#x27;s instructions on pi4" in page
    assert "Emulated (pi4: QEMU 7.2.22, cortex-a72; pi5: QEMU 7.2.22, cortex-a76): instructions, not time." in page
    assert page.count("<td class=n></td>") >= 4  # what missed the budget was not counted
