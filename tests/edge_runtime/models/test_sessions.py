"""What is kept of clients is bounded in number, bytes and time."""

from __future__ import annotations

from edge_runtime.models.sound.sessions import Sessions
from tests.service_bench import Clock


def kept(most: int = 3, most_bytes: int = 100, stale_s: float = 60.0) -> tuple[Sessions[str], Clock]:
    clock = Clock()
    return Sessions(most, most_bytes, stale_s, clock), clock


def test_a_state_is_taken_once_and_put_back() -> None:
    sessions, _ = kept()
    sessions.put("a", "state", 10)
    assert sessions.take("a") == "state"
    assert sessions.take("a") is None
    assert len(sessions) == 0


def test_the_least_recently_used_goes_when_there_are_too_many() -> None:
    sessions, _ = kept(most=3)
    for name in "abc":
        sessions.put(name, name, 1)
    sessions.put("a", sessions.take("a") or "", 1)
    sessions.put("d", "d", 1)
    assert [sessions.take(name) for name in "abcd"] == ["a", None, "c", "d"]


def test_bytes_are_bounded_and_given_back() -> None:
    sessions, _ = kept(most=1000, most_bytes=100)
    for number in range(50):
        sessions.put(number, "x", 30)
        sessions.put(number, "x", 30)  # again: counted once
    assert len(sessions) == 3
    sessions.put("large", "x", 101)
    assert len(sessions) == 0


def test_what_was_not_used_for_long_is_gone_whoever_asks() -> None:
    sessions, clock = kept(stale_s=60.0)
    sessions.put("old", "old", 1)
    clock.now += 40
    sessions.put("new", "new", 1)
    clock.now += 30
    assert sessions.take("other") is None
    assert len(sessions) == 1
    assert sessions.take("new") == "new"
