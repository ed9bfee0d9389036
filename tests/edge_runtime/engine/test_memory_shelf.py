"""Who goes when memory is short: never who runs or is pinned, the cheap before the dear, and no more than needed."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.engine.memory import ModelShelf
from edge_runtime.errors import NoMemory

NAMES = "abcdef"


def shelf_with(sizes_mb: dict[str, float], budget_mb: float = 100.0, base_mb: float = 0.0) -> ModelShelf:
    """A shelf whose models were loaded in this order, a second each, and grew as estimated."""
    shelf = ModelShelf(budget_mb, base_mb)
    for at, (name, size) in enumerate(sizes_mb.items()):
        assert shelf.room_for(name, size) == []
        shelf.loaded(name, size, 1.0, float(at))
    return shelf


# --- who goes --------------------------------------------------------------------------------------------------------


def test_what_fits_needs_nobody_to_go() -> None:
    shelf = shelf_with({"a": 40, "b": 30})
    assert shelf.has_room("c", 30)
    assert shelf.room_for("c", 30) == []
    assert not shelf.has_room("c", 31)


def test_of_equals_the_one_unused_for_longest_goes() -> None:
    shelf = shelf_with({"a": 40, "b": 40})
    shelf.used("a", 50.0)
    assert shelf.room_for("c", 40) == ["b"]


def test_at_equal_use_the_quick_to_load_goes_before_the_slow() -> None:
    shelf = ModelShelf(100)
    for name, took_s in (("slow", 9.0), ("quick", 0.3)):
        shelf.room_for(name, 40)
        shelf.loaded(name, 40, took_s, 0.0)
        shelf.used(name, 10.0)
    assert shelf.room_for("c", 40) == ["quick"]


def test_at_equal_use_and_cost_the_large_goes_before_the_small() -> None:
    shelf = shelf_with({"large": 60, "small": 20})
    for name in ("large", "small"):
        shelf.used(name, 10.0)
    assert shelf.room_for("c", 40) == ["large"]


def test_no_more_go_than_needed_when_a_large_one_must_go_anyway() -> None:
    shelf = shelf_with({"a": 10, "b": 80})
    shelf.used("b", 1500.0)
    assert shelf.room_for("c", 20) == ["a"]
    assert shelf.room_for("c", 85) == ["b"]


def test_use_fades_so_that_yesterdays_favourite_goes() -> None:
    shelf = shelf_with({"old": 40, "new": 40})
    for second in range(1000):
        shelf.used("old", float(second * 2))
    shelf.used("new", 90_000.0)
    assert shelf.room_for("c", 40) == ["old"]


def test_a_burst_counts_once() -> None:
    shelf = shelf_with({"burst": 40, "steady": 40})
    for turn in range(1000):
        shelf.used("burst", 10.0 + turn / 2000)
    for minute in range(1, 6):
        shelf.used("steady", minute * 60.0)
    assert shelf.room_for("c", 40) == ["burst"]


def test_order_holds_after_weeks_without_use() -> None:
    shelf = shelf_with({"a": 40, "b": 40})
    shelf.used("b", 10.0)
    shelf.used("a", 3e7)
    shelf.used("b", 3e7 + 1)
    assert shelf.room_for("c", 40) == ["a"]


def test_who_runs_or_is_pinned_stays() -> None:
    shelf = shelf_with({"runs": 30, "pinned": 30, "idle": 30})
    shelf.begun("runs", 5.0)
    shelf.pinned.add("pinned")
    for late in range(100, 200, 10):
        shelf.used("idle", float(late))
    assert shelf.room_for("c", 40) == ["idle"]
    shelf.ended("runs")
    assert shelf.room_for("c", 40) == ["runs"]


# --- the sum ---------------------------------------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_with_the_sum() -> None:
    shelf = shelf_with({"runs": 30, "pinned": 20}, base_mb=25)
    shelf.begun("runs", 5.0)
    shelf.pinned.add("pinned")
    with pytest.raises(NoMemory) as refused:
        shelf.room_for("wide", 60)
    assert str(refused.value) == (
        "model 'wide' needs about 60 MB of a budget of 100 MB, taken are "
        "the process itself 25 + runs (running) 30 + pinned (pinned) 20: "
        "unload a model, choose a smaller one or raise memory.budget_mb"
    )
    assert (refused.value.status, refused.value.code) == (503, "no_memory")
    assert (refused.value.need_mb, refused.value.budget_mb) == (60, 100)
    assert shelf.sizes_mb == {"runs": 30, "pinned": 20}


def test_a_refusal_changes_nothing() -> None:
    shelf = shelf_with({"a": 30})
    with pytest.raises(NoMemory, match="taken are a 30:"):
        shelf.room_for("wide", 101)
    assert shelf.room_for("b", 70) == []


def test_a_new_version_stands_beside_the_old_one_or_takes_its_place() -> None:
    shelf = shelf_with({"a": 60, "b": 10})
    with pytest.raises(NoMemory):
        shelf.room_for("a", 50)
    assert shelf.room_for("a", 50, instead=True) == []
    assert shelf.room_for("a", 40) == ["b"]


def test_an_exchange_counts_the_new_one_alone() -> None:
    shelf = shelf_with({"a": 30})
    shelf.room_for("a", 50)
    shelf.loaded("a", 4.0, 1.0, 9.0)  # grew little: the old one's memory was used again
    assert shelf.sizes_mb == {"a": 50}


def test_a_model_loaded_anew_keeps_the_size_that_was_measured_when_it_came_first() -> None:
    shelf = ModelShelf(100)
    shelf.room_for("a", 30)
    shelf.loaded("a", 40.0, 1.0, 0.0)
    shelf.room_for("a", 30)
    shelf.loaded("a", -20.0, 1.0, 9.0)
    assert shelf.sizes_mb == {"a": 40}


@pytest.mark.parametrize(("grew_mb", "counted_mb"), [(60.0, 60.0), (25.0, 25.0), (3.0, 20.0), (-9.0, 20.0)])
def test_growth_counts_but_never_less_than_half_of_the_estimate(grew_mb: float, counted_mb: float) -> None:
    shelf = ModelShelf(100)
    shelf.room_for("a", 40)
    shelf.loaded("a", grew_mb, 1.0, 0.0)
    assert shelf.sizes_mb == {"a": counted_mb}


def test_growth_after_others_were_put_away_counts_only_above_the_estimate() -> None:
    shelf = shelf_with({"a": 80})
    assert shelf.room_for("b", 40) == ["a"]
    shelf.dropped("a")
    shelf.loaded("b", 25.0, 1.0, 1.0)
    assert shelf.sizes_mb == {"b": 40}


def test_what_was_measured_is_made_room_for_the_next_time_but_refuses_nothing() -> None:
    shelf = ModelShelf(100)
    shelf.room_for("a", 40)
    shelf.loaded("a", 95.0, 1.0, 0.0)
    shelf.dropped("a")
    shelf.room_for("b", 50)
    shelf.loaded("b", 50.0, 1.0, 1.0)
    assert not shelf.has_room("a", 40)
    assert shelf.room_for("a", 40) == ["b"]
    shelf.begun("b", 2.0)
    assert shelf.room_for("a", 40) == []  # 95 cannot be had; the estimate can
    assert shelf.has_room("a", 41)  # another estimate: another version


def test_what_turned_out_larger_drives_others_out_but_not_itself() -> None:
    shelf = shelf_with({"a": 40, "b": 30})
    shelf.room_for("c", 30)
    shelf.loaded("c", 65.0, 1.0, 9.0)
    assert shelf.over_budget(keep="c") == ["a"]
    shelf.begun("a", 10.0)
    assert shelf.over_budget(keep="c") == ["b"]
    shelf.ended("a")
    shelf.dropped("a")
    assert shelf.over_budget(keep="c") == []


# --- drift -----------------------------------------------------------------------------------------------------------


def busy(shelf: ModelShelf, runs: dict[str, int]) -> None:
    for name, count in runs.items():
        for _ in range(count):
            shelf.used(name, 1.0)


def test_growth_within_the_margin_is_no_drift() -> None:
    shelf = shelf_with({"a": 100, "b": 100}, budget_mb=1000, base_mb=50)
    busy(shelf, {"a": 5})
    assert shelf.drifted(250.0, 0.0) is None
    assert shelf.drifted(312.0, 1000.0) is None
    assert shelf.drifted(313.0, 1000.0) == "a"


def test_over_the_budget_the_margin_is_small() -> None:
    shelf = shelf_with({"a": 100, "b": 100}, budget_mb=260, base_mb=50)
    busy(shelf, {"a": 5})
    assert shelf.drifted(250.0, 0.0) is None
    assert shelf.drifted(266.0, 1.0) is None
    assert shelf.drifted(267.0, 2.0) == "a"


def test_the_busiest_is_loaded_anew_and_one_an_interval() -> None:
    shelf = shelf_with({"a": 50, "b": 50}, budget_mb=1000)
    busy(shelf, {"a": 5, "b": 7})
    assert shelf.drifted(100.0, 0.0) is None
    assert shelf.drifted(300.0, 10.0) == "b"
    shelf.loaded("b", -10.0, 1.0, 11.0)
    assert shelf.drifted(300.0, 609.0) is None
    assert shelf.drifted(300.0, 610.0) == "a"


def test_over_the_budget_the_next_follows_soon() -> None:
    shelf = shelf_with({"a": 50, "b": 50}, budget_mb=150)
    busy(shelf, {"a": 5, "b": 7})
    assert shelf.drifted(100.0, 0.0) is None
    assert [shelf.drifted(300.0, at) for at in (10.0, 39.0, 40.0)] == ["b", None, "a"]


def test_growth_that_no_reload_gives_back_is_taken_for_granted() -> None:
    shelf = shelf_with({"a": 50, "b": 50}, budget_mb=1000)
    shelf.drifted(100.0, 0.0)
    asked = []
    for turn in range(1, 9):
        busy(shelf, {"a": 2, "b": 1})
        asked.append(shelf.drifted(300.0, turn * 1000.0))
    assert asked == ["a", "b", *[None] * 6]
    assert shelf.drifted(340.0, 99_000.0) == "a"


def test_what_a_reload_gave_back_may_drift_again() -> None:
    shelf = shelf_with({"a": 50}, budget_mb=1000)
    shelf.drifted(50.0, 0.0)
    for turn in range(1, 4):
        busy(shelf, {"a": 3})
        assert shelf.drifted(150.0, turn * 1000.0) == "a"
        shelf.loaded("a", -99.0, 1.0, turn * 1000.0)
        assert shelf.drifted(52.0, turn * 1000.0 + 500) is None


def test_a_model_that_never_ran_is_not_blamed() -> None:
    shelf = shelf_with({"a": 50}, budget_mb=1000)
    shelf.drifted(50.0, 0.0)
    assert shelf.drifted(500.0, 1000.0) is None


# --- whatever happens ------------------------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(["load", "load", "use", "begin", "end", "drop", "pin", "unpin"]),
        st.sampled_from(NAMES),
        st.floats(0.5, 60.0),
        st.floats(0.01, 20.0),
    ),
    max_size=80,
)


@settings(max_examples=200, deadline=None)
@given(steps)
def test_never_over_the_budget_and_never_at_the_cost_of_who_runs_or_is_pinned(
    events: Sequence[tuple[str, str, float, float]],
) -> None:
    shelf, running, now_s = ModelShelf(100.0, base_mb=10.0), dict.fromkeys(NAMES, 0), 0.0
    for kind, name, size, took_s in events:
        now_s += took_s
        here = set(shelf.sizes_mb)
        if kind == "load" and name not in here:
            try:
                victims = shelf.room_for(name, size)
            except NoMemory:
                assert shelf.has_room(name, size) is False
                stuck = [other for other in here if other in shelf.pinned or running[other]]
                assert 10.0 + sum(shelf.sizes_mb[other] for other in stuck) + size > 100.0 - 1e-6
                continue
            assert set(victims) <= here - shelf.pinned - {other for other in here if running[other]}
            assert len(set(victims)) == len(victims)
            assert not victims or shelf.taken_mb + size > 100.0
            for victim in victims:
                shelf.dropped(victim)
            shelf.loaded(name, size, took_s, now_s)
        elif kind == "use":
            shelf.used(name, now_s)
        elif kind == "begin" and name in here:
            shelf.begun(name, now_s)
            running[name] += 1
        elif kind == "end" and running[name]:
            shelf.ended(name)
            running[name] -= 1
        elif kind == "drop" and not running[name]:
            shelf.dropped(name)
        elif kind == "pin":
            shelf.pinned.add(name)
        elif kind == "unpin":
            shelf.pinned.discard(name)
        assert shelf.taken_mb <= 100.0 + 1e-6


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0), st.floats(1.0, 40.0), st.integers(1, 20))
def test_at_equal_use_and_size_the_dearer_is_never_put_away_first(
    one_s: float, other_s: float, size_mb: float, uses: int
) -> None:
    shelf = ModelShelf(size_mb * 2.5)
    for name, took_s in (("one", one_s), ("other", other_s)):
        shelf.room_for(name, size_mb)
        shelf.loaded(name, size_mb, took_s, 0.0)
        for use in range(uses):
            shelf.used(name, 1.0 + use)
    (victim,) = shelf.room_for("c", size_mb)
    assert {"one": one_s, "other": other_s}[victim] == min(one_s, other_s)


# --- against LRU -----------------------------------------------------------------------------------------------------


class Lru:
    """The plain way: the least recently used goes, whatever it costs."""

    def __init__(self, budget_mb: float) -> None:
        self._budget_mb, self._sizes = budget_mb, OrderedDict[str, float]()

    def ask(self, name: str, size_mb: float) -> bool:
        """Whether it was loaded."""
        if name in self._sizes:
            self._sizes.move_to_end(name)
            return True
        while sum(self._sizes.values()) + size_mb > self._budget_mb:
            self._sizes.popitem(last=False)
        self._sizes[name] = size_mb
        return False


def costs_on(
    trace: Sequence[str], sizes: dict[str, float], loads: dict[str, float], pace_s: float
) -> tuple[float, float]:
    """Seconds that a trace spends loading, with the shelf and with LRU."""
    shelf, lru, budget_mb = ModelShelf(384.0), Lru(384.0), 384.0
    with_shelf = with_lru = 0.0
    for at, name in enumerate(trace):
        now_s = at * pace_s
        if name not in shelf.sizes_mb:
            for victim in shelf.room_for(name, sizes[name]):
                shelf.dropped(victim)
            shelf.loaded(name, sizes[name], loads[name], now_s)
            with_shelf += loads[name]
        shelf.used(name, now_s)
        with_lru += 0.0 if lru.ask(name, sizes[name]) else loads[name]
        assert shelf.taken_mb <= budget_mb
    return with_shelf, with_lru


@pytest.mark.parametrize("pace_s", [0.05, 1.0, 5.0, 60.0])
@pytest.mark.parametrize("seed", range(5))
def test_on_a_zipf_trace_less_time_goes_into_loading_than_with_lru(seed: int, pace_s: float) -> None:
    """Ten models of 25 to 180 MB, a budget of 384 MB: what a 512 MB cgroup gives by default."""
    chance = random.Random(seed)
    names = [f"m{i}" for i in range(10)]
    sizes = {name: chance.uniform(25, 180) for name in names}
    loads = {name: sizes[name] / 80 * chance.uniform(0.3, 3.0) for name in names}
    trace = chance.choices(names, [1 / rank for rank in range(1, 11)], k=2000)
    with_shelf, with_lru = costs_on(trace, sizes, loads, pace_s)
    assert with_shelf < with_lru


def test_when_the_favourites_change_the_shelf_follows() -> None:
    chance = random.Random(7)
    names = [f"m{i}" for i in range(8)]
    sizes, loads = dict.fromkeys(names, 90.0), dict.fromkeys(names, 1.0)
    morning, evening = chance.choices(names[:4], k=1500), chance.choices(names[4:], k=1500)
    with_shelf, _ = costs_on([*morning, *evening], sizes, loads, 2.0)
    assert with_shelf < 150  # of 1500 requests in the evening: the second four are at home within minutes
    assert not math.isnan(with_shelf)
