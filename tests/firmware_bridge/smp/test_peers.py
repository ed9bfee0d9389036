"""Clients that nobody here wrote use our server, over a PTY and over UDP: smpclient 7.3.0 and smpmgr 0.19.1.

They are installed into an environment of their own in edgert's cache; without a network these tests are skipped.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.service_parts.peer_venv import NoPeer, peer_python
from edge_runtime.errors import ConfigError
from firmware_bridge.link import LinkAddress
from firmware_bridge.smp.listening import Listener, Ways
from tests.edge_runtime.bundle.signed import bundle_bytes
from tests.firmware_bridge.smp.hub_bench import HubBench, PtyLink, pty

SCRIPT = Path(__file__).with_name("smpclient_script.py")
CONTENT = bytes(range(256)) * 100
PEERS = ["--no-binary=crcmod", "smpclient[serial]==7.3.0", "smpmgr==0.19.1"]  # crcmod has no wheel for any Linux
SMP_PORT = 1337  # the one port that these clients know
_hosts = itertools.count(1)


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return peer_python("smp-clients", PEERS)
    except NoPeer as error:
        pytest.skip(f"smpclient and smpmgr cannot be had: {error}")


@pytest.fixture
def bench(tmp_path: Path) -> HubBench:
    return HubBench(tmp_path / "store")


@pytest.fixture
def device(bench: HubBench) -> Iterator[PtyLink]:
    """A PTY that the server answers on."""
    with pty() as link:
        address = LinkAddress("serial", link.path)
        listener = Listener(bench.server, Ways(devices=(address,)), open_device=lambda address: link)
        listener.start()
        yield link
        listener.stop()


@pytest.fixture
def host(bench: HubBench) -> Iterator[str]:
    """An address of this machine at which the server answers on SMP's UDP port, of this test alone."""
    host = f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.{next(_hosts)}"
    try:
        listener = Listener(bench.server, Ways(host, udp_port=SMP_PORT))
    except ConfigError as error:
        pytest.skip(f"no loopback address for UDP port {SMP_PORT}: {error}")
    listener.start()
    yield host
    listener.stop()


def run(command: list[object], limit_s: float = 120.0) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=limit_s, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def images(tmp_path: Path) -> tuple[Path, Path]:
    found = tmp_path / "one.edgert", tmp_path / "two.edgert"
    for file, version, counter in zip(found, ("1.0.0", "1.1.0"), (1, 2), strict=True):
        file.write_bytes(bundle_bytes(version, counter))
    return found


def script(python: Path, where: str, tmp_path: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run([python, SCRIPT, where, *images(tmp_path)]))
    return said


def judge(said: dict[str, Any], bench: HubBench) -> None:
    """What a client must have been told, whatever the link."""
    judge_system(said)
    judge_lists(said)
    judge_folder(said, bench)
    judge_slots(said, bench)


def judge_system(said: dict[str, Any]) -> None:
    assert said["echo"] == {"r": "a text, ä"}
    assert "MainThread" in said["tasks"]["tasks"]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", said["datetime"]["datetime"])
    assert said["set datetime"]["refused"]["rc"] == 8
    assert said["params"] == {"buf_size": 8192, "buf_count": 8}
    assert said["info"]["output"].startswith("Linux hub-1 ")
    assert said["bootloader"] == {"bootloader": "MCUboot"}


def judge_lists(said: dict[str, Any]) -> None:
    assert said["group count"] == {"count": 7}
    assert said["groups"]["groups"] == [0, 1, 2, 3, 8, 10, 0x4547]
    assert said["group 0"] == {"group": 0}
    assert said["group 99"]["refused"]["err"] == {"group": 10, "rc": 4}
    assert {one["group"]: one["name"] for one in said["details"]["groups"]}[0x4547] == "edgert"
    assert said["statistics"] == {"stat_list": ["edgert_smp"]}
    assert said["counts"]["fields"]["requests"] > 10
    assert said["other counts"]["refused"]["err"] == {"group": 2, "rc": 2}
    assert said["device"]["val"] == b"hub-1".hex()
    assert said["set device"]["refused"]["err"] == {"group": 3, "rc": 6}
    assert said["delete device"]["refused"]["err"] == {"group": 3, "rc": 7}


def judge_folder(said: dict[str, Any], bench: HubBench) -> None:
    assert (bench.root / "smp" / "files" / "blob.bin").read_bytes() == CONTENT
    assert said["downloaded"] is True
    assert said["size"] == {"len": len(CONTENT)}
    assert said["sha256"]["output"] == hashlib.sha256(CONTENT).hexdigest()
    assert said["crc32"]["output"] == zlib.crc32(CONTENT)
    assert set(said["hash types"]["types"]) == {"sha256", "crc32"}
    assert said["close"] == {}
    assert said["escape"]["refused"]["err"] == {"group": 8, "rc": 2}


