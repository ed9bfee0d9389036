"""The command and the daemon's own server, as processes that a test may kill."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.bundle.container import bundle_file
from edge_runtime.bundle.errors import StoreBusy
from edge_runtime.bundle.manifest import seal_bundle
from edge_runtime.config import Config, SmpConfig, UpdatesConfig
from edge_runtime.errors import ConfigError
from firmware_bridge.commands.serve_smp import serve_smp
from firmware_bridge.smp.listening import Ways
from firmware_bridge.smp.message import WRITE, Message, read_message
from firmware_bridge.smp.parts import STEP_BYTES
from firmware_bridge.smp.service import SmpService, ways_of
from firmware_bridge.smp.stream import Deframer, framed
from tests import tiny
from tests.edge_runtime.bundle.signed import ANY, KEYS, bundle_bytes
from tests.firmware_bridge.smp.hub_bench import pty

CHUNK = 8000
KILLS = 6


def trust(tmp_path: Path) -> Path:
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "release.pem").write_bytes(KEYS["release"].public.pem())
    return folder


@contextlib.contextmanager
def running(tmp_path: Path, folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """`edgert serve-smp` on a UDP port of its own, and a socket to ask it by."""
    command = [sys.executable, "-m", "edge_runtime", "serve-smp", "--store", tmp_path / "store", "--trust", folder]
    process = subprocess.Popen([*map(str, command), "--udp", "0", *more], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = process.stderr.readline()
        port = re.search(r"udp port (\d+)", said)
        assert port, said + process.stderr.read()
        threading.Thread(target=process.stderr.read, daemon=True).start()  # its log must not fill the pipe
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            client.connect(("127.0.0.1", int(port[1])))
            yield process, client
    finally:
        process.kill()
        process.wait()


def piece(client: socket.socket, data: bytes, at: int) -> dict[str, object]:
    first = {"len": len(data), "sha": hashlib.sha256(data).digest()} if at == 0 else {}
    client.send(Message(WRITE, 1, 1, {"off": at, "data": data[at : at + CHUNK], **first}, 1).to_bytes())
    return dict(read_message(client.recv(65536)).body)


def large_bundle(tmp_path: Path, size: int) -> bytes:
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(random.Random(5).randbytes(size))
    (folder / "tokenizer.json").write_bytes(b"{}")
    made = tiny.manifest("classify", "tiny")
    seal_bundle(folder, made, {"model.onnx": "model", "tokenizer.json": "tokenizer"})
    bundle_file.build(folder, tmp_path / "large.edgert", KEYS["release"], ANY)
    return (tmp_path / "large.edgert").read_bytes()


def test_an_upload_outlives_kill_9_again_and_again_and_little_is_sent_twice(tmp_path: Path) -> None:
    """After each kill at most a step and what was under way is sent again, and the bundle is right in the end."""
    data, folder, source = large_bundle(tmp_path, 3_000_000), trust(tmp_path), random.Random(6)
    reached, said = 0, dict[str, object]()
    for round_ in range(KILLS + 1):
        with running(tmp_path, folder) as (process, client):
            said = piece(client, data, 0)
            resumed = int(str(said["off"]))
            assert resumed >= reached - STEP_BYTES - CHUNK
            reached = resumed
            pieces = source.randrange(5, 40) if round_ < KILLS else 10_000
            while pieces and "match" not in said:
                said = piece(client, data, reached)
                reached, pieces = int(str(said["off"])), pieces - 1
            os.kill(process.pid, signal.SIGKILL)
        if "match" in said:
            break
    assert said == {"off": len(data), "match": True}
    with running(tmp_path, folder) as (_, client):
        client.send(Message(0, 1, 0, {}, 1).to_bytes())
        images = read_message(client.recv(65536)).body["images"]
    assert isinstance(images, list)
    assert [(one["slot"], one["version"]) for one in images] == [(1, "1.2.3")]


def test_the_command_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with running(tmp_path, trust(tmp_path)) as (process, client):
        assert "off" in piece(client, bundle_bytes(), 0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_serial_device_is_opened_and_answered_on(tmp_path: Path) -> None:
    echo = Message(WRITE, 0, 0, {"d": "hi"}, 1)
    with pty() as link, running(tmp_path, trust(tmp_path), "--serial", f"{link.path}?baud=921600"):
        deframer, said = Deframer(), list[tuple[str, bytes]]()
        end_s = time.monotonic() + 30
        while not said and time.monotonic() < end_s:
            link.write(framed("cobs", echo.to_bytes()))  # again: a port forgets what came before it was opened
            said += deframer.feed(link.read(1.0))
    assert said[:1] == [("cobs", echo.answer({"r": "hi"}).to_bytes())]


def test_only_one_server_serves_a_store(tmp_path: Path) -> None:
    config = Config(store=str(tmp_path / "store"), updates=UpdatesConfig(trust=str(trust(tmp_path))))
    first = SmpService(config, Ways(udp_port=0))
    with pytest.raises(StoreBusy, match="served over SMP already"):
        SmpService(config, Ways(udp_port=0))
    first.stop()
    SmpService(config, Ways(udp_port=0)).stop()


def test_without_a_store_or_a_way_in_the_command_says_what_is_missing(tmp_path: Path) -> None:
    said = CliRunner().invoke(serve_smp, ["--udp", "0"])
    assert isinstance(said.exception, ConfigError)
    assert "set `store`" in str(said.exception)
    said = CliRunner().invoke(serve_smp, ["--store", str(tmp_path)])
    assert isinstance(said.exception, ConfigError)
    assert "no way in is open" in str(said.exception)


def test_ways_in_are_the_ones_of_the_config_and_none_is_open_by_itself() -> None:
    assert not SmpConfig().is_open
    ways = ways_of(SmpConfig(udp_port=1337, serial=("/dev/ttyGS0", "serial:/dev/ttyUSB0?baud=921600")))
    assert (ways.host, ways.udp_port, ways.tcp_port) == ("127.0.0.1", 1337, None)
    assert [(one.device, one.baud) for one in ways.devices] == [("/dev/ttyGS0", 115200), ("/dev/ttyUSB0", 921600)]


def test_a_reset_runs_the_program_that_the_config_names(tmp_path: Path) -> None:
    mark = tmp_path / "was reset"
    config = Config(
        device="hub-1",
        store=str(tmp_path / "store"),
        updates=UpdatesConfig(trust=str(trust(tmp_path))),
        smp=SmpConfig(on_reset=("touch", str(mark))),
    )
    service = SmpService(config, replace(ways_of(config.smp), udp_port=0))
    service.start()
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(30)
            client.connect(("127.0.0.1", service.listener.udp_port))
            client.send(Message(WRITE, 0, 5, {}, 1).to_bytes())
            assert read_message(client.recv(65536)).body == {}
    finally:
        service.stop()
    assert mark.exists()
