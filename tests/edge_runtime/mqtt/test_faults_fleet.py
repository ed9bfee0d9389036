"""Three real daemons in a group on a real Mosquitto, two killed in mid-load: every request is answered, once."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.client import Client
from edge_runtime.errors import EdgertError
from tests import served, tiny
from tests.brokers import PlainMosquitto

pytestmark = pytest.mark.broker

NAMES = ("one", "two", "three")
REQUESTS, ASKERS = 160, 4


@pytest.fixture
def daemons(plain_mosquitto: PlainMosquitto, tmp_path: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    bundle = tiny.write_bundle(tmp_path / "bundle")
    plain_mosquitto.start()
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(
                served.daemon(plain_mosquitto.address, [bundle], EDGERT_DEVICE=name, EDGERT_GROUP="kitchen")
            )
            for name in NAMES
        }


@pytest.mark.parametrize("group", ["kitchen", None])
def test_two_of_three_boards_killed_in_mid_load_cost_no_answer(
    daemons: dict[str, subprocess.Popen[bytes]], plain_mosquitto: PlainMosquitto, group: str | None
) -> None:
    answers: Counter[str] = Counter()
    served_by: Counter[str] = Counter()
    errors: list[EdgertError] = []
    numbers, lock = iter(range(REQUESTS)), threading.Lock()
    with Client(plain_mosquitto.address) as client:

        def ask() -> None:
            for number in numbers_left():
                if number in (REQUESTS // 4, REQUESTS // 2):
                    daemons["one" if number == REQUESTS // 4 else "two"].send_signal(signal.SIGKILL)
                try:
                    answer = client.infer(
                        "tiny", f"turn on {number}", timeout_s=20, tries=20, group=group, request_id=f"r{number}"
                    )
                except EdgertError as error:
                    errors.append(error)
                else:
                    with lock:
                        answers[f"r{number}"] += 1
                        served_by[answer.device] += 1

        def numbers_left() -> Iterator[int]:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                yield number

        for name in NAMES:
            assert client.wait_online(name, served.START_S)
        threads = [threading.Thread(target=ask) for _ in range(ASKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not errors
    assert len(answers) == REQUESTS
    assert set(answers.values()) == {1}
    assert set(served_by) == set(NAMES)


@pytest.mark.parametrize("group", ["kitchen", None])
def test_a_board_that_stands_still_costs_its_askers_time_and_no_answer(
    daemons: dict[str, subprocess.Popen[bytes]], plain_mosquitto: PlainMosquitto, group: str | None
) -> None:
    with Client(plain_mosquitto.address) as client:
        for name in NAMES:
            assert client.wait_online(name, served.START_S)
        daemons["one"].send_signal(signal.SIGSTOP)
        try:
            answered = [
                client.infer("tiny", f"turn on {number}", timeout_s=4, tries=8, group=group).device
                for number in range(12)
            ]
        finally:
            daemons["one"].send_signal(signal.SIGCONT)
        assert set(answered) == {"two", "three"}
