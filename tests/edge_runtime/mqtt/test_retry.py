"""Delays between connects, and the pattern of two clients with one id."""

from __future__ import annotations

import itertools

import pytest

from edge_runtime.mqtt.refusal import from_version_3, is_lasting, reason
from edge_runtime.mqtt.retry import Backoff, TakeoverWatch


def test_delays_double_up_to_the_longest_and_each_has_jitter_of_a_quarter() -> None:
    backoff = Backoff(1.0, 30.0, seed=1)
    delays = [backoff.after_failure() for _ in range(40)]
    plain = [min(30.0, 2.0**n) for n in range(40)]
    assert all(0.75 * middle <= delay <= 1.25 * middle for delay, middle in zip(delays, plain, strict=True))
    assert len({delay / middle for delay, middle in zip(delays, plain, strict=True)}) == 40


def test_a_broker_that_is_away_is_asked_for_again_soon_even_after_hours() -> None:
    backoff = Backoff(1.0, 30.0)
    for _ in range(6):
        backoff.after_failure()
    assert max(backoff.while_away() for _ in range(5000)) <= 1.25


def test_two_devices_do_not_come_back_together() -> None:
    assert Backoff(1.0, 30.0).after_failure() != Backoff(1.0, 30.0).after_failure()


def test_a_connection_that_held_lets_the_delay_start_small_again() -> None:
    backoff = Backoff(1.0, 30.0)
    for _ in range(6):
        backoff.after_failure()
    backoff.settle()
    assert backoff.after_failure() <= 1.25


def test_a_lasting_refusal_is_tried_again_slowly_from_the_first_time() -> None:
    backoff = Backoff(1.0, 30.0)
    first, second, third = (backoff.after_failure(lasting=True) for _ in range(3))
    assert 6.0 <= first <= 10.0
    assert 12.0 <= second <= 20.0
    assert 22.5 <= third <= 37.5


def test_thousands_of_failures_overflow_nothing() -> None:
    backoff = Backoff(1.0, 30.0)
    assert max(backoff.after_failure() for _ in range(5000)) <= 37.5


def test_three_accepted_and_soon_closed_connections_in_a_minute_are_a_fight() -> None:
    watch = TakeoverWatch()
    assert [watch.closed(now, lasted_s=1.0) for now in (0.0, 20.0, 40.0)] == [False, False, True]


@pytest.mark.parametrize("times", [(0.0, 40.0, 61.0), (0.0, 100.0, 200.0)])
def test_closes_far_apart_are_none(times: tuple[float, ...]) -> None:
    watch = TakeoverWatch()
    assert not any(watch.closed(now, lasted_s=1.0) for now in times)


def test_a_connection_that_lasted_ends_the_suspicion() -> None:
    watch = TakeoverWatch()
    lasted = [1.0, 1.0, 31.0, 1.0, 1.0]
    assert not any(watch.closed(now, lasted_s) for now, lasted_s in zip(itertools.count(), lasted, strict=False))


def test_a_broker_that_was_away_in_between_ends_the_suspicion() -> None:
    watch = TakeoverWatch()
    for now in range(6):
        assert not watch.closed(float(now), lasted_s=1.0)
        watch.unreachable()


def test_reason_codes_speak() -> None:
    assert reason(0x86) == "wrong user name or password (0x86)"
    assert reason(0xFF) == "unknown reason (0xFF)"
    assert "MQTT 5" in reason(from_version_3(1))
    assert from_version_3(4) == 0x86
    assert [is_lasting(code) for code in (0x84, 0x86, 0x87, 0x88, 0x89, 0x8B)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
