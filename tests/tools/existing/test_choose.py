"""int8 is shipped only if it is as good and faster, and it is said what was tried."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from edge_runtime.bundle.manifest import Limits, Source, TaskSpec, read_bundle
from edgert_tools.existing.checks import GraphFacts, check_graph, schemes_for
from edgert_tools.existing.choose import FLOAT, Choice, choose, line_of
from edgert_tools.existing.examples import Examples
from edgert_tools.existing.pack import Parts, is_batch_invariant, pack
from edgert_tools.existing.recipe import GraphBudget
from edgert_tools.existing.rows import read_examples
from edgert_tools.timing import Speed
from tests.tools.existing import graphs

ANY_SPEED = GraphBudget(speed_min=0, top1_min=0.9)  # random networks have classes that are nearly as good


def parts_of(facts: GraphFacts) -> Parts:
    source = Source("made", "file", "unknown", facts.sha256, "unknown")
    task, limits = TaskSpec("tensors"), Limits(8, 8)
    return Parts("made", "1.0.0", task, limits, source, {}, facts.inputs, facts.outputs, True)


def chosen(tmp_path: Path, file: Path, rows: Path, budget: GraphBudget, *schemes: str) -> Choice:
    facts = check_graph(file, tmp_path)
    examples = read_examples(rows, facts.inputs)
    work = tmp_path / "work"
    work.mkdir()
    named = schemes or schemes_for(facts.kind)
    return choose(facts.file, named, examples, budget, lambda at, name: pack(at, name, parts_of(facts)), work, print)


def test_products_become_int8_that_is_a_bundle_and_smaller(tmp_path: Path) -> None:
    choice = chosen(tmp_path, graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH), ANY_SPEED)
    assert choice.scheme in ("dynamic-s8", "nbits8-b32")
    assert choice.chosen is not None
    assert choice.chosen.size_ratio < 0.35
    (logits,) = choice.chosen.quality
    assert logits.rows == 45
    assert logits.top1 is not None
    assert logits.top1.value >= 0.9
    manifest = read_bundle(choice.folder)
    assert manifest.model.scheme == choice.scheme
    assert manifest.model.batch_invariant is (choice.scheme != "dynamic-s8")


@pytest.mark.parametrize(("second_ms", "taken"), [(1.0, "nbits8-b32"), (0.95, "nbits8-b32"), (0.5, "dynamic-s8")])
def test_the_clearly_fastest_is_taken_and_of_equals_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second_ms: float, taken: str
) -> None:
    times = iter((1.0, second_ms))

    def timed(*_: object) -> Speed:
        took = next(times)
        return Speed(threads=1, pairs=1, float_ms=2.0, int8_ms=took, ratio=2.0 / took)

    monkeypatch.setattr("edgert_tools.existing.choose.speed_by_turns", timed)
    file, rows = graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH)
    assert chosen(tmp_path, file, rows, ANY_SPEED, "nbits8-b32", "dynamic-s8").scheme == taken


def test_convolutions_become_static_int8_on_rows_that_are_not_judged(tmp_path: Path) -> None:
    file, rows = graphs.convolutions(tmp_path), graphs.rows_file(tmp_path, 3, 24, 24)
    choice = chosen(tmp_path, file, rows, dataclasses.replace(ANY_SPEED, size_ratio=2.0))
    assert choice.scheme.startswith("qdq-")
    assert choice.chosen is not None
    assert (choice.chosen.quality[0].cosine_mean or 0) >= 0.999


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (GraphBudget(speed_min=1e6), "x float's speed, at least 1e+06x"),
        (GraphBudget(speed_min=0, size_ratio=0.01), "of float, at most 1%"),
        (GraphBudget(speed_min=0, cosine_mean=1.0), "cosine mean"),
    ],
)
def test_int8_that_is_slower_larger_or_worse_is_not_shipped_and_float_is(
    tmp_path: Path, budget: GraphBudget, said: str
) -> None:
    choice = chosen(tmp_path, graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH), budget)
    assert (choice.scheme, choice.chosen) == (FLOAT, None)
    assert "none of 2 int8 forms is good enough and faster" in choice.why
    assert all(any(said in miss for miss in one.misses) for one in choice.tried)
    assert read_bundle(choice.folder).model.scheme == FLOAT


def test_a_form_that_cannot_be_made_is_told_with_its_reason_and_the_others_still_tried(tmp_path: Path) -> None:
    file, rows = graphs.products(tmp_path), graphs.rows_file(tmp_path, graphs.WIDTH)
    choice = chosen(tmp_path, file, rows, ANY_SPEED, "no-such-scheme", "nbits8-b32")
    assert choice.scheme == "nbits8-b32"
    assert "cannot be made: 'no-such-scheme' is no int8 scheme" in line_of(choice.tried[0])


def test_batches_are_seen_to_change_nothing_or_not_allowed(tmp_path: Path) -> None:
    facts = check_graph(graphs.products(tmp_path), tmp_path)
    rows = read_examples(graphs.rows_file(tmp_path, graphs.WIDTH), facts.inputs).feeds
    assert is_batch_invariant(facts, rows)
    assert not is_batch_invariant(facts, ())
    assert not is_batch_invariant(dataclasses.replace(facts, scales_at_run=True), rows)


def test_without_rows_nothing_is_tried(tmp_path: Path) -> None:
    facts = check_graph(graphs.products(tmp_path), tmp_path)
    (tmp_path / "work").mkdir()
    none: Examples | None = None
    choice = choose(
        facts.file,
        ("dynamic-s8",),
        none,
        ANY_SPEED,
        lambda at, name: pack(at, name, parts_of(facts)),
        tmp_path / "work",
        print,
    )
    assert (choice.scheme, choice.tried) == (FLOAT, ())