def judge_slots(said: dict[str, Any], bench: HubBench) -> None:
    assert said["offsets"][-1] == len(bundle_bytes("1.0.0", 1))
    assert said["offsets"] == sorted(set(said["offsets"]))
    (first,) = said["uploaded"]["images"]
    assert (first["slot"], first["version"], first["pending"], first["active"]) == (1, "1.0.0", False, False)
    assert said["marked"]["images"][0]["pending"] is True
    assert said["confirm untried"]["refused"]["err"] == {"group": 1, "rc": 32}
    assert said["reset"] == {}
    assert bench.resets == 1
    (tried,) = said["after reset"]["images"]
    assert (tried["slot"], tried["version"], tried["pending"]) == (1, "1.0.0", True)
    refused = bench.store.slots("tiny").refused
    assert refused is not None
    assert (refused.bundle.version, refused.reason) == ("1.0.0", "was erased over SMP")
    cut, resumed, end = said["resumed at"]
    assert cut <= resumed <= end == len(bundle_bytes("1.1.0", 2))
    assert said["erased"]["images"] == []


def test_smpclient_uses_every_group_over_a_serial_line(
    python: Path, device: PtyLink, bench: HubBench, tmp_path: Path
) -> None:
    judge(script(python, f"serial:{device.path}", tmp_path), bench)


def test_smpclient_uses_every_group_over_udp(python: Path, host: str, bench: HubBench, tmp_path: Path) -> None:
    judge(script(python, f"udp:{host}", tmp_path), bench)


class Smpmgr:
    """The program, with a way to the server."""

    def __init__(self, python: Path, *way: object) -> None:
        self._command = [python, "-m", "smpmgr", *way]

    def run(self, *words: object) -> str:
        return re.sub(r"\x1b\[[0-9;]*m", "", run([*self._command, *words]))


def everything_with_smpmgr(smpmgr: Smpmgr, bench: HubBench, tmp_path: Path) -> None:
    """Files, groups, and two versions: one that is kept, and one that goes back because nobody confirms it."""
    first, second = images(tmp_path)
    (tmp_path / "blob").write_bytes(CONTENT)
    assert "hello there" in smpmgr.run("os", "echo", "hello there")
    assert "17735" in smpmgr.run("enum", "get-supported-groups")
    assert "edgert" in smpmgr.run("enum", "get-group-details", 0, 17735)
    smpmgr.run("file", "upload", tmp_path / "blob", "/files/blob.bin")
    smpmgr.run("file", "download", "/files/blob.bin", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == CONTENT
    assert str(len(CONTENT)) in smpmgr.run("file", "read-size", "/files/blob.bin")
    assert "edgert_smp" in smpmgr.run("statistics", "list")

    smpmgr.run("upgrade", "--slot", 1, first)  # without a slot it does not mark what it has sent
    assert bench.store.begin_trial("tiny") is not None  # as the daemon does
    assert "active=True" in smpmgr.run("image", "state-read").replace(" ", "")
    smpmgr.run("image", "state-write", "--confirm")
    kept = bench.store.slots("tiny").active
    assert kept is not None
    assert kept.version == "1.0.0"

    smpmgr.run("image", "upload", second)
    marked = next(one["hash"].hex() for one in bench.client.images().values() if one["version"] == "1.1.0")
    smpmgr.run("image", "state-write", marked)
    smpmgr.run("os", "reset")
    assert bench.store.begin_trial("tiny") is not None
    assert bench.client.images()[0]["version"] == "1.1.0"
    smpmgr.run("os", "reset")
    assert bench.client.images()[0]["version"] == "1.0.0"
    refused = bench.store.slots("tiny").refused
    assert refused is not None
    assert "not confirmed" in refused.reason


def test_smpmgr_upgrades_confirms_and_lets_go_back_over_a_serial_line(
    python: Path, device: PtyLink, bench: HubBench, tmp_path: Path
) -> None:
    way = ("--port", device.path, "--line-length", 128, "--line-buffers", 60)
    everything_with_smpmgr(Smpmgr(python, *way), bench, tmp_path)


def test_smpmgr_upgrades_confirms_and_lets_go_back_over_udp(
    python: Path, host: str, bench: HubBench, tmp_path: Path
) -> None:
    everything_with_smpmgr(Smpmgr(python, "--ip", host), bench, tmp_path)
