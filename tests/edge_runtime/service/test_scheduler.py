"""What runs next: priorities without starvation, clients in turn, batches of what fits, bounds."""

from __future__ import annotations

import collections

from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.mqtt.contract import Address, Request
from edge_runtime.service.job import Job
from edge_runtime.service.scheduler import HANDICAP_S, Priority, Scheduler

ANYWHERE = Address("edgert/v1/r/a/b", 0, enveloped=False)
FOREVER = float("inf")


def job(
    user: str = "ann",
    *,
    at: float = 0.0,
    priority: Priority = "normal",
    model: str = "m",
    texts: tuple[str, ...] = ("turn on the light",),
    ends: float = FOREVER,
    truncate: bool = False,
    size_bytes: int = 10,
) -> Job:
    request = Request(model, texts, "texts", truncate, ANYWHERE, user=user, priority=priority, size_bytes=size_bytes)
    return Job(request, at, ends, [ANYWHERE])


def scheduler(*jobs: Job, requests: int = 100, size_bytes: int = 100_000, tokens: int = 2048) -> Scheduler:
    made = Scheduler(requests, size_bytes, tokens)
    for one in jobs:
        made.add(one)
    return made


def order(made: Scheduler) -> list[Job]:
    taken = []
    while (one := made.take(lambda _: True)) is not None:
        made.done([one])
        taken.append(one)
    return taken


def test_of_one_client_and_class_the_first_comes_first() -> None:
    jobs = [job(at=float(number)) for number in range(5)]
    assert order(scheduler(*jobs)) == jobs


def test_a_high_request_overtakes_and_a_low_one_stands_back() -> None:
    low, normal, high = job(at=0.0, priority="low"), job(at=0.1), job(at=0.2, priority="high")
    assert order(scheduler(low, normal, high)) == [high, normal, low]


def test_who_has_waited_out_the_handicap_is_overtaken_no_more() -> None:
    low = job(at=0.0, priority="low")
    later = [job(at=HANDICAP_S["low"] + 0.1, priority="high") for _ in range(3)]
    assert order(scheduler(low, *later))[0] is low


def test_clients_take_turns_however_much_one_of_them_asks() -> None:
    flood = [job("greedy", at=0.0) for _ in range(10)]
    others = [job(name, at=1.0) for name in ("ann", "bob")]
    assert {one.request.user for one in order(scheduler(*flood, *others))[:3]} == {"greedy", "ann", "bob"}


def test_a_request_of_many_texts_costs_its_client_as_many_turns() -> None:
    many = [job("many", at=0.0, texts=("a",) * 4) for _ in range(2)]
    single = [job("single", at=0.1) for _ in range(4)]
    users = [one.request.user for one in order(scheduler(*many, *single))]
    assert users == ["many", "single", "single", "single", "single", "many"]


def test_a_client_that_comes_back_is_not_set_ahead() -> None:
    made = scheduler(*[job("greedy") for _ in range(3)], job("other"))
    first = made.take(lambda _: True)
    assert first is not None
    made.add(job(first.request.user, at=5.0))
    second = made.take(lambda _: True)
    assert second is not None
    assert second.request.user != first.request.user


def test_a_model_that_cannot_run_holds_up_no_other() -> None:
    stuck, free = job(model="stuck"), job(at=9.0, model="free")
    made = scheduler(stuck, free)
    assert made.take(lambda model: model == "free") is free
    assert made.take(lambda model: model == "free") is None
    assert made.queued == 1


def test_a_batch_takes_what_is_alike_and_leaves_the_rest() -> None:
    first, same, long, cut = job(), job("bob"), job("cat", texts=("word " * 100,)), job("dan", truncate=True)
    other = job("eve", model="other")
    made = scheduler(first, same, long, cut, other)
    batch = [one for one in [made.take(lambda model: model == "m")] if one]
    made.join(batch, 8)
    assert set(batch) == {first, same}
    assert made.running["m"] == 2
    assert made.queued == 3


def test_a_batch_is_bounded_in_texts_and_tokens() -> None:
    made = scheduler(*[job(texts=("a b c",) * 3) for _ in range(9)])
    batch = [one for one in [made.take(lambda _: True)] if one]
    made.join(batch, 8)
    assert sum(one.rows for one in batch) == 6
    long = "word " * 80
    made = scheduler(*[job(texts=(long,)) for _ in range(9)], tokens=350)
    batch = [one for one in [made.take(lambda _: True)] if one]
    made.join(batch, 8)
    assert len(batch) == 3


def test_room_ends_by_count_and_by_bytes() -> None:
    made = scheduler(job(size_bytes=60), requests=2, size_bytes=100)
    assert made.has_room(40)
    assert not made.has_room(41)
    made.add(job(size_bytes=1))
    assert not made.has_room(1)


def test_the_newest_and_least_urgent_of_the_greediest_client_makes_room_for_another() -> None:
    urgent, first, last = job("greedy", at=3.0, priority="high"), job("greedy", at=1.0), job("greedy", at=2.0)
    made = scheduler(urgent, first, last)
    assert made.one_too_many_of("greedy") is None
    assert made.one_too_many_of("ann") is last
    assert made.queued == 2
    made.add(job("ann"))
    assert made.one_too_many_of("ann") is None  # two against one: nearly alike


def test_what_is_too_late_is_found_at_once() -> None:
    late, fine = job(ends=5.0), job(ends=6.0)
    made = scheduler(late, fine)
    assert made.expired(5.0) == [late]
    assert list(made) == [fine]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "take", "join", "remove", "expire"]),
        st.sampled_from(["ann", "bob", "cat"]),
        st.sampled_from(["m", "n"]),
        st.sampled_from(["low", "normal", "high"]),
        st.integers(1, 5),
    ),
    max_size=60,
)


@given(STEPS)
def test_every_request_leaves_exactly_once_and_the_sums_are_right(
    steps: list[tuple[str, str, str, Priority, int]],
) -> None:
    made = scheduler()
    waiting: collections.Counter[Job] = collections.Counter()
    for at, (what, user, model, priority, rows) in enumerate(steps):
        out: list[Job] = []
        if what == "add":
            new = job(user, at=at, model=model, priority=priority, texts=("a",) * rows, ends=at + 10.0)
            made.add(new)
            waiting[new] += 1
        elif what == "remove":
            out = list(made)[:1]
            for one in out:
                made.remove(one)
        elif what == "expire":
            out = made.expired(float(at))
        else:
            out = [one for one in [made.take(lambda _: True)] if one]
            if out and what == "join":
                made.join(out, rows + 5)
            if out:
                assert len({one.request.model for one in out}) == 1
                made.done(out)
        for one in out:
            assert waiting[one] == 1
            del waiting[one]
        assert made.queued == len(waiting)
        assert made.queued_bytes == sum(one.request.size_bytes for one in waiting)
        assert set(made) == set(waiting)
        assert not any(made.running.values())


@given(st.lists(st.sampled_from(["low", "normal", "high"]), min_size=1, max_size=40))
def test_nobody_is_overtaken_for_longer_than_the_handicap(priorities: list[Priority]) -> None:
    jobs = [job(str(at), at=float(at), priority=priority) for at, priority in enumerate(priorities)]
    taken = order(scheduler(*jobs))
    for place, one in enumerate(taken):
        for earlier in taken[:place]:
            assert earlier.arrived_s <= one.arrived_s + HANDICAP_S["low"]
