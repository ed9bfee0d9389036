"""The daemon's own SMP server: a bundle comes over UDP, is tried by the running daemon, and serves or goes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.manifest import read_manifest, seal_bundle
from edge_runtime.client import Client as MqttClient
from edge_runtime.mqtt.broker import RunningBroker
from firmware_bridge.smp import edgert_group as ours
from firmware_bridge.smp.edgert_group import Command
from firmware_bridge.smp.message import Message, read_message
from tests import served, tiny
from tests.edge_runtime.bundle.signed import ANY, KEYS
from tests.firmware_bridge.smp.hub_bench import Client, parts_of

pytestmark = pytest.mark.broker
WAIT_S = 60.0
PIECE = 4000


class OverUdp(Client):
    """Asks a server by UDP."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(("127.0.0.1", port))

    def ask(self, op: int, group: int, command: int, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        self._socket.send(Message(op, group, command, body or {}, 1).to_bytes())
        return dict(read_message(self._socket.recv(65536)).body)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(scope="module")
def broker() -> Iterator[RunningBroker]:
    with served.broker("embedded") as running:
        yield running


@pytest.fixture
def client(broker: RunningBroker, tmp_path: Path) -> Iterator[OverUdp]:
    """A daemon with a store and SMP on a UDP port, and a client of that port."""
    trust, port = tmp_path / "trust", free_udp_port()
    trust.mkdir()
    (trust / "release.pem").write_bytes(KEYS["release"].public.pem())
    settings = {
        "EDGERT_STORE": str(tmp_path / "store"),
        "EDGERT_UPDATES_TRUST": str(trust),
        "EDGERT_UPDATES_SETTLE_S": "0",
        "EDGERT_SMP_UDP_PORT": str(port),
    }
    with served.daemon(broker.client_address, [], **settings):
        served.wait_online(broker.client_address)
        with contextlib.closing(OverUdp(port)) as made:
            yield made


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def signed(tmp_path: Path, version: str, counter: int, *, wrong: bool = False) -> bytes:
    """A real small bundle; a wrong one has golden rows that it does not answer."""
    folder = tiny.write_bundle(tmp_path / version, "classify", "tiny", version)
    golden = folder / "golden.json"
    if wrong:
        plain = json.loads(golden.read_text())
        for row in plain["rows"]:
            row["values"] = [value + 1 for value in row["values"]]
        golden.write_text(json.dumps(plain))
    manifest = dataclasses.replace(read_manifest(folder), counter=counter)
    seal_bundle(folder, manifest, {entry.path: entry.role for entry in manifest.files})
    bundle_file.build(folder, tmp_path / "out.edgert", KEYS["release"], ANY)
    return (tmp_path / "out.edgert").read_bytes()


def bring(client: Client, bundle: bytes) -> bytes:
    """Send a bundle by our group, and let it be tried; its name."""
    manifest, files = parts_of(bundle)
    missing = ours.missing_files(client.offer(manifest)["missing"], len(files))
    for content, wanted in zip(files.values(), missing, strict=True):
        for at in range(0, len(content) if wanted else 0, PIECE):
            assert "off" in client.put(content, at, PIECE)
    name = hashlib.sha256(manifest).digest()
    assert client.ours(Command.COMMIT, ours.CommitRequest(name))["test"] is True
    return name


def outcome(client: Client, name: bytes) -> ours.StatusAnswer:
    """What became of it, when something has."""
    end_s = time.monotonic() + WAIT_S
    while (said := client.status(bundle=name)).state in ("receiving", "waiting", "trial"):
        assert time.monotonic() < end_s, said
        time.sleep(0.1)  # the protocol has no event for it
    return said


def test_a_bundle_that_comes_over_smp_is_tried_by_the_daemon_kept_and_serves(
    client: OverUdp, broker: RunningBroker, tmp_path: Path
) -> None:
    assert outcome(client, bring(client, signed(tmp_path, "1.0.0", 1))).state == "active"
    with MqttClient(broker.client_address) as asking:
        assert asking.infer("tiny", "turn on the light").body["label"]
    wrong = outcome(client, bring(client, signed(tmp_path, "1.1.0", 2, wrong=True)))
    assert wrong.state == "refused"
    assert "golden_mismatch" in wrong.reason
    assert {slot: one["version"] for slot, one in client.images().items()} == {0: "1.0.0"}


def test_the_standard_way_needs_a_mark_and_a_reset_and_then_the_daemon_tries_it(
    client: OverUdp, tmp_path: Path
) -> None:
    data = signed(tmp_path, "1.0.0", 1)
    assert client.upload(data, chunk=PIECE)["match"] is True
    image = client.images()[1]
    assert client.write(1, 0, hash=image["hash"])["images"][0]["pending"] is True
    assert client.write(0, 5) == {}
    name = hashlib.sha256(parts_of(data)[0]).digest()
    assert outcome(client, name).state == "active"
    assert client.images()[0]["hash"] == image["hash"]
