"""The search with real bundles, a real pipeline and a stopwatch that tells what the test wants."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import BudgetMissed
from edge_runtime.pipeline import open_pipeline
from edgert_tools.arm.figures import OnBoard
from edgert_tools.evaluate import Quality, compare_labels, values_of
from edgert_tools.quantization.kept import KeptCandidates
from edgert_tools.quantization.outcome import verdicts_table
from edgert_tools.quantization.peak import peak_bytes
from edgert_tools.quantization.search import Stopwatch, Trial, search, time_by_turns
from edgert_tools.recipe import Budget
from edgert_tools.timing import Speed
from tests import tiny
from tests.tools.arm.counted import figures
from tests.tools.checkpoints import TEXTS, unheard

MEMORY = 50_000_000
SCHEMES = ("nbits8-b32", "dynamic-s8", "nbits4-b32")

pytestmark = pytest.mark.usefixtures("own_cache")


def stopwatch(ratios: Mapping[str, float]) -> Stopwatch:
    """Tells these ratios for those of the schemes that are asked for."""

    def time(original: Path, folders: Mapping[str, Path], texts: Sequence[str]) -> Mapping[str, Speed]:
        assert (original / "model.onnx").is_file()
        assert texts == TEXTS
        return {name: Speed(1, 9, 1.0, 1.0 / ratios[name], ratios[name]) for name in folders}

    return time


class FakeMaker:
    """Makes each scheme's bundle as a copy of a real one; `made` is the order. Those in `broken` cannot be made."""

    def __init__(self, original: Path, broken: Mapping[str, BaseException] | None = None) -> None:
        self.original, self.broken, self.made = original, dict(broken or {}), []  # type: ignore[var-annotated]

    def make(self, scheme: str, folder: Path) -> None:
        self.made.append(scheme)
        if scheme in self.broken:
            (folder / "half").write_text("written")
            raise self.broken[scheme]
        shutil.copytree(self.original, folder, dirs_exist_ok=True)

    def judge(self, scheme: str, folder: Path) -> Quality:
        values, truncated = values_of(open_pipeline(folder), TEXTS, scheme)
        return compare_labels(values, values, tiny.LABELS, None, truncated)

    def trial(self) -> Trial:
        return Trial("tiny", self.original, TEXTS, Budget(), self.make, self.judge, lambda folder: MEMORY)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return tiny.write_bundle(tmp_path / "float")


def test_all_schemes_are_tried_and_the_fastest_good_one_is_taken(original: Path) -> None:
    maker, said = FakeMaker(original), []  # type: ignore[var-annotated]
    watch = stopwatch({"nbits8-b32": 1.2, "static-s8-smooth": 2.0, "nbits4-b32": 0.5})
    schemes = ("nbits8-b32", "static-s8-smooth", "nbits4-b32")
    outcome = search(maker.trial(), schemes, KeptCandidates({"a": 1}), said.append, watch)
    assert [one.scheme for one in outcome.candidates] == maker.made == list(schemes)
    assert outcome.chosen == outcome.taken.scheme == "static-s8-smooth"
    assert outcome.pareto == ("static-s8-smooth",)
    assert open_pipeline(outcome.folder).vectors(["turn on"]).shape == (1, 4)
    assert outcome.candidates[2].misses == ("0.50x float's speed on this machine, at least 1x",)
    assert [line.split(":")[0] for line in said] == ["1/3 nbits8-b32", "2/3 static-s8-smooth", "3/3 nbits4-b32"]
    assert [one.peak_bytes for one in outcome.candidates] == [MEMORY] * 3


def test_a_scheme_that_cannot_be_made_is_told_and_the_others_go_on(original: Path) -> None:
    maker = FakeMaker(original, {"nbits8-b32": RuntimeError("no such\n operator")})
    outcome = search(
        maker.trial(),
        ("nbits8-b32", "dynamic-s8"),
        KeptCandidates({}),
        unheard,
        stopwatch({"dynamic-s8": 1.5}),
    )
    assert (outcome.chosen, dict(outcome.failed)) == ("dynamic-s8", {"nbits8-b32": "RuntimeError: no such operator"})
    table = verdicts_table(outcome)
    assert "cannot be made: RuntimeError: no such operator" in table
    assert "taken" in table


def test_nothing_good_enough_is_refused_with_every_verdict(original: Path) -> None:
    maker = FakeMaker(original, {"nbits4-b32": ValueError("odd width")})
    trial = dataclasses.replace(maker.trial(), budget=Budget(size_ratio=0.5))
    with pytest.raises(BudgetMissed) as caught:
        search(trial, SCHEMES, KeptCandidates({}), unheard, stopwatch({"nbits8-b32": 0.7, "dynamic-s8": 3.0}))
    for words in (*SCHEMES, "size 100.0% of float, at most 50%", "0.70x float's speed", "odd width", "same label on"):
        assert words in str(caught.value)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_search_goes_on_where_it_was(original: Path, own_cache: Path, stop: BaseException) -> None:
    watch = stopwatch(dict.fromkeys(SCHEMES, 1.5))
    first = FakeMaker(original, {"dynamic-s8": stop})
    with pytest.raises(type(stop)):
        search(first.trial(), SCHEMES, KeptCandidates({"lock": 1}), unheard, watch)
    assert first.made == ["nbits8-b32", "dynamic-s8"]
    assert not list(own_cache.rglob("half"))
    second = FakeMaker(original)
    outcome = search(second.trial(), SCHEMES, KeptCandidates({"lock": 1}), unheard, watch)
    assert second.made == ["dynamic-s8", "nbits4-b32"]
    whole = search(FakeMaker(original).trial(), SCHEMES, KeptCandidates({"lock": 2}), unheard, watch)
    assert [one.quality for one in outcome.candidates] == [one.quality for one in whole.candidates]


