"""Links: what a URL means, and what happens at their ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path

import pytest

from firmware_bridge.errors import BadTarget, LinkLost, PortBusy
from firmware_bridge.link import LinkAddress, open_link, read_address
from firmware_bridge.loopback import Faults, loopback
from firmware_bridge.pipe_link import ProgramLink
from firmware_bridge.port_lock import PortLock, holder_of, lock_file
from tests.firmware_bridge.serial_cable import SerialCable

pytest.importorskip("serial", reason="pyserial is not installed (pip install 'edgert[flash]')")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("serial:/dev/ttyUSB0", LinkAddress("serial", "/dev/ttyUSB0")),
        ("serial:/dev/ttyUSB0?baud=921600", LinkAddress("serial", "/dev/ttyUSB0", baud=921600)),
        (
            "serial:usb-1a86:7523-A1?framing=cobs",
            LinkAddress("serial", "usb-1a86:7523-A1", options=(("framing", "cobs"),)),
        ),
        ("socket://10.0.0.1:4000", LinkAddress("socket", host="10.0.0.1", port=4000)),
        ("rfc2217://host:4000?baud=57600", LinkAddress("rfc2217", host="host", port=4000, baud=57600)),
        ("udp://host", LinkAddress("udp", host="host", port=1337)),
        ("udp://[::1]:9", LinkAddress("udp", host="::1", port=9)),
    ],
)
def test_a_url_names_a_link(url: str, address: LinkAddress) -> None:
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "serial:",
        "serial://dev/ttyUSB0",
        "socket://host",
        "socket://host:99999",
        "udp://",
        "tcp://h:1",
        "/dev/ttyUSB0",
    ]
    + [f"serial:/dev/x?baud={baud}" for baud in ("", "-1", "12", "fast", "99999999999", "٣٠٠")]
    + ["socket://h:1/path", "serial:/dev/x?baud"],
)
def test_a_bad_url_is_refused_with_what_is_wrong(url: str) -> None:
    with pytest.raises(BadTarget, match="link"):
        read_address(url)


def test_a_serial_link_carries_bytes_both_ways_and_is_quiet_in_between() -> None:
    with SerialCable() as cable:
        here, there = open_link(read_address(f"serial:{cable.a}")), open_link(read_address(f"serial:{cable.b}"))
        assert here.read(0.0) == b""
        here.write(b"\x00\xff\r\n\x11\x13\x03")  # what a terminal that is not raw would eat
        got = b""
        while len(got) < 7:
            got += there.read(2.0)
        assert got == b"\x00\xff\r\n\x11\x13\x03"
        assert here.set_baud(921600)
        here.close()
        there.close()
        here.close()


def test_a_port_is_for_one_program_at_a_time() -> None:
    with SerialCable() as cable:
        here = open_link(read_address(f"serial:{cable.a}"))
        with pytest.raises(PortBusy, match=str(os.getpid())):
            open_link(read_address(f"serial:{cable.a}"))
        assert holder_of(cable.a) == os.getpid()
        here.close()
        assert holder_of(cable.a) is None
        open_link(read_address(f"serial:{cable.a}")).close()


def test_a_program_that_asks_for_no_lock_file_is_noticed_by_its_own_lock() -> None:
    import serial

    with SerialCable() as cable, serial.Serial(cable.a, exclusive=True), pytest.raises(PortBusy):
        open_link(read_address(f"serial:{cable.a}"))


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = "import sys, time; from pathlib import Path; from firmware_bridge.port_lock import PortLock\n"
    code += "lock = PortLock('/dev/x', Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(PortBusy, match=str(process.pid)):
        PortLock("/dev/x", tmp_path)
    assert holder_of("/dev/x", tmp_path) == process.pid
    process.kill()
    process.wait()
    process.stdout.close()
    PortLock("/dev/x", tmp_path).release()


def test_two_names_of_a_device_have_one_lock(tmp_path: Path) -> None:
    device, alias = tmp_path / "ttyX", tmp_path / "by-id"
    device.touch()
    alias.symlink_to(device)
    assert lock_file(str(device), tmp_path) == lock_file(str(alias), tmp_path)


def test_an_unplugged_port_is_a_lost_link() -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    link = open_link(read_address(f"serial:{os.ttyname(slave)}"))
    os.close(slave)
    os.close(master)
    with pytest.raises(LinkLost):
        link.read(1.0)
    with pytest.raises(LinkLost):
        link.write(b"x")
    with pytest.raises(LinkLost):
        link.set_baud(9600)
    link.close()


def test_a_port_that_is_not_there_is_a_bad_target() -> None:
    with pytest.raises(BadTarget, match="/dev/ttyNOPE"):
        open_link(read_address("serial:/dev/ttyNOPE"))
    with pytest.raises(BadTarget, match="0 ports are usb-dead:beef"):
        open_link(read_address("serial:usb-dead:beef"))


def test_a_tcp_link_ends_as_a_lost_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(read_address(f"socket://127.0.0.1:{server.getsockname()[1]}"))
        accepted, _ = server.accept()
        accepted.sendall(b"hello")
        assert link.read(2.0) == b"hello"
        link.write(b"abc")
        assert accepted.recv(10) == b"abc"
        assert not link.set_baud(9600)
        accepted.close()
        with pytest.raises(LinkLost):
            link.read(2.0)
        link.close()


def test_nobody_on_a_tcp_port_is_a_lost_link_and_no_such_host_a_bad_target() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LinkLost):
        open_link(read_address(f"socket://127.0.0.1:{port}"))
    with pytest.raises(BadTarget):
        open_link(read_address("socket://no.such.host.invalid:1"))


def test_a_udp_link_keeps_messages_apart_and_outlives_a_peer_that_is_away() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        port = peer.getsockname()[1]
        link = open_link(read_address(f"udp://127.0.0.1:{port}"))
        assert link.datagrams
        link.write(b"one")
        _, where = peer.recvfrom(100)
        peer.sendto(b"a", where)
        peer.sendto(b"b", where)
        assert [link.read(2.0), link.read(2.0)] == [b"a", b"b"]
    link.write(b"lost")
    assert link.read(0.05) == b""  # refused by the kernel, not the end
    link.close()


def test_a_program_link_says_why_its_program_ended() -> None:
    link = ProgramLink([sys.executable, "-c", "import sys; sys.stderr.write('no such user'); sys.exit(255)"], "ssh")
    with pytest.raises(LinkLost, match="status 255: no such user"):
        link.read(5.0)
    link.close()


def test_a_loopback_keeps_its_speed() -> None:
    here, there = loopback(baud=115200, latency_s=0.02)
    begun_s, got = time.monotonic(), b""
    sender = threading.Thread(target=here.write, args=(bytes(2000),))
    sender.start()
    while len(got) < 2000:
        got += there.read(1.0)
    taken_s = time.monotonic() - begun_s
    sender.join()
    assert 2000 * 10 / 115200 + 0.02 <= taken_s < 0.6


@pytest.mark.parametrize("kind", ["flip", "drop", "double", "noise"])
def test_a_fault_happens_as_often_as_it_should_and_the_same_each_time(kind: str) -> None:
    def passed() -> tuple[int, bytes]:
        here, there = loopback(Faults(**{kind: 0.001}, seed=9))  # type: ignore[arg-type]
        for _ in range(50):
            here.write(bytes(2000))
        return here.out.damage.count, there.read(1.0)

    first, second = passed(), passed()
    assert first == second
    assert 60 < first[0] < 150  # 100 are to be expected
    assert first[1] != bytes(100_000)


def test_a_cut_loopback_ends_at_both_ends() -> None:
    here, there = loopback(cut_after_bytes=10)
    here.write(b"0123456789")
    for end in (here, there):
        with pytest.raises(LinkLost):
            end.write(b"x")
        with pytest.raises(LinkLost):
            end.read(1.0)
