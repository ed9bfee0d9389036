"""A daemon whose audit file lies on a card that is full: a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.client import Client
from tests import served, tiny
from tests.brokers import PlainMosquitto, wait_until
from tests.cable import program
from tests.logged_daemon import LoggedDaemon

pytestmark = pytest.mark.broker

CARD = "size=256k,mode=700"
ON_CARD = f'mount -t tmpfs -o {CARD} tmpfs "$1" && shift && exec "$@"'
ASKED_WHILE_FULL = 60  # rows of over 20 kB: more than what is left of the page that the file ends in
DROPPED, AGAIN = "audit rows are dropped", "is written again"


@pytest.fixture
def on_card(tmp_path: Path) -> list[str]:
    """What runs a command with an empty card of 256 kB at `tmp_path/card`, for itself alone."""
    (tmp_path / "card").mkdir()
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = [program("unshare"), *user, "--mount", "sh", "-c", ON_CARD, "sh", str(tmp_path / "card")]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=10, check=False)
    if tried.returncode:
        pytest.skip(f"needs root or user namespaces to mount a tmpfs: {tried.stderr.strip()}")
    return command


@contextlib.contextmanager
def filled(card: Path) -> Iterator[None]:
    """No byte is left on the card meanwhile."""
    filler = card / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(card).f_bfree == 0
    yield
    filler.unlink()


def test_a_full_card_costs_rows_that_are_counted_and_no_answer(
    plain_mosquitto: PlainMosquitto, tmp_path: Path, on_card: list[str]
) -> None:
    bundle, file = tiny.write_bundle(tmp_path / "bundle"), tmp_path / "card" / "audit.jsonl"
    plain_mosquitto.start()
    settings = {"EDGERT_AUDIT_FILE": str(file), "EDGERT_AUDIT_SYNC_S": "1"}
    with (
        LoggedDaemon(on_card, plain_mosquitto.address, bundle, **settings) as hub,
        Client(plain_mosquitto.address, device=served.DEVICE) as client,
    ):
        assert client.wait_online(served.DEVICE, served.START_S)
        seen = Path(f"/proc/{hub.pid}/root{file}")

        def rows() -> list[dict[str, Any]]:
            return [json.loads(line) for line in seen.read_text(encoding="ascii").splitlines()]

        client.infer("tiny", "turn on", request_id="before")
        wait_until("its row is there", lambda: [row["id"] for row in rows()] == ["before"])
        with filled(seen.parent):
            for number in range(ASKED_WHILE_FULL):
                assert client.infer("tiny", f"turn off {number}").body["label"] in tiny.LABELS
            hub.wait_for_line(DROPPED, 10)
        client.infer("tiny", "turn on", request_id="after")
        hub.wait_for_line(AGAIN, 10)
        wait_until("its row is there", lambda: rows()[-1].get("id") == "after")
        found = rows()  # each line is whole
    lost = sum(row.get("dropped", 0) for row in found)
    assert lost > 0
    assert lost + sum("id" in row for row in found) == ASKED_WHILE_FULL + 2
    assert hub.log.count(DROPPED) == 1
