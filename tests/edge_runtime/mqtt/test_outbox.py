"""The queue before the client library: bounds, windows, and that nothing outlives its connection."""

from __future__ import annotations

import queue
import threading

import pytest

from edge_runtime.mqtt.message import Message
from edge_runtime.mqtt.outbox import Outbox
from edge_runtime.mqtt.packet import Outgoing


def packet(qos: int = 0, size: int = 10) -> Outgoing:
    return Outgoing.of(Message("t", bytes(size), qos=qos))


def opened(max_messages: int = 100, max_bytes: int = 10_000, window: int = 10) -> Outbox:
    outbox = Outbox(max_messages, max_bytes)
    outbox.open(window)
    return outbox


def sent(outbox: Outbox, packet_id: int = 0) -> bool:
    """Take one and hand it over, as the session does."""
    taken = outbox.take()
    if taken is not None and taken.qos:
        outbox.expect(packet_id, taken.topic)
    outbox.written(all_of_it=True)
    return taken is not None


def test_while_disconnected_nothing_is_taken() -> None:
    outbox = Outbox(10, 1000)
    assert not outbox.put(packet())
    assert not outbox.put(packet(), force=True)
    outbox.open(1)
    assert outbox.put(packet())


def test_messages_come_out_in_their_order() -> None:
    outbox = opened()
    packets = [packet(qos=n % 2, size=n) for n in range(8)]
    assert all(outbox.put(each) for each in packets)
    assert [outbox.take() for _ in range(9)] == [*packets, None]


def test_the_bounds_hold_in_messages_and_in_bytes() -> None:
    assert [opened(max_messages=2).put(packet()) for _ in range(2)] == [True, True]
    by_count, by_bytes = opened(max_messages=2), opened(max_bytes=250)
    assert [by_count.put(packet()) for _ in range(4)] == [True, True, False, False]
    assert [by_bytes.put(packet(size=100)) for _ in range(4)] == [True, True, False, False]
    assert sent(by_count)
    assert by_count.put(packet())


def test_one_large_message_passes_when_nothing_else_waits() -> None:
    outbox = opened(max_bytes=100)
    assert outbox.put(packet(size=5000))
    assert not outbox.put(packet(size=1))


def test_unconfirmed_messages_stay_within_the_window_and_quality_0_behind_them_waits_its_turn() -> None:
    outbox = opened(window=2)
    for qos in (1, 1, 1, 0):
        outbox.put(packet(qos))
    assert [sent(outbox, packet_id) for packet_id in (1, 2, 3)] == [True, True, False]
    assert outbox.confirm(1) == "t"
    assert [sent(outbox, packet_id) for packet_id in (3, 4)] == [True, True]


def test_a_confirmation_of_something_else_is_ignored() -> None:
    outbox = opened()
    assert outbox.confirm(99) is None


def test_sealed_it_takes_only_the_farewell() -> None:
    outbox = opened(max_messages=1)
    outbox.put(packet())
    outbox.seal()
    assert not outbox.put(packet())
    assert outbox.put(packet(), force=True)


def test_a_lost_connection_takes_everything_with_it_and_says_how_much() -> None:
    outbox = opened(window=1)
    for qos in (1, 1, 0):
        outbox.put(packet(qos))
    assert sent(outbox, 1)
    assert outbox.lose() == (2, 1)
    outbox.open(1)
    assert outbox.take() is None
    assert outbox.wait_settled(0.0)


def test_settled_means_written_and_confirmed() -> None:
    outbox = opened()
    outbox.put(packet(1))
    assert not outbox.wait_settled(0.0)
    taken = outbox.take()
    assert taken is not None
    assert not outbox.wait_settled(0.0)
    outbox.expect(7, taken.topic)
    outbox.written(all_of_it=False)
    outbox.confirm(7)
    assert not outbox.wait_settled(0.0)
    outbox.written(all_of_it=True)
    assert outbox.wait_settled(0.0)


@pytest.mark.parametrize("confirmed", [True, False])
def test_who_waits_is_told_of_the_last_confirmation_and_of_the_loss(confirmed: bool) -> None:
    outbox, told = opened(), queue.SimpleQueue[bool]()
    outbox.put(packet(1))
    sent(outbox, 7)
    threading.Thread(target=lambda: told.put(outbox.wait_settled(5.0))).start()
    if confirmed:
        outbox.confirm(7)
    else:
        outbox.lose()
    assert told.get(timeout=4.0) is confirmed


def test_minor_messages_leave_half_of_the_room_to_others() -> None:
    outbox = opened(max_messages=10, max_bytes=1000)
    assert [outbox.put(packet(), minor=True) for _ in range(6)] == [True] * 5 + [False]
    assert [outbox.put(packet()) for _ in range(6)] == [True] * 5 + [False]
