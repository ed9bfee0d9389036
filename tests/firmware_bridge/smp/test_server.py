"""What comes over a wire and is no good: each kind has its own answer, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_bridge.smp.edgert_group import GROUP
from firmware_bridge.smp.limits import BUF_SIZE
from firmware_bridge.smp.message import READ, VERSION_1, WRITE, Message, read_message
from tests.firmware_bridge.smp.hub_bench import Client, HubBench

ECHO = Message(WRITE, 0, 0, {"d": "hi"}, 9)


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path)


def test_damaged_messages_are_counted_and_never_answered(bench: HubBench) -> None:
    wire = ECHO.to_bytes()
    for damaged in (b"", wire[:7], wire[:-1], wire + b"\0", wire + wire):
        assert bench.server.answer(damaged, bench.client.session) is None
    assert bench.hub.statistics.all()["damaged"] == 5


@pytest.mark.parametrize("op", [1, 3, 4, 5, 6, 7])
def test_answers_and_unknown_operations_are_never_answered(bench: HubBench, op: int) -> None:
    wire = bytes([op | 1 << 3]) + ECHO.to_bytes()[1:]
    assert bench.server.answer(wire, bench.client.session) is None
    assert bench.hub.statistics.all()["ignored"] == 1


@pytest.mark.parametrize("version", [2, 3])
def test_a_newer_version_of_smp_is_refused_as_too_new(bench: HubBench, version: int) -> None:
    wire = bytes([WRITE | version << 3]) + ECHO.to_bytes()[1:]
    said = bench.server.answer(wire, bench.client.session)
    assert said is not None
    answer = read_message(said)
    assert (answer.body["rc"], answer.version, answer.sequence) == (13, 1, 9)


@pytest.mark.parametrize(
    ("op", "group", "command"),
    [(READ, 9, 0), (READ, 0, 3), (READ, 64, 0), (WRITE, 2, 0), (WRITE, 0, 4), (READ, GROUP, 9), (READ, 65535, 255)],
)
def test_an_unknown_group_or_command_is_not_supported(bench: HubBench, op: int, group: int, command: int) -> None:
    said = bench.client.ask(op, group, command)
    assert said["rc"] == 8
    assert f"no command {command} of group {group}" in said["rsn"]


def test_a_message_that_is_longer_than_the_buffer_is_too_large(bench: HubBench) -> None:
    assert bench.client.write(8, 0, name="x", off=0, data=bytes(BUF_SIZE))["rc"] == 7


@pytest.mark.parametrize("body", ["83010203", "a1", "a16164c001", "a16164" + "81" * 4000])
def test_a_body_that_cannot_be_read_is_an_invalid_value(bench: HubBench, body: str) -> None:
    data = bytes.fromhex(body)
    wire = ECHO.to_bytes()[:2] + len(data).to_bytes(2, "big") + ECHO.to_bytes()[4:8] + data
    said = bench.server.answer(wire, bench.client.session)
    assert said is not None
    assert read_message(said).body["rc"] == 3


def test_errors_of_a_group_have_the_group_and_its_number_in_version_2_and_the_nearest_plain_one_in_version_1(
    bench: HubBench,
) -> None:
    assert bench.client.read(8, 1, name="none")["err"] == {"group": 8, "rc": 3}
    old = Client(bench.server, version=VERSION_1)
    assert old.read(8, 1, name="none") == {"rc": 5, "rsn": "there is no file 'none'"}
    assert old.write(0, 0, d="hi") == {"r": "hi"}


def test_a_handler_that_breaks_is_an_unknown_error_and_the_next_message_is_answered(
    bench: HubBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(bench.hub.slots, "images", broken)
    assert bench.client.read(1, 0) == {"rc": 1}
    assert bench.hub.statistics.all()["broken"] == 1
    assert bench.client.write(0, 0, d="hi") == {"r": "hi"}


def test_a_disk_that_fails_is_an_unknown_error_with_the_disks_own_words(
    bench: HubBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bench.hub.disk, "free_bytes", full)
    said = bench.client.read(GROUP, 0)
    assert (said["rc"], said["rsn"]) == (1, "disk: No space left on device")


def test_a_reset_runs_what_it_is_to_run_only_after_its_answer(bench: HubBench) -> None:
    wire = Message(WRITE, 0, 5, {}, 1).to_bytes()
    assert bench.server.answer(wire, bench.client.session) is not None
    assert bench.resets == 0
    bench.client.session.see_to_the_rest()
    bench.client.session.see_to_the_rest()
    assert bench.resets == 1


@pytest.mark.parametrize(
    ("letters", "starts"),
    [("s", "Linux"), ("n", "hub-1"), ("on", "hub-1 edgert"), ("", "Linux"), ("a", "Linux hub-1 ")],
)
def test_words_of_the_system_come_in_the_order_of_the_specification(bench: HubBench, letters: str, starts: str) -> None:
    assert bench.client.read(0, 7, format=letters)["output"].startswith(starts)


def test_an_unknown_letter_and_an_unknown_query_have_numbers_of_their_own(bench: HubBench) -> None:
    assert bench.client.read(0, 7, format="sx")["err"] == {"group": 0, "rc": 2}
    assert bench.client.read(0, 8, query="novelty")["err"] == {"group": 0, "rc": 3}
    assert bench.client.read(0, 8, query="mode") == {"mode": 3, "no-downgrade": True}


def test_a_setting_is_cut_to_what_the_client_can_take(bench: HubBench) -> None:
    assert bench.client.read(3, 0, name="edgert/device", max_size=3) == {"val": b"hub"}
    assert bench.client.read(3, 0, name="x" * 65)["err"] == {"group": 3, "rc": 2}
    assert bench.client.read(3, 0, name="other")["err"] == {"group": 3, "rc": 3}