@pytest.mark.parametrize("damage", ["model.onnx", "manifest.json", "../judged.json", "../judged.json gone"])
def test_what_was_kept_and_is_damaged_is_made_again(original: Path, damage: str) -> None:
    kept, watch = KeptCandidates({"lock": 1}), stopwatch({"dynamic-s8": 2.0})
    folder = search(FakeMaker(original).trial(), ("dynamic-s8",), kept, unheard, watch).folder
    name, _, gone = damage.partition(" ")
    (folder / name).unlink()
    if not gone:
        (folder / name).write_bytes(b"{}")
    again = FakeMaker(original)
    assert search(again.trial(), ("dynamic-s8",), kept, unheard, watch).chosen == "dynamic-s8"
    assert again.made == ["dynamic-s8"]


def test_another_lock_is_another_search_and_a_search_that_is_over_leaves_nothing(
    original: Path, own_cache: Path
) -> None:
    watch = stopwatch({"dynamic-s8": 2.0})
    locks = [KeptCandidates({"weights": name}) for name in ("a", "b")]
    for kept in locks:
        maker = FakeMaker(original)
        search(maker.trial(), ("dynamic-s8",), kept, unheard, watch)
        assert maker.made == ["dynamic-s8"]
    locks[0].clear()
    assert locks[0].get("dynamic-s8") is None
    assert locks[1].get("dynamic-s8") is not None
    locks[1].clear()
    assert not list((own_cache / "searches").iterdir())


COUNTS = {
    "nbits8-b32": {"pi4": 4.1, "pi5": 0.5},
    "rows-s8-smooth": {"pi4": 0.9, "pi5": 0.6},
    "nbits4-b32": {"pi4": 1.4, "pi5": 1.1},
}


def for_pi4_and_pi5(maker: FakeMaker, counts: Mapping[str, Mapping[str, float]], **more: Any) -> Trial:
    """A trial with targets on which graphs have these counts, in times float's."""

    def count(original: Path, graphs: Mapping[str, Path]) -> Mapping[str, tuple[OnBoard, ...]]:
        assert original.is_file()
        assert all(graph.is_file() for graph in graphs.values())
        return {scheme: found for scheme, found in figures(counts).items() if scheme in graphs}

    return dataclasses.replace(maker.trial(), targets=("pi4", "pi5"), count=count, **more)


def test_with_targets_each_gets_the_fewest_instructions_however_slow_it_is_here(original: Path) -> None:
    watch = stopwatch(dict.fromkeys(COUNTS, 0.5))
    outcome = search(
        for_pi4_and_pi5(FakeMaker(original), COUNTS), tuple(COUNTS), KeptCandidates({"a": 1}), unheard, watch
    )
    assert [(form.scheme, form.boards) for form in outcome.forms] == [
        ("nbits8-b32", ("pi5",)),
        ("rows-s8-smooth", ("pi4",)),
    ]
    assert outcome.chosen == "rows-s8-smooth"  # for boards of which nothing is known
    assert set(outcome.folders) == set(COUNTS)
    table = verdicts_table(outcome).splitlines()
    assert "410.0 M (4.1x)" in table[1]
    assert table[1].endswith("taken for pi5; 4.1x float's instructions on pi4")
    assert table[2].endswith("taken for pi4")
    assert table[3].endswith("1.40x float's instructions on pi4; 1.10x float's instructions on pi5")


def test_a_target_for_which_nothing_is_good_is_refused_by_name_with_every_verdict(original: Path) -> None:
    counts = {scheme: COUNTS[scheme] for scheme in ("nbits8-b32", "nbits4-b32")}
    watch = stopwatch(dict.fromkeys(counts, 2.0))
    with pytest.raises(BudgetMissed, match="at most float's instructions on pi4 ") as caught:
        search(for_pi4_and_pi5(FakeMaker(original), counts), tuple(counts), KeptCandidates({}), unheard, watch)
    assert "4.1x float's instructions on pi4" in str(caught.value)


def test_what_is_outside_the_budget_is_not_counted_at_all(original: Path) -> None:
    trial = for_pi4_and_pi5(FakeMaker(original), {}, budget=Budget(size_ratio=0.5))
    with pytest.raises(BudgetMissed, match="pi4, pi5"):
        search(trial, ("nbits8-b32",), KeptCandidates({}), unheard, stopwatch({"nbits8-b32": 2.0}))


def test_the_real_stopwatch_times_all_bundles_against_float(original: Path) -> None:
    speeds = time_by_turns(original, {"one": original, "other": original}, TEXTS)
    assert set(speeds) == {"one", "other"}
    for speed in speeds.values():
        assert speed.threads == 1
        assert speed.pairs == 108
        assert 0.5 < speed.ratio < 2  # the same model


def test_peak_memory_is_that_of_a_process_of_its_own(original: Path) -> None:
    ballast = bytearray(400_000_000)  # of this process
    found = peak_bytes(original, TEXTS)
    assert len(ballast) == 400_000_000
    assert found is not None
    assert 20e6 < found < 300e6


def test_a_bundle_that_does_not_load_has_no_peak(tmp_path: Path) -> None:
    assert peak_bytes(tmp_path, TEXTS) is None
